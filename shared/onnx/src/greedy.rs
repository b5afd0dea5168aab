//! Batched greedy decoding: the most likely token, every time.

use crate::{Error, Result, Session, argmax};

/// When a sequence ends.
#[derive(Clone, Debug)]
pub struct Greedy {
    /// Tokens after which a sequence is over (they are not part of the answer).
    pub end_tokens: Vec<u32>,
    /// The most tokens to write for a prompt.
    pub max_new_tokens: usize,
}

/// Continues every prompt; sequences that are over leave the batch. A NaN is no token: [`Error::NotANumber`].
pub fn greedy(session: &mut Session, prompts: &[&[u32]], options: &Greedy) -> Result<Vec<Vec<u32>>> {
    let mut written: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    if prompts.is_empty() || options.max_new_tokens == 0 {
        return Ok(written);
    }
    let (mut state, mut logits) = session.prefill(prompts)?;
    let mut active: Vec<usize> = (0..prompts.len()).collect();
    loop {
        let (mut going, mut next) = (Vec::new(), Vec::new());
        for (row, &prompt) in active.iter().enumerate() {
            if logits.last(row).iter().any(|score| score.is_nan()) {
                return Err(Error::NotANumber);
            }
            let token = argmax(logits.last(row));
            if options.end_tokens.contains(&token) {
                continue;
            }
            written[prompt].push(token);
            if written[prompt].len() < options.max_new_tokens {
                going.push(row);
                next.push(token);
            }
        }
        if going.is_empty() {
            return Ok(written);
        }
        if going.len() < active.len() {
            state.select(&going)?;
            active = going.iter().map(|&row| active[row]).collect();
        }
        logits = session.step(&mut state, &next)?;
    }
}
