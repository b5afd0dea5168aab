//! ShareGPT: `conversations: [{from: human|gpt|system|function_call|observation, value}], system?, tools?`.

use serde_json::{Value, json};

use super::{Columns, array, object, optional_string, string, tools};
use crate::{Conversation, Message, Row, error::Fault};

pub(super) fn chat(columns: &Columns) -> Result<Row, Fault> {
    let messages = conversation(columns)?;
    if !messages.iter().any(|message| message.role == "assistant") {
        return Err(Fault::at("conversations", "no turn is `gpt`: nothing can be learnt from the row"));
    }
    Ok(Row::Chat(Conversation { messages, tools: tools(columns)? }))
}

/// The turns, after the row's own `system` text.
pub(super) fn conversation(columns: &Columns) -> Result<Vec<Message>, Fault> {
    let turns = array(&columns["conversations"], "conversations")?;
    if turns.is_empty() {
        return Err(Fault::at("conversations", "the list is empty"));
    }
    let system = optional_string(columns, "system")?.map(|text| Message::new("system", text));
    let mut messages: Vec<_> = system.into_iter().collect();
    for (index, turn) in turns.iter().enumerate() {
        messages.push(message(turn, &format!("conversations[{index}]"))?);
    }
    Ok(messages)
}

pub(super) fn message(value: &Value, field: &str) -> Result<Message, Fault> {
    let turn = object(value, field)?;
    let from = string(turn.get("from").unwrap_or(&Value::Null), &format!("{field}.from"))?;
    let content = string(turn.get("value").unwrap_or(&Value::Null), &format!("{field}.value"))?;
    let role = match from.as_str() {
        "human" | "user" => "user",
        "gpt" | "assistant" | "function_call" => "assistant",
        "system" => "system",
        "observation" | "tool" => "tool",
        other => {
            let reason = format!(
                "unknown speaker `{other}`: expected human, gpt, system, function_call or observation"
            );
            return Err(Fault::at(format!("{field}.from"), reason));
        }
    };
    let tool_calls = if from == "function_call" { Some(calls(&content, field)?) } else { None };
    Ok(Message { tool_calls, ..Message::new(role, content) })
}

/// `{"name", "arguments"}`, or a list of them, in OpenAI's shape. The text stays the message's content for templates
/// that know no tool calls.
fn calls(text: &str, field: &str) -> Result<Value, Fault> {
    let wrong = || Fault::at(format!("{field}.value"), "a function call is JSON with `name` and `arguments`");
    let parsed: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let list = if let Value::Array(list) = parsed { list } else { vec![parsed] };
    let calls: Option<Vec<_>> = list
        .into_iter()
        .map(|call| {
            call.get("name").and_then(Value::as_str)?;
            call.get("arguments")?;
            Some(json!({"type": "function", "function": call}))
        })
        .collect();
    calls.map(Value::Array).ok_or_else(wrong)
}
