//! Guessing the next tokens from what a sequence holds already (prompt lookup decoding, Saxena 2023): where its last tokens stood
//! before, what followed them then. A pass that reads a few guesses more costs little beside reading the weights; guesses that the
//! model would not have chosen are dropped, so that they never change a continuation.

/// How many of the last tokens must have stood together before, the most first.
const ALIKE: [usize; 2] = [3, 2];
/// Most guesses for a sequence in a pass.
const MOST: usize = 16;

/// How far one sequence's guesses have been right.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    length: usize,
}

impl Lookup {
    pub(super) fn new() -> Self {
        Self { length: 4 }
    }

    /// At most `most` guesses of what follows `tokens`.
    pub(super) fn guess(&self, tokens: &[u32], most: usize) -> Vec<u32> {
        let length = self.length.min(most);
        let Some(from) = ALIKE.into_iter().find_map(|alike| last_seen(tokens, alike)) else {
            return Vec::new();
        };
        let mut guesses = Vec::with_capacity(length);
        for n in from..from + length {
            // What repeats itself goes on with what was guessed.
            guesses.push(tokens.get(n).copied().unwrap_or_else(|| guesses[n - tokens.len()]));
        }
        guesses
    }

    /// Of so many guesses so many were right.
    pub(super) fn learn(&mut self, guesses: usize, right: usize) {
        if guesses > 0 {
            self.length = if right == guesses { (self.length + 2).min(MOST) } else { right + 1 };
        }
    }
}

/// Where the last `alike` tokens ended the last time before they ended the sequence.
fn last_seen(tokens: &[u32], alike: usize) -> Option<usize> {
    let before = tokens.len().checked_sub(alike)?;
    let (_, last) = tokens.split_at(before);
    (0..before).rev().find(|&n| tokens[n..].starts_with(last)).map(|n| n + alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses(tokens: &[u32], most: usize) -> Vec<u32> {
        Lookup::new().guess(tokens, most)
    }

    #[test]
    fn what_followed_the_last_tokens_before_is_guessed() {
        assert_eq!(guesses(&[1, 2, 3, 4, 5, 6, 7, 9, 1, 2, 3], 9), [4, 5, 6, 7]);
        assert_eq!(guesses(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 2), [4, 5]);
        // The last time counts, and more tokens alike before fewer.
        assert_eq!(guesses(&[5, 6, 1, 8, 5, 6, 2, 8, 5, 6], 1), [2]);
        assert_eq!(guesses(&[4, 5, 6, 1, 9, 5, 6, 2, 4, 5, 6], 1), [1]);
        assert_eq!(guesses(&[1, 2, 3, 4, 5], 9), [0_u32; 0]);
        assert_eq!(guesses(&[7], 9), [0_u32; 0]);
        assert_eq!(guesses(&[], 9), [0_u32; 0]);
    }

    #[test]
    fn what_repeats_itself_is_guessed_on() {
        assert_eq!(guesses(&[9, 1, 2, 1, 2], 9), [1, 2, 1, 2]);
        assert_eq!(guesses(&[3, 3, 3, 3], 9), [3, 3, 3, 3]);
    }

    #[test]
    fn guesses_grow_while_they_are_right() {
        let mut lookup = Lookup::new();
        lookup.learn(4, 4);
        assert_eq!(lookup.guess(&[3; 5], 99).len(), 6);
        lookup.learn(6, 1);
        assert_eq!(lookup.guess(&[3; 5], 99).len(), 2);
        lookup.learn(0, 0);
        assert_eq!(lookup.guess(&[3; 5], 99).len(), 2);
        (0..20).for_each(|_| lookup.learn(1, 1));
        assert_eq!(lookup.guess(&[3; 5], 99).len(), MOST);
    }
}
