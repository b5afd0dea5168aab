//! Python's methods that templates call and minijinja's own set lacks.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

const MAX_WIDTH: usize = 4096;

/// Methods of texts, lists and maps; everything else goes to minijinja-contrib's.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => text_method(text, method, args)?,
        (ValueKind::Seq, _) if method == "index" => {
            let (wanted,): (Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == wanted);
            Some(Value::from(at.ok_or_else(|| failed("the item is not in the list"))?))
        }
        (ValueKind::Map | ValueKind::Seq, _) if method == "copy" => {
            let () = from_args(args)?;
            Some(value.clone())
        }
        _ => None,
    };
    match own {
        Some(result) => Ok(result),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn failed(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn list(texts: &[&str]) -> Value {
    texts.iter().map(|text| Value::from(*text)).collect()
}

fn text_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "removeprefix" => {
            let (part,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(part).unwrap_or(text))
        }
        "removesuffix" => {
            let (part,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(part).unwrap_or(text))
        }
        "index" => {
            let (part,): (&str,) = from_args(args)?;
            let at = text.find(part).ok_or_else(|| failed("substring not found"))?;
            Value::from(text[..at].chars().count())
        }
        "partition" => {
            let (part,): (&str,) = from_args(args)?;
            let (left, mark, right) = text.split_once(part).map_or((text, "", ""), |(l, r)| (l, part, r));
            list(&[left, mark, right])
        }
        "rpartition" => {
            let (part,): (&str,) = from_args(args)?;
            let (left, mark, right) = text.rsplit_once(part).map_or(("", "", text), |(l, r)| (l, part, r));
            list(&[left, mark, right])
        }
        "rsplit" => {
            let (part, most): (&str, Option<usize>) = from_args(args)?;
            if part.is_empty() {
                return Err(failed("empty separator"));
            }
            let mut pieces: Vec<&str> = match most {
                Some(most) => text.rsplitn(most.saturating_add(1), part).collect(),
                None => text.rsplit(part).collect(),
            };
            pieces.reverse();
            list(&pieces)
        }
        "casefold" => {
            let () = from_args(args)?;
            Value::from(text.to_lowercase())
        }
        "swapcase" => {
            let () = from_args(args)?;
            let swap = |c: char| {
                if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }
            };
            Value::from(text.chars().map(swap).collect::<String>())
        }
        "ljust" | "rjust" | "zfill" => {
            let (width, fill): (usize, Option<&str>) = from_args(args)?;
            if width > MAX_WIDTH {
                return Err(failed("the width is too large"));
            }
            let fill = if method == "zfill" { "0" } else { fill.unwrap_or(" ") };
            let padding = fill.repeat(width.saturating_sub(text.chars().count()));
            Value::from(if method == "ljust" {
                format!("{text}{padding}")
            } else {
                format!("{padding}{text}")
            })
        }
        _ => return Ok(None),
    }))
}
