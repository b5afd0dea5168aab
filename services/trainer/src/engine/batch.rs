//! Sequences laid end to end for one forward pass: no padding.

use anneal_kernels::{IGNORE, Segments};

use super::{Result, tokens::Sequence};

/// The sequences of one forward pass.
pub(crate) struct MicroBatch {
    pub(crate) tokens: Vec<u32>,
    pub(crate) segments: Segments,
    /// Position j predicts `targets[j]`, the token after it; [`IGNORE`] where that carries no loss.
    pub(crate) targets: Vec<u32>,
}

impl MicroBatch {
    /// Lays sequences end to end.
    pub(crate) fn new<'a>(sequences: impl IntoIterator<Item = &'a Sequence>) -> Result<Self> {
        let (mut tokens, mut targets, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for sequence in sequences {
            tokens.extend_from_slice(&sequence.ids);
            let next = sequence.ids.iter().zip(&sequence.loss).skip(1);
            targets.extend(next.map(|(&id, &loss)| if loss { id } else { IGNORE }));
            targets.push(IGNORE);
            lengths.push(sequence.ids.len());
        }
        Ok(Self { tokens, segments: Segments::new(&lengths)?, targets })
    }

    /// How many targets carry loss.
    #[cfg(test)]
    pub(crate) fn target_count(&self) -> usize {
        self.targets.iter().filter(|&&target| target != IGNORE).count()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_of_a_sequence_is_no_target() {
        let first = Sequence { ids: vec![1, 2, 3], loss: vec![true, false, true] };
        let second = Sequence { ids: vec![4, 5], loss: vec![true, true] };
        let batch = MicroBatch::new([&first, &second]).unwrap();
        assert_eq!(batch.tokens, [1, 2, 3, 4, 5]);
        assert_eq!(batch.targets, [IGNORE, 3, IGNORE, 5, IGNORE]);
        assert_eq!(batch.target_count(), 2);
        assert_eq!(first.targets() + second.targets(), 2);
    }
}
