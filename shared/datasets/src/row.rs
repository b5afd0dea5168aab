//! A typed row of a dataset.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One row of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// A document.
    Text(String),
    /// A conversation, rendered by the model's chat template.
    Chat(Conversation),
    /// Plain text with a boundary: no chat template is applied (TRL's rule for strings).
    PromptCompletion {
        /// What is given.
        prompt: String,
        /// What is learnt.
        completion: String,
    },
    /// Two answers to one prompt.
    Preference(Preference),
    /// Free columns.
    Record(Map<String, Value>),
}

impl Row {
    /// Characters of text in the row.
    pub fn characters(&self) -> u64 {
        let of =
            |messages: &[Message]| messages.iter().map(|m| m.content.chars().count() as u64).sum::<u64>();
        match self {
            Self::Text(text) => text.chars().count() as u64,
            Self::Chat(chat) => of(&chat.messages),
            Self::PromptCompletion { prompt, completion } => {
                (prompt.chars().count() + completion.chars().count()) as u64
            }
            Self::Preference(pair) => of(&pair.prompt) + of(&pair.chosen) + of(&pair.rejected),
            Self::Record(map) => {
                map.values().filter_map(Value::as_str).map(|s| s.chars().count() as u64).sum()
            }
        }
    }
}

/// Messages in turn, and the tools that were offered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The turns.
    pub messages: Vec<Message>,
    /// Tool definitions for the chat template: a JSON array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Value>,
}

/// One turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Its text; text parts are joined.
    pub content: String,
    /// `false` takes an assistant turn out of the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<bool>,
    /// Calls the assistant makes: a JSON array in OpenAI's shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Value>,
    /// The call that a `tool` turn answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The speaker's or tool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Message {
    /// A turn of plain text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), ..Self::default() }
    }
}

/// Two answers to one prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// The turns before the answer.
    pub prompt: Vec<Message>,
    /// The preferred answer.
    pub chosen: Vec<Message>,
    /// The other one.
    pub rejected: Vec<Message>,
    /// Tool definitions for the chat template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Value>,
    /// The row was plain strings: one message each, joined without a chat template (TRL's rule for strings).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
}
