//! Two answers to one prompt: TRL, OpenAI, Alpaca and ShareGPT column names.

use serde_json::Value;

use super::{Columns, alpaca as alpaca_rows, messages, object, sharegpt as sharegpt_rows, string, tools};
use crate::{Message, Preference, Row, error::Fault};

/// `prompt?, chosen, rejected`: strings or message lists; without a prompt, what both answers begin with is the prompt.
pub(super) fn trl(columns: &Columns) -> Result<Row, Fault> {
    let (chosen, rejected) = (&columns["chosen"], &columns["rejected"]);
    let prompt = columns.get("prompt").filter(|prompt| !prompt.is_null());
    if chosen.is_string() || rejected.is_string() {
        return strings(prompt, chosen, rejected);
    }
    let (chosen, rejected) = (messages::list(chosen, "chosen")?, messages::list(rejected, "rejected")?);
    let (prompt, chosen, rejected) = match prompt {
        Some(prompt) if prompt.is_array() => (messages::list(prompt, "prompt")?, chosen, rejected),
        // A string prompt beside message lists only repeats their first turn (TRL drops it as well).
        _ => shared(chosen, rejected)?,
    };
    pair(Preference { prompt, chosen, rejected, tools: tools(columns)?, plain: false })
}

fn strings(prompt: Option<&Value>, chosen: &Value, rejected: &Value) -> Result<Row, Fault> {
    let (chosen, rejected) = (string(chosen, "chosen")?, string(rejected, "rejected")?);
    let (prompt, chosen, rejected) = match prompt {
        Some(prompt) => (string(prompt, "prompt")?, chosen, rejected),
        None => shared_text(&chosen, &rejected)?,
    };
    let answer = |text| vec![Message::new("assistant", text)];
    let prompt = vec![Message::new("user", prompt)];
    pair(Preference { prompt, chosen: answer(chosen), rejected: answer(rejected), tools: None, plain: true })
}

/// TRL's `extract_prompt` for strings: the common prefix, without a space that ends it.
fn shared_text(chosen: &str, rejected: &str) -> Result<(String, String, String), Fault> {
    let same = chosen.chars().zip(rejected.chars()).take_while(|(a, b)| a == b);
    let mut length: usize = same.map(|(a, _)| a.len_utf8()).sum();
    if chosen[..length].ends_with(' ') {
        length -= 1;
    }
    if length == 0 {
        return Err(Fault::at(
            "prompt",
            "there is none, and `chosen` and `rejected` begin with nothing in common",
        ));
    }
    Ok((chosen[..length].to_owned(), chosen[length..].to_owned(), rejected[length..].to_owned()))
}

type Turns = Vec<Message>;

/// The turns that both lists begin with, and the rest of each.
fn shared(mut chosen: Turns, mut rejected: Turns) -> Result<(Turns, Turns, Turns), Fault> {
    let length = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
    if length == 0 {
        return Err(Fault::at(
            "prompt",
            "there is none, and `chosen` and `rejected` begin with no turn in common",
        ));
    }
    let (chosen_rest, rejected_rest) = (chosen.split_off(length), rejected.split_off(length));
    Ok((chosen, chosen_rest, rejected_rest))
}

/// `input: {messages, tools}, preferred_output, non_preferred_output`.
pub(super) fn openai(columns: &Columns) -> Result<Row, Fault> {
    let input = object(&columns["input"], "input")?;
    let prompt = messages::list(input.get("messages").unwrap_or(&Value::Null), "input.messages")?;
    pair(Preference {
        prompt,
        chosen: messages::list(&columns["preferred_output"], "preferred_output")?,
        rejected: messages::list(&columns["non_preferred_output"], "non_preferred_output")?,
        tools: tools(input)?,
        plain: false,
    })
}

/// `instruction, input?, chosen, rejected` with strings for answers.
pub(super) fn alpaca(columns: &Columns) -> Result<Row, Fault> {
    let answer = |field: &str| -> Result<_, Fault> {
        Ok(vec![Message::new("assistant", string(&columns[field], field)?)])
    };
    pair(Preference {
        prompt: alpaca_rows::prompt(columns)?,
        chosen: answer("chosen")?,
        rejected: answer("rejected")?,
        ..Preference::default()
    })
}

/// `conversations` with `chosen: {from, value}` and `rejected: {from, value}`.
pub(super) fn sharegpt(columns: &Columns) -> Result<Row, Fault> {
    pair(Preference {
        prompt: sharegpt_rows::conversation(columns)?,
        chosen: vec![sharegpt_rows::message(&columns["chosen"], "chosen")?],
        rejected: vec![sharegpt_rows::message(&columns["rejected"], "rejected")?],
        tools: tools(columns)?,
        plain: false,
    })
}

/// Both sides must be an answer of the assistant.
fn pair(pair: Preference) -> Result<Row, Fault> {
    for (field, side) in [("chosen", &pair.chosen), ("rejected", &pair.rejected)] {
        match side.last() {
            None => return Err(Fault::at(field, "the answer is empty: both sides say the same")),
            Some(last) if last.role != "assistant" => {
                return Err(Fault::at(
                    field,
                    format!("the last turn is `{}`, not the assistant's", last.role),
                ));
            }
            Some(last) if last.content.is_empty() && last.tool_calls.is_none() => {
                return Err(Fault::at(field, "the answer is empty"));
            }
            Some(_) => {}
        }
    }
    Ok(Row::Preference(pair))
}
