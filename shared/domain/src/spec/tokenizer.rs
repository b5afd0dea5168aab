//! The tokenizer of a model that is pretrained from nothing.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::field_error::FieldErrors;

/// Where the tokenizer comes from; without this it is the architecture's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizerOptions {
    /// Learn one from the training rows.
    pub train: TrainTokenizer,
}

/// A byte-level BPE tokenizer, learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainTokenizer {
    /// Tokens, the 256 bytes and the special ones among them; fewer where the rows are too few.
    pub vocab_size: usize,
}

impl TrainTokenizer {
    /// Sizes that can be asked for.
    pub const SIZES: RangeInclusive<usize> = 512..=262_144;
}

impl TokenizerOptions {
    pub(super) fn check(self, errors: &mut FieldErrors) {
        errors.require(
            TrainTokenizer::SIZES.contains(&self.train.vocab_size),
            "spec.tokenizer.train.vocab_size",
            "must be 512 to 262144 tokens",
        );
    }
}
