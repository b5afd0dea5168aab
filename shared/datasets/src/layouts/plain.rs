//! `prompt, completion`: strings stay plain text, message lists become a conversation with loss on the completion.

use super::{Columns, messages, string, tools};
use crate::{Conversation, Message, Row, error::Fault};

pub(super) fn prompt_completion(columns: &Columns) -> Result<Row, Fault> {
    let (prompt, completion) = (&columns["prompt"], &columns["completion"]);
    if !(prompt.is_array() || completion.is_array()) {
        let completion = string(completion, "completion")?;
        if completion.is_empty() {
            return Err(Fault::at("completion", "the completion is empty"));
        }
        return Ok(Row::PromptCompletion { prompt: string(prompt, "prompt")?, completion });
    }
    let prompt = messages::list(prompt, "prompt")?;
    let completion = messages::list(completion, "completion")?;
    if completion.iter().all(|message| message.role != "assistant") {
        return Err(Fault::at("completion", "no message is the assistant's"));
    }
    let given = prompt.into_iter().map(|message| Message { weight: Some(false), ..message });
    Ok(Row::Chat(Conversation { messages: given.chain(completion).collect(), tools: tools(columns)? }))
}
