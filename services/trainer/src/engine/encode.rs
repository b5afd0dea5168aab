//! From pieces of text to token sequences: truncation, and what cannot be learnt from.

use anneal_model::Tokenizer;

use super::{
    render::{Pieces, Rendered},
    tokens::Sequence,
};

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encoded {
    /// One sequence; `truncated` where tokens were cut off.
    One { sequence: Sequence, truncated: bool },
    /// Two sequences with one beginning.
    Pair { chosen: Sequence, rejected: Sequence, truncated: bool },
    /// Left out: nothing within the sequence length carries loss.
    Dropped(&'static str),
}

/// Turns pieces into tokens.
pub(crate) struct Encoder<'a> {
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) eos: Option<u32>,
    /// `None` keeps whole documents: pretraining cuts its own chunks.
    pub(crate) max_length: Option<usize>,
}

impl Encoder<'_> {
    /// The tokens of a row.
    ///
    /// # Errors
    /// The tokenizer cannot encode the text.
    pub(crate) fn encode(&self, rendered: &Rendered) -> Result<Encoded, anneal_model::Error> {
        match rendered {
            Rendered::One(pieces) => {
                let mut sequence = self.sequence(pieces)?;
                let truncated = self.max_length.is_some_and(|length| sequence.truncate(length));
                if sequence.targets() == 0 && self.max_length.is_some() {
                    return Ok(Encoded::Dropped("no token within the sequence length carries loss"));
                }
                Ok(Encoded::One { sequence, truncated })
            }
            Rendered::Pair { chosen, rejected } => self.pair(chosen, rejected),
        }
    }

    fn pair(&self, chosen: &Pieces, rejected: &Pieces) -> Result<Encoded, anneal_model::Error> {
        let (mut chosen, mut rejected) = (self.sequence(chosen)?, self.sequence(rejected)?);
        let prompt = chosen.loss.iter().take_while(|&&loss| !loss).count();
        let Some(length) = self.max_length else { unreachable!("pairs have a sequence length") };
        if prompt >= length {
            return Ok(Encoded::Dropped("the prompt alone fills the sequence length"));
        }
        let truncated = chosen.truncate(length) | rejected.truncate(length);
        if chosen.targets() == 0 || rejected.targets() == 0 {
            return Ok(Encoded::Dropped("no token within the sequence length carries loss"));
        }
        Ok(Encoded::Pair { chosen, rejected, truncated })
    }

    fn sequence(&self, pieces: &Pieces) -> Result<Sequence, anneal_model::Error> {
        let mut sequence = Sequence::default();
        for (index, piece) in pieces.pieces.iter().enumerate() {
            let special = pieces.plain && index == 0;
            if piece.text.is_empty() && !special {
                continue;
            }
            sequence.extend(&self.tokenizer.encode(&piece.text, special)?, piece.loss);
        }
        if let Some(eos) = self.eos.filter(|_| pieces.plain) {
            sequence.extend(&[eos], true);
        }
        Ok(sequence)
    }
}
