//! A turn of a conversation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One message. Content is a text, a list of parts, or null beside tool calls; other fields reach the template as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool` or what the template knows.
    pub role: String,
    /// Usually a text.
    #[serde(default)]
    pub content: Value,
    /// `tool_calls`, `name`, `reasoning_content` and the like.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message of plain text.
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self { role: role.into(), content: Value::String(text.into()), extra: Map::new() }
    }
}
