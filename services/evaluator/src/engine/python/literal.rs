//! `ast.literal_eval` for what templates render: strings, numbers, lists, tuples, dicts, `True`, `False`, `None`.

use serde_json::{Map, Number, Value};

/// Text that is no Python literal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a Python literal at character {position}: {reason}")]
pub struct LiteralError {
    /// Byte offset of the fault.
    pub position: usize,
    /// What was expected.
    pub reason: &'static str,
}

/// Reads one literal; tuples become arrays.
pub fn literal_eval(text: &str) -> Result<Value, LiteralError> {
    let mut reader = Reader { text: text.trim_matches([' ', '\t']), at: 0, depth: 0 };
    let value = reader.value()?;
    reader.skip_space();
    if reader.at == reader.text.len() { Ok(value) } else { Err(reader.fault("the end")) }
}

/// Deeper nesting than any dataset has; keeps a hostile literal from exhausting the stack.
const MAX_DEPTH: usize = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn fault(&self, reason: &'static str) -> LiteralError {
        LiteralError { position: self.at, reason }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.at += if found { expected.len_utf8() } else { 0 };
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value, LiteralError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("less nesting"));
        }
        self.skip_space();
        let value = match self.peek() {
            Some('[') => self.sequence(']').map(|(items, _)| Value::Array(items)),
            Some('(') => self.tuple(),
            Some('{') => self.dict(),
            Some('\'' | '"') => self.strings(),
            Some('-' | '+' | '.' | '0'..='9') => self.number(),
            _ if self.eat_word("True") => Ok(Value::Bool(true)),
            _ if self.eat_word("False") => Ok(Value::Bool(false)),
            _ if self.eat_word("None") => Ok(Value::Null),
            _ => Err(self.fault("a string, a number, a list, a dict, True, False or None")),
        };
        self.depth -= 1;
        value
    }

    /// Items up to `close`, and whether a comma followed the last.
    fn sequence(&mut self, close: char) -> Result<(Vec<Value>, bool), LiteralError> {
        self.at += 1;
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.skip_space();
            if self.eat(close) {
                return Ok((items, comma));
            }
            if !items.is_empty() && !comma {
                return Err(self.fault("a comma or the closing bracket"));
            }
            items.push(self.value()?);
            self.skip_space();
            comma = self.eat(',');
        }
    }

    fn tuple(&mut self) -> Result<Value, LiteralError> {
        let (mut items, comma) = self.sequence(')')?;
        // `(x)` is only x in brackets.
        if items.len() == 1 && !comma { Ok(items.remove(0)) } else { Ok(Value::Array(items)) }
    }

    fn dict(&mut self) -> Result<Value, LiteralError> {
        self.at += 1;
        let mut entries = Map::new();
        let mut comma = true;
        loop {
            self.skip_space();
            if self.eat('}') {
                return Ok(Value::Object(entries));
            }
            if !comma {
                return Err(self.fault("a comma or the closing brace"));
            }
            let key = self.value()?;
            self.skip_space();
            if !self.eat(':') {
                return Err(self.fault("a colon"));
            }
            let item = self.value()?;
            entries.insert(super::str_of(&key), item);
            self.skip_space();
            comma = self.eat(',');
        }
    }

    /// One or more adjacent strings, which Python joins.
    fn strings(&mut self) -> Result<Value, LiteralError> {
        let mut out = String::new();
        while matches!(self.peek(), Some('\'' | '"')) {
            self.string(&mut out)?;
            self.skip_space();
        }
        Ok(Value::String(out))
    }

    fn string(&mut self, out: &mut String) -> Result<(), LiteralError> {
        let quote = self.peek().unwrap_or('\'');
        self.at += 1;
        loop {
            let character = self.peek().ok_or_else(|| self.fault("the closing quote"))?;
            self.at += character.len_utf8();
            match character {
                '\n' => return Err(self.fault("the closing quote before the line's end")),
                '\\' => self.escape(out)?,
                _ if character == quote => return Ok(()),
                _ => out.push(character),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), LiteralError> {
        let character = self.peek().ok_or_else(|| self.fault("an escaped character"))?;
        self.at += character.len_utf8();
        match character {
            '\n' => {}
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '\\' | '\'' | '"' => out.push(character),
            'x' => out.push(self.code(2)?),
            'u' => out.push(self.code(4)?),
            'U' => out.push(self.code(8)?),
            '0'..='7' => out.push(self.octal(character)),
            other => {
                out.push('\\');
                out.push(other);
            }
        }
        Ok(())
    }

    fn code(&mut self, digits: usize) -> Result<char, LiteralError> {
        let found = self
            .text
            .get(self.at..self.at + digits)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32)
            .ok_or_else(|| self.fault("a character's code in hexadecimal"))?;
        self.at += digits;
        Ok(found)
    }

    fn octal(&mut self, first: char) -> char {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        char::from_u32(code).unwrap_or('\u{fffd}')
    }

    fn number(&mut self) -> Result<Value, LiteralError> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_')) {
            self.at += 1;
        }
        let digits = self.text[start..self.at].trim_start_matches('+').replace('_', "");
        let bare = digits.trim_start_matches('-');
        if bare.len() > 1 && bare.starts_with('0') && bare.bytes().all(|b| b.is_ascii_digit()) && bare != "0"
        {
            // Python refuses `07`.
            if bare.bytes().any(|b| b != b'0') {
                return Err(self.fault("a number without leading zeros"));
            }
        }
        if let Ok(integer) = digits.parse::<i64>() {
            return Ok(Value::from(integer));
        }
        digits
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| self.fault("a number"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::python::repr;

    #[test]
    fn literals_read_back_what_repr_wrote() {
        let value =
            json!([["it's", "say \"hi\"", "a\nb\\n", "\u{a0}\u{200b}é"], {"k": [1, -2.5, null, true]}, []]);
        assert_eq!(literal_eval(&repr(&value)).unwrap(), value);
    }

    #[test]
    fn tuples_adjacent_strings_and_trailing_commas_are_read() {
        assert_eq!(literal_eval("('a', 'b',)").unwrap(), json!(["a", "b"]));
        assert_eq!(literal_eval("('a' 'b')").unwrap(), json!("ab"));
        assert_eq!(literal_eval(" 3").unwrap(), json!(3));
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for text in ["", "abc", "[1, 2", "['a' b]", "[1] 2", "007", "'a\nb'", "__import__('os')"] {
            assert!(literal_eval(text).is_err(), "{text:?} was accepted");
        }
        assert!(literal_eval(&"[".repeat(10_000)).is_err());
    }
}
