//! Python's `repr` and `str` of the values that a dataset row can hold.

use serde_json::Value;

/// `str(value)`: strings as they are, everything else as `repr`.
pub fn str_of(value: &Value) -> String {
    value.as_str().map_or_else(|| repr(value), str::to_owned)
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => out.push_str(&float_repr(float)),
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_string(out, key);
                out.push_str(": ");
                write_repr(out, item);
            }
            out.push('}');
        }
    }
}

/// Python's shortest `repr` of a float: an exponent below 1e-4 and from 1e16 on, always a fraction otherwise.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", power.abs());
    }
    let plain = value.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

fn write_string(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(character);
            }
            _ if printable(character) => out.push(character),
            _ => match u32::from(character) {
                code @ 0..=0xff => push_code(out, 'x', 2, code),
                code @ 0x100..=0xffff => push_code(out, 'u', 4, code),
                code => push_code(out, 'U', 8, code),
            },
        }
    }
    out.push(quote);
}

fn push_code(out: &mut String, kind: char, digits: usize, code: u32) {
    out.extend(['\\', kind]);
    out.extend(format!("{code:0digits$x}").chars());
}

/// Python's `str.isprintable` without its tables of unassigned code points: no controls, no format characters, no
/// separators but the space, no private use.
fn printable(character: char) -> bool {
    if character == ' ' {
        return true;
    }
    let format = matches!(u32::from(character),
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xfff9..=0xfffb | 0xe0001..=0xe007f | 0xf0000..);
    !(character.is_control() || character.is_whitespace() || format)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_python_prints_them() {
        let value = json!({"a": [1, 2.0, 1e-5, 1e16, null, true], "it's": "say \"hi\"", "b": "it's", "c": "a\u{a0}b\u{1}"});
        assert_eq!(
            repr(&value),
            r#"{'a': [1, 2.0, 1e-05, 1e+16, None, True], "it's": 'say "hi"', 'b': "it's", 'c': 'a\xa0b\x01'}"#
        );
        assert_eq!(str_of(&json!("plain 'text'")), "plain 'text'");
        assert_eq!(repr(&json!("both ' and \"")), r#"'both \' and "'"#);
    }

    #[test]
    fn floats_keep_their_shortest_digits() {
        for (value, text) in [
            (0.0001, "0.0001"),
            (0.000_012_34, "1.234e-05"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (-3.5, "-3.5"),
            (0.0, "0.0"),
            (f64::NAN, "nan"),
            (100.0, "100.0"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }
}
