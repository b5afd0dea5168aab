//! Reads the spec file. An error names the field, whatever serde knows of it.

use std::{io::Read, path::Path};

use anneal_contracts::engine::TrainerSpec;

use super::{Error, Result};

const LIMIT_BYTES: u64 = 1 << 20;

/// Reads and parses a spec file; nothing is checked beyond types and names.
pub(crate) fn read(path: &Path) -> Result<TrainerSpec> {
    let wrong = |reason: String| Error::spec("spec", format!("{}: {reason}", path.display()));
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LIMIT_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > LIMIT_BYTES {
        return Err(wrong(format!("longer than {LIMIT_BYTES} bytes")));
    }
    parse(&text)
}

fn parse(text: &str) -> Result<TrainerSpec> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let quoted = |prefix: &str| {
            let rest = message.strip_prefix(prefix)?;
            rest.split('`').nth(1).map(str::to_owned)
        };
        let before = path_before(text, offset(text, error.line(), error.column()));
        let field = match (quoted("missing field"), before) {
            (Some(name), path) => match path.rsplit_once('.') {
                Some((parent, _)) => format!("{parent}.{name}"),
                None => name,
            },
            (None, path) if path.is_empty() => "spec".to_owned(),
            (None, path) => path,
        };
        Error::spec(field, message)
    })
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column).min(text.len())
}

/// The dotted path of the last key before byte `end`.
fn path_before(text: &str, end: usize) -> String {
    let bytes = &text.as_bytes()[..end];
    let mut path: Vec<String> = Vec::new();
    let (mut string, mut at) = (None, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let start = at + 1;
                at = start;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                string = Some(String::from_utf8_lossy(&bytes[start..at.min(bytes.len())]).into_owned());
            }
            b':' => {
                if let (Some(last), Some(key)) = (path.last_mut(), string.take()) {
                    *last = key;
                }
            }
            b'{' => path.push(String::new()),
            b'}' => {
                path.pop();
            }
            _ => {}
        }
        at += 1;
    }
    // serde stops right after an unknown key, before its colon.
    if let (Some(last), Some(key)) = (path.last_mut(), string)
        && bytes.last() == Some(&b'"')
        && text[end..].trim_start().starts_with(':')
    {
        *last = key;
    }
    path.retain(|key| !key.is_empty());
    path.join(".")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn field(text: &str) -> String {
        match parse(text).unwrap_err() {
            Error::Spec { field, .. } => field,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn errors_name_the_field() {
        assert_eq!(field(r#"{"task_type": "sft", "micro_batch_size": "two"}"#), "micro_batch_size");
        assert_eq!(field(r#"{"task_type": "sft", "optimizer": {"beta3": 1}}"#), "optimizer.beta3");
        assert_eq!(field("{\"task_type\": \"sft\",\n \"colour\": 1}"), "colour");
        assert_eq!(field(r#"{"task_type": "rlhf"}"#), "task_type");
        assert_eq!(field(r#"{"task_type": "sft"}"#), "method");
        assert_eq!(field("[]"), "spec");
    }
}
