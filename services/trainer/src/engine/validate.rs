//! The loss over the held-back parts.

use super::{
    Result, Stop,
    session::{Micro, Session, Sums},
};

/// A part that is held back from training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldBack {
    /// Looked at during training.
    Validation,
    /// Looked at once, at the end.
    Test,
}

/// The sums over a part; `None` where it is empty.
///
/// # Errors
/// [`super::Error::Stopped`] between two passes, once that is asked for.
pub(crate) fn evaluate(session: &mut Session, part: HeldBack, stop: &Stop) -> Result<Option<Sums>> {
    let items = store(session, part).len();
    if items == 0 {
        return Ok(None);
    }
    let mut sums = Sums::default();
    let all: Vec<u64> = (0..items).collect();
    for items in all.chunks(session.plan.spec.micro_batch_size) {
        stop.check()?;
        let micro = Micro::load(store(session, part), items)?;
        sums.add(session.evaluate(&micro, part == HeldBack::Validation)?);
    }
    Ok(Some(sums))
}

fn store(session: &Session, part: HeldBack) -> &super::tokens::TokenStore {
    match part {
        HeldBack::Validation => &session.corpus.validation,
        HeldBack::Test => &session.corpus.test,
    }
}
