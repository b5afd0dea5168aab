//! Stanford Alpaca: `instruction, input?, output, system?, history?: [[question, answer]]`.

use serde_json::Value;

use super::{Columns, array, optional_string, string};
use crate::{Conversation, Message, Row, error::Fault};

pub(super) fn chat(columns: &Columns) -> Result<Row, Fault> {
    let mut messages = prompt(columns)?;
    let output = string(&columns["output"], "output")?;
    if output.is_empty() {
        return Err(Fault::at("output", "the answer is empty"));
    }
    messages.push(Message::new("assistant", output));
    Ok(Row::Chat(Conversation { messages, tools: None }))
}

/// System, history and the question: `instruction`, and `"\n" + input` where that is not empty.
pub(super) fn prompt(columns: &Columns) -> Result<Vec<Message>, Fault> {
    let mut messages = Vec::new();
    if let Some(system) = optional_string(columns, "system")? {
        messages.push(Message::new("system", system));
    }
    if let Some(history) = columns.get("history").filter(|value| !value.is_null()) {
        for (index, turn) in array(history, "history")?.iter().enumerate() {
            let field = format!("history[{index}]");
            let [question, answer] = array(turn, &field)? else {
                return Err(Fault::at(field, "expected a question and an answer"));
            };
            messages.push(Message::new("user", string(question, &field)?));
            messages.push(Message::new("assistant", string(answer, &field)?));
        }
    }
    let mut question = string(columns.get("instruction").unwrap_or(&Value::Null), "instruction")?;
    if let Some(input) = optional_string(columns, "input")? {
        question.push('\n');
        question.push_str(&input);
    }
    messages.push(Message::new("user", question));
    Ok(messages)
}
