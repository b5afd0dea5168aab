//! A vocabulary before it is a tokenizer: tokens with their kinds and scores, and which of them frame a sequence.

use serde_json::{Map, Value, json};

/// Kinds of tokens, as SentencePiece and GGUF number them.
pub(super) const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Tokens by id, with what is known of them.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    /// One a token.
    pub(super) kinds: Vec<i64>,
    /// One a token where the vocabulary has scores, else empty.
    pub(super) scores: Vec<f64>,
    pub(super) bos: Option<usize>,
    pub(super) eos: Option<usize>,
    pub(super) unknown: Option<usize>,
    /// Whether encoding puts BOS in front.
    pub(super) add_bos: bool,
    /// Whether encoding puts EOS behind.
    pub(super) add_eos: bool,
    /// Whether a text gets a space in front (SentencePiece's dummy prefix).
    pub(super) space_prefix: bool,
}

impl Vocabulary {
    /// Tokens of which the first `special` are special and the others ordinary; encoding frames nothing.
    pub(super) fn with_special(tokens: Vec<String>, special: usize) -> Self {
        let kinds = (0..tokens.len()).map(|id| if id < special { CONTROL } else { NORMAL }).collect();
        Self { tokens, kinds, ..Self::default() }
    }

    /// Control tokens are special; user-defined ones are matched whole but are ordinary text.
    pub(super) fn added_tokens(&self) -> Vec<Value> {
        self.kinds
            .iter()
            .enumerate()
            .filter(|(id, kind)| matches!(**kind, CONTROL | USER_DEFINED) && !self.tokens[*id].is_empty())
            .map(|(id, &kind)| {
                json!({
                    "id": id, "content": self.tokens[id], "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": kind == CONTROL,
                })
            })
            .collect()
    }

    /// `{token: id}`. A text that occurs twice keeps its first id.
    pub(super) fn vocab(&self) -> Map<String, Value> {
        let mut vocab = Map::with_capacity(self.tokens.len());
        for (id, token) in self.tokens.iter().enumerate() {
            vocab.entry(token.clone()).or_insert_with(|| json!(id));
        }
        vocab
    }

    /// The post-processor that adds BOS and EOS; `None` when neither is added.
    pub(super) fn template(&self) -> Option<Value> {
        let bos = self.bos.filter(|_| self.add_bos);
        let eos = self.eos.filter(|_| self.add_eos);
        if bos.is_none() && eos.is_none() {
            return None;
        }
        let special = |id: usize, kind: u8| json!({"SpecialToken": {"id": self.tokens[id], "type_id": kind}});
        let (mut single, mut pair, mut table) = (Vec::new(), Vec::new(), Map::new());
        for (kind, sequence) in [(0, "A"), (1, "B")] {
            let mut part = Vec::new();
            part.extend(bos.map(|id| special(id, kind)));
            part.push(json!({"Sequence": {"id": sequence, "type_id": kind}}));
            part.extend(eos.map(|id| special(id, kind)));
            if kind == 0 {
                single.clone_from(&part);
            }
            pair.extend(part);
        }
        for id in [bos, eos].into_iter().flatten() {
            let token = &self.tokens[id];
            table.insert(token.clone(), json!({"id": token, "ids": [id], "tokens": [token]}));
        }
        Some(json!({
            "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": table,
        }))
    }
}
