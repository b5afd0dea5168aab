//! Calibration and validation text: from rows of any dataset kind to token sequences.

use std::path::Path;

use anneal_datasets::{Message, Reader, Row};
use anneal_model::{ChatTemplate, RenderOptions, Tokenizer};

use super::error::{Error, Result};

/// Rows of a dataset as text.
pub(crate) struct Texts<'a> {
    pub(crate) path: &'a Path,
    /// The spec field that named it.
    pub(crate) field: &'a str,
    pub(crate) template: Option<&'a ChatTemplate>,
}

impl Texts<'_> {
    /// Calls `each` with every row's text until it returns false. A broken row is an error that names its line.
    pub(crate) fn for_each(&self, mut each: impl FnMut(String) -> Result<bool>) -> Result<()> {
        let reader = Reader::open(self.path, None, None)
            .map_err(|error| Error::spec(self.field, error.to_string()))?;
        for row in reader {
            let (_, row) = row.map_err(|error| {
                Error::spec(
                    self.field,
                    format!("{} line {}: {}", self.path.display(), error.line, error.reason),
                )
            })?;
            if !each(self.text(row)?)? {
                break;
            }
        }
        Ok(())
    }

    fn text(&self, row: Row) -> Result<String> {
        Ok(match row {
            Row::Text(text) => text,
            Row::Chat(conversation) => self.chat(&conversation.messages)?,
            Row::PromptCompletion { prompt, completion, .. } => format!("{prompt}{completion}"),
            Row::Preference(pair) => self.chat(&[pair.prompt, pair.chosen].concat())?,
            Row::Record(record) => {
                let words = record.into_iter().filter_map(|(_, value)| match value {
                    serde_json::Value::String(text) => Some(text),
                    _ => None,
                });
                words.collect::<Vec<_>>().join("\n")
            }
        })
    }

    fn chat(&self, messages: &[Message]) -> Result<String> {
        match self.template {
            Some(template) => {
                let messages: Vec<anneal_model::Message> =
                    messages.iter().map(|m| anneal_model::Message::new(&m.role, &m.content)).collect();
                Ok(template.render(&messages, &RenderOptions::default())?)
            }
            None => {
                Ok(messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// One sequence a row, each of at most `length` tokens, `count` of them; shorter than eight tokens is no sequence.
pub(crate) fn sequences(
    texts: &Texts,
    tokenizer: &Tokenizer,
    count: usize,
    length: usize,
) -> Result<Vec<Vec<u32>>> {
    let mut found = Vec::new();
    // Lines of plain text are often short: they are joined until a sequence is full.
    let mut pending: Vec<u32> = Vec::new();
    texts.for_each(|text| {
        pending.extend(tokenizer.encode(&text, false)?);
        if pending.len() >= length.min(64) {
            pending.truncate(length);
            found.push(std::mem::take(&mut pending));
        }
        Ok(found.len() < count)
    })?;
    if found.len() < count && pending.len() >= 8 {
        found.push(pending);
    }
    Ok(found)
}

/// Consecutive windows of `length` tokens of the whole text, `count` of them at most; the last may be shorter.
pub(crate) fn windows(
    texts: &Texts,
    tokenizer: &Tokenizer,
    count: usize,
    length: usize,
) -> Result<Vec<Vec<u32>>> {
    let (mut text, mut first) = (String::new(), true);
    // Four bytes a token are rare; a little more text than needed is harmless.
    let enough = count * length * 12;
    texts.for_each(|row| {
        if !std::mem::take(&mut first) {
            text.push('\n');
        }
        text.push_str(&row);
        Ok(text.len() < enough)
    })?;
    let tokens = tokenizer.encode(&text, false)?;
    Ok(tokens.chunks(length).take(count).filter(|window| window.len() >= 2).map(<[u32]>::to_vec).collect())
}
