//! From a row's columns to a typed row: one module a family of layouts.

mod alpaca;
mod messages;
mod plain;
mod preference;
mod sharegpt;

use serde_json::{Map, Value};

use crate::{Kind, Layout, Row, error::Fault, records::name_of};

type Columns = Map<String, Value>;

/// The layout that a row's columns (a column of `null` is absent) belong to.
pub(crate) fn layout_of(columns: &Columns) -> Layout {
    let has = |name: &str| columns.get(name).is_some_and(|value| !value.is_null());
    if has("input") && has("preferred_output") && has("non_preferred_output") {
        Layout::OpenAiPreference
    } else if has("chosen") && has("rejected") {
        if has("conversations") {
            Layout::ShareGptPreference
        } else if has("instruction") {
            Layout::AlpacaPreference
        } else {
            Layout::TrlPreference
        }
    } else if has("messages") {
        Layout::Messages
    } else if has("conversations") {
        Layout::ShareGpt
    } else if has("prompt") && has("completion") {
        Layout::PromptCompletion
    } else if has("instruction") && has("output") {
        Layout::Alpaca
    } else if has("text") {
        Layout::Text
    } else {
        Layout::Free
    }
}

/// A typed row of `kind`, or the field that is wrong.
pub(crate) fn typed(columns: Columns, kind: Kind) -> Result<Row, Fault> {
    if kind == Kind::Evaluation {
        return Ok(Row::Record(columns));
    }
    if kind == Kind::Pretrain {
        return match columns.get("text") {
            Some(text) => Ok(Row::Text(string(text, "text")?)),
            None => Err(Fault::at("text", "the column is missing")),
        };
    }
    let layout = layout_of(&columns);
    if layout.kind() != kind {
        return Err(missing(&columns, kind));
    }
    match layout {
        Layout::Alpaca => alpaca::chat(&columns),
        Layout::ShareGpt => sharegpt::chat(&columns),
        Layout::Messages => messages::chat(&columns),
        Layout::PromptCompletion => plain::prompt_completion(&columns),
        Layout::TrlPreference => preference::trl(&columns),
        Layout::OpenAiPreference => preference::openai(&columns),
        Layout::AlpacaPreference => preference::alpaca(&columns),
        Layout::ShareGptPreference => preference::sharegpt(&columns),
        Layout::Text | Layout::Free => Err(missing(&columns, kind)),
    }
}

/// Names the column that would complete the row, where one column tells which layout was meant.
fn missing(columns: &Columns, kind: Kind) -> Fault {
    const PARTNERS: [(Kind, &str, &str); 6] = [
        (Kind::Sft, "instruction", "output"),
        (Kind::Sft, "prompt", "completion"),
        (Kind::Sft, "completion", "prompt"),
        (Kind::Preference, "chosen", "rejected"),
        (Kind::Preference, "rejected", "chosen"),
        (Kind::Preference, "preferred_output", "non_preferred_output"),
    ];
    for (of, there, partner) in PARTNERS {
        if of == kind && columns.contains_key(there) && columns.get(partner).is_none_or(Value::is_null) {
            return Fault::at(partner, "the column is missing");
        }
    }
    let found: Vec<_> = columns.keys().take(8).map(|name| format!("`{name}`")).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    Fault::row(format!("a row of kind {kind} has {}; the columns here are: {found}", kind.columns()))
}

/// A string that must be there.
fn string(value: &Value, field: &str) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(Fault::at(field, format!("expected a string, found {}", name_of(other)))),
    }
}

/// A string that may be absent, `null` or empty.
fn optional_string(columns: &Columns, field: &str) -> Result<Option<String>, Fault> {
    match columns.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Ok(Some(string(value, field)?).filter(|text| !text.is_empty())),
    }
}

fn array<'a>(value: &'a Value, field: &str) -> Result<&'a [Value], Fault> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(Fault::at(field, format!("expected an array, found {}", name_of(other)))),
    }
}

fn object<'a>(value: &'a Value, field: &str) -> Result<&'a Columns, Fault> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(Fault::at(field, format!("expected an object, found {}", name_of(other)))),
    }
}

/// Tool definitions: an array, or the JSON text of one (ShareGPT files hold text).
fn tools(columns: &Columns) -> Result<Option<Value>, Fault> {
    let wrong =
        |found: &str| Fault::at("tools", format!("expected an array of tool definitions, found {found}"));
    match columns.get("tools") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(items)) if items.is_empty() => Ok(None),
            Ok(Value::Array(items)) => Ok(Some(Value::Array(items))),
            _ => Err(wrong("text that is not a JSON array")),
        },
        Some(Value::Array(items)) => Ok((!items.is_empty()).then(|| Value::Array(items.clone()))),
        Some(other) => Err(wrong(name_of(other))),
    }
}
