//! An evaluation's folder: `results.json` and, for each task, `samples_<task>.jsonl`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::sample::{Names, Sample};

/// Bytes of one line; a longer one is no sample.
const LONGEST_LINE: u64 = 64 << 20;

/// What an evaluation left behind.
#[derive(Debug)]
pub struct Evaluation {
    folder: PathBuf,
    pub(crate) results: Value,
}

impl Evaluation {
    /// Reads the results; samples are read task by task, when they are compared.
    pub fn read(folder: &Path) -> Result<Self, Error> {
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

    /// What `results.json` says.
    pub fn results(&self) -> &Value {
        &self.results
    }

    /// The names of its tasks, groups left out.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.results["configs"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// The groups with the tasks in them, through however many groups.
    pub(crate) fn groups(&self) -> Vec<(&str, Vec<&str>)> {
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
    pub(crate) fn figure(&self, task: &str, metric: &str) -> Option<f64> {
        self.results["results"][task][metric].as_f64()
    }

    /// The samples of a task, in order, read one by one.
    pub(crate) fn samples<'a>(&self, task: &str, names: &'a mut Names) -> Result<SamplesFile<'a>, Error> {
        let path = self.folder.join(format!("samples_{task}.jsonl"));
        let file = File::open(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        Ok(SamplesFile { path, reader: BufReader::new(file), names, line: 0, bytes: Vec::new() })
    }
}

/// An open samples file; one line of it is held at a time.
pub(crate) struct SamplesFile<'a> {
    path: PathBuf,
    reader: BufReader<File>,
    names: &'a mut Names,
    line: usize,
    bytes: Vec<u8>,
}

impl Iterator for SamplesFile<'_> {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.bytes.clear();
        self.line += 1;
        let form =
            |line: usize, message: String| Error::Form { path: self.path.clone(), line: Some(line), message };
        match self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.bytes) {
            Ok(0) => None,
            Ok(read) if read as u64 == LONGEST_LINE => {
                Some(Err(form(self.line, format!("a line is longer than {LONGEST_LINE} bytes"))))
            }
            Ok(_) => {
                let sample = Sample::parse(&self.bytes, self.names);
                Some(sample.map_err(|error| form(self.line, error.to_string())))
            }
            Err(source) => Some(Err(Error::Read { path: self.path.clone(), source })),
        }
    }
}
