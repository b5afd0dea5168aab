//! The scores that a run returned.

use ort::value::DynValue;

use crate::{Error, Result};

enum Scores {
    /// As ONNX Runtime returned them, checked to be f32: no copy.
    Runtime(DynValue),
    /// Widened from half precision.
    Widened(Vec<f32>),
}

/// Logits `[sequence, token, vocabulary]` of one run; padding is hidden from the caller.
pub struct Logits {
    scores: Scores,
    width: usize,
    vocabulary: usize,
    lengths: Vec<usize>,
}

impl Logits {
    pub(crate) fn new(value: DynValue, lengths: Vec<usize>, vocabulary: usize) -> Result<Self> {
        let (scores, shape) = if let Ok((shape, _)) = value.try_extract_tensor::<f32>() {
            let shape = shape.to_vec();
            (Scores::Runtime(value), shape)
        } else {
            let (shape, halves) = value.try_extract_tensor::<half::f16>()?;
            (Scores::Widened(halves.iter().map(|half| half.to_f32()).collect()), shape.to_vec())
        };
        match shape[..] {
            [rows, width, columns] if rows as usize == lengths.len() && columns as usize == vocabulary => {
                Ok(Self { scores, width: width as usize, vocabulary, lengths })
            }
            _ => Err(Error::Runtime(format!(
                "logits of shape {shape:?} for {} sequences and {vocabulary} words",
                lengths.len()
            ))),
        }
    }

    fn all(&self) -> &[f32] {
        match &self.scores {
            Scores::Runtime(value) => {
                value.try_extract_tensor::<f32>().expect("the type was checked in `new`").1
            }
            Scores::Widened(scores) => scores,
        }
    }

    /// Sequences of the batch.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Tokens of `sequence` that were fed in this run.
    ///
    /// # Panics
    /// When there is no such sequence.
    pub fn tokens(&self, sequence: usize) -> usize {
        self.lengths[sequence]
    }

    /// Scores after the `token`-th of the tokens fed for `sequence` in this run.
    ///
    /// # Panics
    /// When there is no such sequence or token.
    pub fn row(&self, sequence: usize, token: usize) -> &[f32] {
        let length = self.lengths[sequence];
        assert!(token < length, "token {token} of a sequence of {length}");
        let start = (sequence * self.width + self.width - length + token) * self.vocabulary;
        &self.all()[start..start + self.vocabulary]
    }

    /// Scores after the last token fed for `sequence`.
    ///
    /// # Panics
    /// When there is no such sequence.
    pub fn last(&self, sequence: usize) -> &[f32] {
        self.row(sequence, self.lengths[sequence] - 1)
    }
}

/// The index of the greatest score, the first of equals; NaN never wins.
pub fn argmax(scores: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &score) in scores.iter().enumerate() {
        if score > best.1 {
            best = (index as u32, score);
        }
    }
    best.0
}
