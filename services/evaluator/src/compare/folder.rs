//! An evaluation's folder: `results.json` and, for each task, `samples_<task>.jsonl`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::Error;

/// One scored row under one filter.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sample {
    /// The row's number in its split, from 0.
    pub(super) doc_id: usize,
    pub(super) doc_hash: String,
    pub(super) prompt_hash: String,
    pub(super) target_hash: String,
    pub(super) filter: String,
    /// Names of the metrics below.
    pub(super) metrics: Vec<String>,
    /// The model's raw answers.
    pub(super) resps: Value,
    /// Everything else, each metric's value under its name.
    #[serde(flatten)]
    pub(super) values: Map<String, Value>,
}

/// What an evaluation left behind.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) folder: PathBuf,
    pub(super) results: Value,
}

impl Evaluation {
    /// Reads the results; samples are read task by task.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("results.json");
        let text = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let results: Value = serde_json::from_slice(&text).map_err(|error| Error::Form {
            path: path.clone(),
            line: None,
            message: error.to_string(),
        })?;
        if !results["configs"].is_object() || !results["results"].is_object() {
            let message = "not the results of an evaluation: `configs` or `results` is missing".to_owned();
            return Err(Error::Form { path, line: None, message });
        }
        Ok(Self { folder: folder.to_owned(), results })
    }

    /// The names of its tasks, groups left out.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &str> {
        self.results["configs"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// The groups with the tasks in them, through however many groups.
    pub(super) fn groups(&self) -> Vec<(&str, Vec<&str>)> {
        let groups = self.results["group_subtasks"].as_object();
        groups.into_iter().flatten().map(|(name, _)| (name.as_str(), self.leaves(name))).collect()
    }

    fn leaves(&self, name: &str) -> Vec<&str> {
        let mut leaves = Vec::new();
        let mut seen = vec![name];
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for member in self.results["group_subtasks"][name].as_array().into_iter().flatten() {
                let Some(member) = member.as_str() else { continue };
                if self.results["configs"].get(member).is_some() {
                    leaves.push(member);
                } else if !seen.contains(&member) {
                    seen.push(member);
                    open.push(member);
                }
            }
        }
        leaves
    }

    /// A task's figure, such as `acc,none`.
    pub(super) fn figure(&self, task: &str, metric: &str) -> Option<f64> {
        self.results["results"][task][metric].as_f64()
    }

    /// The samples of a task, in order.
    pub(super) fn samples(&self, task: &str) -> Result<Vec<Sample>, Error> {
        let path = self.folder.join(format!("samples_{task}.jsonl"));
        let read = |source| Error::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read)?;
        let mut samples = Vec::new();
        for (index, line) in BufReader::new(file).lines().enumerate() {
            let sample = serde_json::from_str(&line.map_err(read)?).map_err(|error| Error::Form {
                path: path.clone(),
                line: Some(index + 1),
                message: error.to_string(),
            })?;
            samples.push(sample);
        }
        Ok(samples)
    }
}
