//! Rows of JSON: one object a line, or the elements of one array.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::{Record, Rows};
use crate::{
    Limits, RowError,
    bytes::{Lines, Piece, Values},
};

pub(super) fn lines(reader: Box<dyn BufRead + Send>, limits: Limits) -> Rows {
    Box::new(Lines::new(reader, limits.row_bytes).map(|piece| piece.and_then(object)))
}

pub(super) fn values(reader: Box<dyn BufRead + Send>, limits: Limits) -> Rows {
    Box::new(Values::new(reader, limits.row_bytes).map(|piece| piece.and_then(object)))
}

/// Parses one row. Nesting deeper than serde_json's limit of 128 is an error of the row.
fn object((line, bytes): Piece) -> Result<(u64, Record), RowError> {
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        RowError::new(line, format!("not valid UTF-8 at byte {} of the row", error.valid_up_to()))
    })?;
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(map) => Ok((line, Record::Columns(map))),
        Err(error) => Err(reason(line, text, &error)),
    }
}

fn reason(line: u64, text: &str, error: &serde_json::Error) -> RowError {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return RowError::new(line, format!("a row is a JSON object, this is {}", name_of(&value)));
    }
    let at = line + (error.line() as u64).saturating_sub(1);
    RowError::new(at, format!("not valid JSON: {error}"))
}

/// The JSON type of a value, with its article.
pub(crate) const fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
