//! Checkpoints of an evaluation: copies of its journals, so that what was scored outlives this machine.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anneal_contracts::engine::{EvaluatorSpec, Line};

use super::error::{Error, Result};
use super::output::Output;

/// Checkpoints left on disk: the newest, and one that a reader of its line may still be at.
const KEPT: usize = 2;

/// The file of a task's journal.
pub(super) fn journal_name(task: &str) -> String {
    format!("responses_{task}.jsonl")
}

/// Writes checkpoints of one evaluation, not more often than asked for.
pub(super) struct Checkpoints {
    folder: Option<PathBuf>,
    interval: Duration,
    /// When the last one was written, or the evaluation began.
    last: Instant,
    /// Samples of the last one.
    step: u64,
    journals: Vec<PathBuf>,
    kept: VecDeque<PathBuf>,
}

impl Checkpoints {
    /// Where and how often a spec wants them.
    pub(super) fn new(spec: &EvaluatorSpec, now: Instant) -> Self {
        Self {
            folder: spec.checkpoint_dir.as_ref().map(PathBuf::from),
            interval: Duration::from_secs(spec.checkpoint_seconds),
            last: now,
            step: 0,
            journals: Vec::new(),
            kept: VecDeque::new(),
        }
    }

    /// A task's journal belongs to every later checkpoint.
    pub(super) fn include(&mut self, journal: &Path) {
        self.journals.push(journal.to_owned());
    }

    /// Whether it is time for another one.
    pub(super) fn due(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= self.interval
    }

    /// Writes one that holds `samples` samples, unless the last one holds as many, and says so.
    pub(super) fn save(&mut self, samples: u64, now: Instant, output: &mut Output) -> Result<()> {
        self.last = now;
        let Some(folder) = self.folder.as_ref().filter(|_| samples > self.step) else { return Ok(()) };
        let whole = folder.join(format!("step-{samples}"));
        let partial = folder.join(format!("step-{samples}.partial"));
        for old in [&whole, &partial] {
            remove(old)?;
        }
        std::fs::create_dir_all(&partial).map_err(Error::io(&partial))?;
        for journal in &self.journals {
            copy(journal, &partial)?;
        }
        std::fs::rename(&partial, &whole).map_err(Error::io(&whole))?;
        self.step = samples;
        let path = whole.to_string_lossy().into_owned();
        output.line(&Line::Checkpoint { step: samples, path, best: false });
        self.kept.push_back(whole);
        if self.kept.len() > KEPT
            && let Some(old) = self.kept.pop_front()
        {
            remove(&old)?;
        }
        Ok(())
    }
}

/// Puts a checkpoint's journals where the evaluation writes its own; those that are there already stay.
pub(super) fn restore(checkpoint: &Path, folder: &Path) -> Result<()> {
    let unusable = |message: String| Error::Checkpoint { path: checkpoint.to_owned(), message };
    let entries = std::fs::read_dir(checkpoint).map_err(|error| unusable(error.to_string()))?;
    let mut found = 0;
    for entry in entries {
        let file = entry.map_err(Error::io(checkpoint))?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.starts_with("responses_") || !file.is_file() {
            continue;
        }
        found += 1;
        if !folder.join(&name).exists() {
            copy(&file, folder)?;
        }
    }
    if found == 0 { Err(unusable("it holds no journal".to_owned())) } else { Ok(()) }
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let target = folder.join(file.file_name().unwrap_or_default());
    std::fs::copy(file, &target).map_err(Error::io(&target))?;
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(folder: &Path) -> EvaluatorSpec {
        serde_json::from_value(json!({"model": "m", "tasks": [], "output_dir": folder.join("out"),
            "checkpoint_dir": folder.join("checkpoints"), "checkpoint_seconds": 60}))
        .unwrap()
    }

    #[test]
    fn the_two_newest_are_kept_and_nothing_new_is_no_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        let journal = place.path().join(journal_name("t"));
        let start = Instant::now();
        let mut checkpoints = Checkpoints::new(&spec(place.path()), start);
        checkpoints.include(&journal);
        let mut output = Output::new(Box::new(std::io::sink()));
        for samples in [3, 3, 5, 9] {
            std::fs::write(&journal, format!("{samples} samples")).unwrap();
            checkpoints.save(samples, start, &mut output).unwrap();
        }
        let folder = place.path().join("checkpoints");
        let mut names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["step-5", "step-9"]);
        let out = place.path().join("out");
        std::fs::create_dir(&out).unwrap();
        restore(&folder.join("step-5"), &out).unwrap();
        assert_eq!(std::fs::read_to_string(out.join(journal_name("t"))).unwrap(), "5 samples");
        restore(&folder.join("step-9"), &out).unwrap();
        assert_eq!(
            std::fs::read_to_string(out.join(journal_name("t"))).unwrap(),
            "5 samples",
            "its own stays"
        );
        assert!(!checkpoints.due(start + Duration::from_secs(59)));
        assert!(checkpoints.due(start + Duration::from_secs(60)));
    }

    #[test]
    fn a_folder_without_a_journal_is_no_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        for folder in [place.path().to_owned(), place.path().join("missing")] {
            let error = restore(&folder, place.path()).unwrap_err();
            assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
        }
    }
}
