//! Text to token ids and back: `tokenizer.json`, SentencePiece's `tokenizer.model`, or the vocabulary of a GGUF file; and
//! tokenizers learnt from text.

mod bpe;
mod from_folder;
mod from_gguf;
mod pre_tokenizer;
mod save;
mod sentencepiece;
mod spm;
pub mod train;
mod vocabulary;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use words::{Merges, Words};

/// A model's tokenizer with the names of its special tokens. Cheap to share; encoding needs no exclusive access.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    /// Where a text can be encoded word by word.
    words: Option<Arc<Words>>,
    special: SpecialTokens,
    /// `tokenizer_config.json` as it was read, to be written back.
    config: Map<String, Value>,
}

/// The special tokens' texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Beginning of sequence.
    pub bos: Option<String>,
    /// End of sequence.
    pub eos: Option<String>,
    /// Padding.
    pub pad: Option<String>,
    /// Unknown.
    pub unk: Option<String>,
}

impl Tokenizer {
    fn new(
        Parsed { mut inner, merges }: Parsed,
        special: SpecialTokens,
        config: Map<String, Value>,
    ) -> Result<Self> {
        // Truncation and padding are the caller's business; a file's own settings would silently shorten rows.
        inner.with_truncation(None).map_err(|e| Error::Tokenizer(e.to_string()))?;
        inner.with_padding(None);
        let words = Words::of(&inner, merges).map(Arc::new);
        Ok(Self { inner: Arc::new(inner), words, special, config })
    }

    /// A tokenizer from the text of a `tokenizer.json`.
    pub fn from_json(json: &str, special: SpecialTokens) -> Result<Self> {
        Self::new(parse(json.as_bytes())?, special, Map::new())
    }

    /// Ids of a text; special tokens written in it are recognised. `add_special` adds those of the post-processor
    /// (such as a leading BOS).
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        guarded(|| match &self.words {
            Some(words) => words.encode(&self.inner, text, add_special),
            None => Ok(self.inner.encode_fast(text, add_special)?.get_ids().to_vec()),
        })
    }

    /// Ids of many texts, in parallel.
    pub fn encode_batch(&self, texts: &[&str], add_special: bool) -> Result<Vec<Vec<u32>>> {
        texts.par_iter().map(|text| self.encode(text, add_special)).collect()
    }

    /// The text of ids.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        guarded(|| self.inner.decode(ids, skip_special))
    }

    /// The id of a token's text.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The text of an id as the vocabulary spells it.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Number of ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Names of the special tokens.
    pub fn special(&self) -> &SpecialTokens {
        &self.special
    }

    /// Id of the beginning-of-sequence token.
    pub fn bos_id(&self) -> Option<u32> {
        self.id_of(self.special.bos.as_ref())
    }

    /// Id of the end-of-sequence token.
    pub fn eos_id(&self) -> Option<u32> {
        self.id_of(self.special.eos.as_ref())
    }

    /// Id of the padding token.
    pub fn pad_id(&self) -> Option<u32> {
        self.id_of(self.special.pad.as_ref())
    }

    fn id_of(&self, token: Option<&String>) -> Option<u32> {
        token.and_then(|t| self.token_to_id(t))
    }

    /// The tokenizer library's own object.
    pub fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }
}

/// A `tokenizer.json` that was read.
struct Parsed {
    inner: tokenizers::Tokenizer,
    merges: Option<Merges>,
}

fn parse(json: &[u8]) -> Result<Parsed> {
    std::thread::scope(|scope| {
        let merges = scope.spawn(|| Merges::read(json));
        let inner = guarded(|| tokenizers::Tokenizer::from_bytes(json))?;
        Ok(Parsed { inner, merges: merges.join().ok().flatten() })
    })
}

/// The regular-expression engine panics when a pattern backtracks without end; that is the tokenizer's fault, not ours.
fn guarded<T>(f: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|e| Error::Tokenizer(e.to_string())),
        Err(_) => Err(Error::Tokenizer(
            "a pattern of this tokenizer cannot be matched (it may backtrack without end)".to_owned(),
        )),
    }
}
