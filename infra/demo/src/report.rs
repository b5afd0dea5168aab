//! `report.json`: every figure of the run, and whether it did what it should.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Map, Value, json};

/// The figures so far.
pub(crate) struct Report {
    path: PathBuf,
    began: Instant,
    figures: Map<String, Value>,
}

impl Report {
    /// Begins a report in this folder. Until it is finished the file says that the run has failed: an earlier run's success
    /// never stands for this one's, however this one ends.
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let report = Self { path: folder.join("report.json"), began: Instant::now(), figures: Map::new() };
        report.write(&Err(anyhow!("the run has not come to its end")))?;
        Ok(report)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets a top-level key.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.figures.insert(key.to_owned(), value);
    }

    /// Writes every figure, the seconds the run took, and the verdict with its reason.
    pub(crate) fn write(&self, outcome: &Result<()>) -> Result<()> {
        let mut all = Map::new();
        all.insert("ok".to_owned(), json!(outcome.is_ok()));
        all.insert("seconds".to_owned(), json!(self.began.elapsed().as_secs_f64()));
        if let Err(error) = outcome {
            all.insert("error".to_owned(), json!(format!("{error:#}")));
        }
        all.extend(self.figures.clone());
        let partial = self.path.with_extension("json.partial");
        fs::write(&partial, serde_json::to_vec_pretty(&all)?)
            .and_then(|()| fs::rename(&partial, &self.path))
            .with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn read(folder: &Path) -> Value {
        serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
    }

    #[test]
    fn an_earlier_success_does_not_outlive_the_beginning_of_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Report::begin(folder.path()).unwrap();
        first.set("training", json!({"steps": 40}));
        first.write(&Ok(())).unwrap();
        let shown = read(folder.path());
        assert_eq!((&shown["ok"], &shown["training"]["steps"]), (&json!(true), &json!(40)));

        let second = Report::begin(folder.path()).unwrap();
        let shown = read(folder.path());
        assert_eq!((&shown["ok"], &shown["training"]), (&json!(false), &Value::Null));
        second.write(&Err(anyhow!("inner").context("outer"))).unwrap();
        assert_eq!(read(folder.path())["error"], "outer: inner");
    }
}
