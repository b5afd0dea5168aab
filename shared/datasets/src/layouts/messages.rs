//! OpenAI: `messages: [{role, content (string or text parts), tool_calls?, weight?: 0|1}], tools?`.

use serde_json::Value;

use super::{Columns, array, object, optional_string, string, tools};
use crate::{Conversation, Message, Row, error::Fault, records::name_of};

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

pub(super) fn chat(columns: &Columns) -> Result<Row, Fault> {
    let messages = list(&columns["messages"], "messages")?;
    if !messages.iter().any(|message| message.role == "assistant") {
        return Err(Fault::at(
            "messages",
            "no message is the assistant's: nothing can be learnt from the row",
        ));
    }
    Ok(Row::Chat(Conversation { messages, tools: tools(columns)? }))
}

/// A list of at least one message.
pub(super) fn list(value: &Value, field: &str) -> Result<Vec<Message>, Fault> {
    let items = array(value, field)?;
    if items.is_empty() {
        return Err(Fault::at(field, "the list is empty"));
    }
    items.iter().enumerate().map(|(index, item)| message(item, &format!("{field}[{index}]"))).collect()
}

fn message(value: &Value, field: &str) -> Result<Message, Fault> {
    let columns = object(value, field)?;
    let at = |name: &str| format!("{field}.{name}");
    let role = string(columns.get("role").unwrap_or(&Value::Null), &at("role"))?;
    if !ROLES.contains(&role.as_str()) {
        return Err(Fault::at(
            at("role"),
            format!("unknown role `{role}`: expected one of {}", ROLES.join(", ")),
        ));
    }
    let tool_calls = columns.get("tool_calls").filter(|calls| !calls.is_null());
    if let Some(calls) = tool_calls {
        array(calls, &at("tool_calls"))?;
    }
    let content = match columns.get("content") {
        None | Some(Value::Null) if tool_calls.is_some() => String::new(),
        content => text(content.unwrap_or(&Value::Null), &at("content"))?,
    };
    Ok(Message {
        role,
        content,
        weight: weight(columns.get("weight"), &at("weight"))?,
        tool_calls: tool_calls.cloned(),
        tool_call_id: optional_string(columns, "tool_call_id")?,
        name: optional_string(columns, "name")?,
    })
}

/// A string, or text parts laid end to end.
fn text(value: &Value, field: &str) -> Result<String, Fault> {
    let Value::Array(parts) = value else { return string(value, field) };
    let mut joined = String::new();
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let part = object(part, &field)?;
        match part.get("type").and_then(Value::as_str) {
            Some("text") => joined.push_str(&string(part.get("text").unwrap_or(&Value::Null), &field)?),
            kind => {
                let kind = kind.unwrap_or("without a type");
                return Err(Fault::at(field, format!("a part of type `{kind}` is not text")));
            }
        }
    }
    Ok(joined)
}

fn weight(value: Option<&Value>, field: &str) -> Result<Option<bool>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => Ok(Some(false)),
        Some(Value::Number(number)) if number.as_f64() == Some(1.0) => Ok(Some(true)),
        Some(Value::Number(number)) => Err(Fault::at(field, format!("expected 0 or 1, found {number}"))),
        Some(other) => Err(Fault::at(field, format!("expected 0 or 1, found {}", name_of(other)))),
    }
}
