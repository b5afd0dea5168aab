//! Reading and writing small JSON and text files, with a bound on what is read.

use std::io::Read as _;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads a whole file of at most `limit_bytes`.
pub(crate) fn read_bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    if length > limit_bytes {
        return Err(Error::malformed(path, format!("{length} bytes; at most {limit_bytes} are read")));
    }
    let mut bytes = Vec::new();
    file.take(limit_bytes).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    Ok(bytes)
}

/// Reads a whole text file of at most `limit_bytes`; a byte order mark is left out.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> Result<String> {
    let bytes = read_bytes(path, limit_bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::malformed(path, "not UTF-8"))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Parses a JSON file of at most `limit_bytes`.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, limit_bytes: u64) -> Result<T> {
    let text = read_text(path, limit_bytes)?;
    serde_json::from_str(&text).map_err(|e| Error::malformed(path, e.to_string()))
}

/// Writes a text file.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| Error::io(path, e))
}

/// Writes a value as indented JSON.
pub(crate) fn write(path: &Path, value: &serde_json::Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::malformed(path, e.to_string()))?;
    text.push('\n');
    write_text(path, &text)
}
