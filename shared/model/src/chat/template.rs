//! A parsed template and what it is rendered with.

use std::path::Path;

use minijinja::Environment;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::environment::environment;
use super::message::Message;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::json_file;

const TEMPLATE_LIMIT_BYTES: u64 = 4 << 20;
const NAME: &str = "chat_template";

/// A model's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and the other special tokens, which templates print.
    tokens: Map<String, Value>,
}

/// What a rendering depends on besides the messages.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// End with the beginning of an assistant's turn.
    pub add_generation_prompt: bool,
    /// Tool definitions, a JSON list.
    pub tools: Option<Value>,
    /// Further variables, such as `enable_thinking` or `documents`.
    pub variables: Map<String, Value>,
    /// What `strftime_now` prints. Without it a fixed day (26 July 2024, the day Llama's own templates fall back to), so
    /// that training text never depends on when it is rendered.
    pub now: Option<OffsetDateTime>,
}

impl RenderOptions {
    /// With or without the generation prompt, nothing else.
    pub fn generation_prompt(add_generation_prompt: bool) -> Self {
        Self { add_generation_prompt, ..Self::default() }
    }
}

impl ChatTemplate {
    /// Parses a template. `tokens` are the special tokens by name (`bos_token`, …).
    pub fn new(source: impl Into<String>, tokens: Map<String, Value>) -> Result<Self> {
        let source = source.into();
        let mut environment = environment();
        environment.add_template_owned(NAME, super::source::prepare(&source)).map_err(|e| failure(&e))?;
        Ok(Self { source, environment, tokens })
    }

    /// The template of a Hugging Face folder: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json`.
    pub fn from_folder(folder: &Path) -> Result<Option<Self>> {
        let config_path = folder.join("tokenizer_config.json");
        let config: Map<String, Value> = if config_path.is_file() {
            json_file::read(&config_path, TEMPLATE_LIMIT_BYTES * 8)?
        } else {
            Map::new()
        };
        let tokens = special_tokens(&config);
        let file = folder.join("chat_template.jinja");
        if file.is_file() {
            let source = json_file::read_text(&file, TEMPLATE_LIMIT_BYTES)?;
            return Self::new(source, tokens).map(Some);
        }
        match config.get("chat_template") {
            Some(Value::String(source)) => Self::new(source.clone(), tokens).map(Some),
            Some(Value::Array(named)) => match default_template(named) {
                Some(source) => Self::new(source, tokens).map(Some),
                None => Err(Error::Template("tokenizer_config.json names no `default` template".to_owned())),
            },
            _ => Ok(None),
        }
    }

    /// The template in a GGUF file's metadata.
    pub fn from_gguf(gguf: &Gguf) -> Result<Option<Self>> {
        let Some(source) = gguf.get("tokenizer.chat_template").and_then(crate::gguf::Value::as_str) else {
            return Ok(None);
        };
        let texts = gguf.get("tokenizer.ggml.tokens").and_then(crate::gguf::Value::as_texts);
        let mut tokens = Map::new();
        for (name, key) in
            [("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"), ("unk_token", "unknown")]
        {
            let id = gguf.get(&format!("tokenizer.ggml.{key}_token_id")).and_then(crate::gguf::Value::as_u64);
            if let Some(text) = id.and_then(|id| texts?.get(usize::try_from(id).ok()?)) {
                tokens.insert(name.to_owned(), json!(text));
            }
        }
        Self::new(source, tokens).map(Some)
    }

    /// The Jinja source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of a conversation.
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        let messages = serde_json::to_value(messages).map_err(|e| Error::Template(e.to_string()))?;
        let mut context = self.tokens.clone();
        context.insert("messages".to_owned(), messages);
        context.insert("add_generation_prompt".to_owned(), json!(options.add_generation_prompt));
        context.insert("tools".to_owned(), options.tools.clone().unwrap_or(Value::Null));
        context.entry("documents").or_insert(Value::Null);
        context.extend(options.variables.clone());
        self.render_context(&context, options.now)
    }

    /// The text of any context; [`Self::render`] is the way for conversations.
    pub fn render_context(
        &self,
        context: &Map<String, Value>,
        now: Option<OffsetDateTime>,
    ) -> Result<String> {
        super::environment::render(&self.environment, NAME, context, now).map_err(|e| failure(&e))
    }
}

/// The message with its line; internals of the engine are left out.
fn failure(error: &minijinja::Error) -> Error {
    let mut text = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    if let Some(line) = error.line() {
        text = format!("line {line}: {text}");
    }
    Error::Template(text)
}

fn default_template(named: &[Value]) -> Option<String> {
    named
        .iter()
        .find(|t| t.get("name").and_then(Value::as_str) == Some("default"))
        .and_then(|t| t.get("template").and_then(Value::as_str))
        .map(str::to_owned)
}

fn special_tokens(config: &Map<String, Value>) -> Map<String, Value> {
    ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token"]
        .into_iter()
        .filter_map(|key| {
            let value = config.get(key)?;
            let text = value.as_str().or_else(|| value.get("content").and_then(Value::as_str))?;
            Some((key.to_owned(), json!(text)))
        })
        .collect()
}
