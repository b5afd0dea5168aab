//! Log-probabilities in the two shapes that OpenAI gives them.

use anneal_model::Tokenizer;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::generation::Scored;

/// The text of one token by itself.
pub(crate) fn token_text(tokenizer: &Tokenizer, token: u32) -> String {
    match tokenizer.decode(&[token], false) {
        Ok(text) if !text.contains('\u{fffd}') => text,
        // Part of a character: as OpenAI spells such tokens.
        _ => format!("bytes:{}", tokenizer.id_to_token(token).unwrap_or_else(|| token.to_string())),
    }
}

/// `logprobs` of a chat answer.
pub(crate) fn chat_logprobs(tokenizer: &Tokenizer, tokens: &[Scored]) -> Value {
    let entry = |token: u32, log_probability: Option<f32>| {
        let text = token_text(tokenizer, token);
        json!({ "token": text, "logprob": log_probability, "bytes": text.as_bytes() })
    };
    let content: Vec<Value> = tokens
        .iter()
        .map(|scored| {
            let mut value = entry(scored.token, scored.log_probability);
            value["top_logprobs"] =
                scored.alternatives.iter().map(|&(token, logprob)| entry(token, Some(logprob))).collect();
            value
        })
        .collect();
    json!({ "content": content, "refusal": null })
}

/// `logprobs` of a completion: parallel lists over its tokens.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CompletionLogprobs {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<f32>>,
    top_logprobs: Vec<Option<Map<String, Value>>>,
    text_offset: Vec<usize>,
}

impl CompletionLogprobs {
    /// Lists for tokens whose text begins `offset` characters into the answer.
    pub(crate) fn new(tokenizer: &Tokenizer, tokens: &[Scored], mut offset: usize) -> Self {
        let mut lists = Self::default();
        for scored in tokens {
            let text = token_text(tokenizer, scored.token);
            lists.text_offset.push(offset);
            offset += text.chars().count();
            lists.tokens.push(text);
            lists.token_logprobs.push(scored.log_probability);
            lists.top_logprobs.push(scored.log_probability.map(|_| {
                let pairs = scored
                    .alternatives
                    .iter()
                    .map(|&(token, log)| (token_text(tokenizer, token), json!(log)));
                pairs.collect()
            }));
        }
        lists
    }
}
