//! The weights with the lowest validation loss, kept until the end of a run that is to export them.
//!
//! They lie in the output folder and, linked, in every checkpoint that does not hold them as its own weights: whoever continues
//! the run has that one checkpoint only.

use std::path::Path;

use anneal_contracts::engine::Export;

use super::{
    Error, Result, artifacts,
    resume::read_tensors,
    session::{Position, Session},
};

/// The kept weights, in the output folder and in checkpoints.
pub(crate) const BEST_FILE: &str = "best.safetensors";

/// The step whose weights a run at `position` has to keep besides its own.
fn kept_step(session: &Session, position: &Position) -> Option<u64> {
    let (best, _) = position.best.filter(|_| session.plan.spec.export == Export::Best)?;
    (best != position.step).then_some(best)
}

/// Completes a checkpoint that is being written to `folder`.
pub(crate) fn add_to(session: &Session, folder: &Path) -> Result<()> {
    match kept_step(session, &session.position) {
        Some(_) => link(&session.plan.output_dir.join(BEST_FILE), &folder.join(BEST_FILE)),
        None => Ok(()),
    }
}

/// Keeps what the checkpoint in `folder` says is best: after it was written, or when a run is continued from it.
pub(crate) fn keep(session: &Session, position: &Position, folder: &Path) -> Result<()> {
    if position.best.is_none() || session.plan.spec.export != Export::Best {
        return Ok(());
    }
    let file = match kept_step(session, position) {
        Some(_) => BEST_FILE,
        None => artifacts::weights_file(session.plan.spec.method),
    };
    link(&folder.join(file), &session.plan.output_dir.join(BEST_FILE))
}

/// Gives the model the weights that are to be exported; returns the step they are from.
pub(crate) fn take_up(session: &Session) -> Result<u64> {
    let Some(best) = kept_step(session, &session.position) else { return Ok(session.position.step) };
    let names: Vec<String> = session.trainable.iter().map(|(name, _)| name.clone()).collect();
    let load = || -> anneal_model::Result<()> {
        let weights = read_tensors(&session.plan.output_dir.join(BEST_FILE), &names)?;
        session.decoder.set_trainable(&weights).map(drop)
    };
    load().map_err(Error::model("output_dir"))?;
    Ok(best)
}

/// Removes the kept weights: the run has its result.
pub(crate) fn discard(session: &Session) -> Result<()> {
    unlink(&session.plan.output_dir.join(BEST_FILE))
}

/// A hard link, or a copy where the file systems differ. Weight files are never written to once they have their name.
fn link(from: &Path, to: &Path) -> Result<()> {
    unlink(to)?;
    std::fs::hard_link(from, to)
        .or_else(|_| std::fs::copy(from, to).map(drop))
        .map_err(|error| Error::io(from, error))
}

fn unlink(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
        _ => Ok(()),
    }
}
