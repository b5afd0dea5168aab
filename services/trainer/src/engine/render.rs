//! From a row to pieces of text, each of which carries loss or does not.
//!
//! The rendered conversation is cut where loss begins and ends; each piece is tokenised alone.

use anneal_contracts::engine::LossOn;
use anneal_datasets::{Conversation, Message, Preference, Row};
use anneal_model::{ChatTemplate, RenderOptions};
use serde_json::{Value, json};

/// A stretch of text that carries loss, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) loss: bool,
}

/// A row as pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rendered {
    /// One text.
    One(Pieces),
    /// Two texts with one beginning: `prompt` pieces open both.
    Pair { chosen: Pieces, rejected: Pieces },
}

/// One text cut into pieces.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    /// Plain text: the tokenizer's own special tokens go in front, the end-of-sequence token behind.
    pub(crate) plain: bool,
}

/// Renders rows of one run.
pub(crate) struct Renderer<'a> {
    template: Option<&'a ChatTemplate>,
    loss_on: LossOn,
    calls_known: bool,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(template: Option<&'a ChatTemplate>, loss_on: LossOn) -> Self {
        let calls_known = template.is_some_and(|template| template.source().contains("tool_calls"));
        Self { template, loss_on, calls_known }
    }

    /// The pieces of a row, or why it has none.
    pub(crate) fn render(&self, row: &Row) -> Result<Rendered, String> {
        match row {
            Row::Text(text) => Ok(Rendered::One(Pieces { pieces: vec![piece(text, true)], plain: true })),
            Row::Chat(chat) => Ok(Rendered::One(self.chat(chat)?)),
            Row::PromptCompletion { prompt, completion } => {
                let pieces = vec![piece(prompt, self.loss_on == LossOn::All), piece(completion, true)];
                Ok(Rendered::One(Pieces { pieces, plain: true }))
            }
            Row::Preference(pair) => self.pair(pair),
            Row::Record(_) => Err("a row of free columns cannot be trained on".to_owned()),
        }
    }

    /// The loss falls on what the template writes for an assistant's turn after the generation prompt: the answer, its
    /// end-of-turn token and what follows it.
    fn chat(&self, chat: &Conversation) -> Result<Pieces, String> {
        let messages = self.messages(&chat.messages);
        let full = self.text(&messages, false, chat.tools.as_ref())?;
        if self.loss_on == LossOn::All {
            return Ok(Pieces { pieces: vec![piece(&full, true)], plain: false });
        }
        let turns = chat.messages.iter().enumerate().filter(|(_, message)| message.role == "assistant");
        let mut turns: Vec<usize> = turns.map(|(index, _)| index).collect();
        if self.loss_on == LossOn::Completion {
            turns.drain(..turns.len().saturating_sub(1));
        }
        turns.retain(|&index| chat.messages[index].weight != Some(false));
        let (mut pieces, mut cut) = (Vec::new(), 0);
        for index in turns {
            let start = self.text(&messages[..index], true, chat.tools.as_ref())?;
            let end = self.text(&messages[..=index], false, chat.tools.as_ref())?;
            let answer = answer(&full, &start, &end, cut)?;
            pieces.push(piece(&full[cut..answer.start], false));
            pieces.push(piece(&full[answer.clone()], true));
            cut = answer.end;
        }
        pieces.push(piece(&full[cut..], false));
        Ok(Pieces { pieces, plain: false })
    }

    /// All of a completion carries loss, whatever turns it has.
    fn pair(&self, pair: &Preference) -> Result<Rendered, String> {
        if pair.plain {
            let text =
                |side: &[Message]| side.iter().map(|message| message.content.as_str()).collect::<String>();
            let prompt = text(&pair.prompt);
            let side = |side: &[Message]| Pieces {
                pieces: vec![piece(&prompt, false), piece(&text(side), true)],
                plain: true,
            };
            return Ok(Rendered::Pair { chosen: side(&pair.chosen), rejected: side(&pair.rejected) });
        }
        let tools = pair.tools.as_ref();
        let prompt = self.text(&self.messages(&pair.prompt), true, tools)?;
        let side = |side: &[Message]| -> Result<Pieces, String> {
            let messages: Vec<Message> = pair.prompt.iter().chain(side).cloned().collect();
            let full = self.text(&self.messages(&messages), false, tools)?;
            let answer = answer(&full, &prompt, &full, 0)?;
            Ok(Pieces { pieces: vec![piece(&prompt, false), piece(&full[answer], true)], plain: false })
        };
        Ok(Rendered::Pair { chosen: side(&pair.chosen)?, rejected: side(&pair.rejected)? })
    }

    fn text(
        &self,
        messages: &[anneal_model::Message],
        generation_prompt: bool,
        tools: Option<&Value>,
    ) -> Result<String, String> {
        let Some(template) = self.template else {
            return Err("the model has no chat template: conversations cannot be rendered".to_owned());
        };
        let options =
            RenderOptions { tools: tools.cloned(), ..RenderOptions::generation_prompt(generation_prompt) };
        template.render(messages, &options).map_err(|error| error.to_string())
    }

    fn messages(&self, messages: &[Message]) -> Vec<anneal_model::Message> {
        messages.iter().map(|message| self.message(message)).collect()
    }

    /// Tool calls reach templates that know them; the others get their text.
    fn message(&self, message: &Message) -> anneal_model::Message {
        let mut out = anneal_model::Message::new(&message.role, &message.content);
        let mut put = |name: &str, value: Value| {
            out.extra.insert(name.to_owned(), value);
        };
        if let Some(id) = &message.tool_call_id {
            put("tool_call_id", json!(id));
        }
        if let Some(name) = &message.name {
            put("name", json!(name));
        }
        if let Some(calls) = &message.tool_calls {
            if self.calls_known {
                put("tool_calls", calls.clone());
                // A call given as text (ShareGPT) would be written twice.
                if serde_json::from_str::<Value>(&message.content).is_ok_and(|content| !content.is_null()) {
                    out.content = Value::String(String::new());
                }
            } else if message.content.is_empty() {
                out.content = Value::String(calls.to_string());
            }
        }
        out
    }
}

fn piece(text: &str, loss: bool) -> Piece {
    Piece { text: text.to_owned(), loss }
}

/// Where in `full` the turn lies that `start` opens and `end` closes.
fn answer(full: &str, start: &str, end: &str, cut: usize) -> Result<std::ops::Range<usize>, String> {
    if full.starts_with(end) && end.starts_with(start) && start.len() >= cut {
        return Ok(start.len()..end.len());
    }
    Err("the chat template changes earlier turns when later ones follow: loss cannot be placed".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                          {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    fn loss_text(loss_on: LossOn, weight: Option<bool>) -> (String, String) {
        let template = ChatTemplate::new(CHATML, serde_json::Map::new()).unwrap();
        let mut messages: Vec<Message> =
            [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
                .map(|(role, text)| Message::new(role, text))
                .into();
        messages[3].weight = weight;
        let row = Row::Chat(Conversation { messages, tools: None });
        let Rendered::One(pieces) = Renderer::new(Some(&template), loss_on).render(&row).unwrap() else {
            panic!()
        };
        let with_loss = pieces.pieces.iter().filter(|p| p.loss).map(|p| p.text.as_str()).collect();
        (pieces.pieces.iter().map(|p| p.text.as_str()).collect(), with_loss)
    }

    #[test]
    fn loss_falls_on_the_turns_asked_for() {
        let (full, loss) = loss_text(LossOn::Assistant, None);
        assert_eq!(loss, "b<|im_end|>\nd<|im_end|>\n");
        assert!(full.ends_with("<|im_start|>assistant\nd<|im_end|>\n"));
        assert_eq!(loss_text(LossOn::Completion, None).1, "d<|im_end|>\n");
        assert_eq!(loss_text(LossOn::Assistant, Some(false)).1, "b<|im_end|>\n");
        let (full, loss) = loss_text(LossOn::All, None);
        assert_eq!(full, loss);
    }

    #[test]
    fn a_template_that_rewrites_history_is_refused() {
        let text = "{% for m in messages %}{{ loop.length }}{{ m.content }}{% endfor %}";
        let template = ChatTemplate::new(text, serde_json::Map::new()).unwrap();
        let messages = vec![Message::new("user", "a"), Message::new("assistant", "b")];
        let row = Row::Chat(Conversation { messages, tools: None });
        assert!(Renderer::new(Some(&template), LossOn::Assistant).render(&row).is_err());
    }
}
