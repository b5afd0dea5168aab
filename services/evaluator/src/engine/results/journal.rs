//! The journal of a task: one line for each scored row, on disk before the next batch begins.
//!
//! The first line says which evaluation it belongs to. A last line cut short by a crash is dropped. A row counts as
//! scored only while its requests are the ones that were scored.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::error::{Error, Result};
use crate::engine::scoring::Response;

/// The answers to one row's requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The row's number in the harness's files.
    pub doc_id: usize,
    /// Digest of the requests.
    pub requests: String,
    /// For each request its answers.
    pub responses: Vec<Vec<Response>>,
    /// Ids cut from the left of its requests.
    #[serde(default)]
    pub truncated: usize,
}

/// What a journal holds, which is not written to.
pub struct Answers(HashMap<usize, Answered>);

impl Answers {
    /// Reads a task's journal; one of another evaluation is an error.
    pub fn read(path: &Path, header: &Map<String, Value>) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        Ok(Self(read(path, &file, header)?.0))
    }

    /// What a row was answered, whatever was asked.
    pub fn of(&self, doc_id: usize) -> Option<&Answered> {
        self.0.get(&doc_id)
    }
}

/// An open journal and what it held when it was opened.
pub struct Journal {
    path: PathBuf,
    file: File,
    rows: HashMap<usize, Answered>,
}

impl Journal {
    /// Opens a task's journal. Without `resume` an earlier one is discarded; one of another evaluation is an error.
    pub fn open(path: &Path, header: &Map<String, Value>, resume: bool) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(!resume)
            .open(path)
            .map_err(Error::io(path))?;
        let (rows, valid) = read(path, &file, header)?;
        file.set_len(valid).map_err(Error::io(path))?;
        file.seek(SeekFrom::End(0)).map_err(Error::io(path))?;
        let mut journal = Self { path: path.to_owned(), file, rows };
        if valid == 0 {
            journal.append_line(&serde_json::json!({"evaluation": header}))?;
            journal.sync()?;
        }
        Ok(journal)
    }

    /// The answers of a row, if these very requests were answered.
    pub fn answers(&self, doc_id: usize, requests: &str) -> Option<&Answered> {
        self.rows.get(&doc_id).filter(|row| row.requests == requests)
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes rows and waits until they are on disk.
    pub fn append(&mut self, rows: Vec<Answered>) -> Result<()> {
        for row in &rows {
            self.append_line(row)?;
        }
        self.sync()?;
        self.rows.extend(rows.into_iter().map(|row| (row.doc_id, row)));
        Ok(())
    }

    fn append_line(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| Error::Io { path: self.path.clone(), source: error.into() })?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(Error::io(&self.path))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))
    }
}

/// The rows, and the bytes up to the end of the last whole line.
fn read(path: &Path, file: &File, header: &Map<String, Value>) -> Result<(HashMap<usize, Answered>, u64)> {
    let mut reader = BufReader::new(file);
    let mut rows = HashMap::new();
    let mut valid = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let bytes = reader.read_until(b'\n', &mut line).map_err(Error::io(path))?;
        if bytes == 0 || line.last() != Some(&b'\n') {
            return Ok((rows, valid));
        }
        if valid == 0 {
            check_header(path, &line, header)?;
        } else {
            match serde_json::from_slice::<Answered>(&line) {
                Ok(row) => rows.insert(row.doc_id, row),
                // What follows a damaged line is scored again.
                Err(_) => return Ok((rows, valid)),
            };
        }
        valid += bytes as u64;
    }
}

fn check_header(path: &Path, line: &[u8], header: &Map<String, Value>) -> Result<()> {
    let found: Option<Value> = serde_json::from_slice(line).ok();
    let found = found.as_ref().and_then(|value| value.get("evaluation")).and_then(Value::as_object);
    let different: Vec<String> = match found {
        None => vec!["the file's form".to_owned()],
        Some(found) => header
            .iter()
            .filter(|(key, value)| found.get(*key) != Some(value))
            .map(|(key, value)| {
                format!("{key} ({} there, {value} here)", found.get(key).unwrap_or(&Value::Null))
            })
            .collect(),
    };
    if different.is_empty() {
        return Ok(());
    }
    Err(Error::OtherEvaluation { path: path.to_owned(), differences: different.join(", ") })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn header(precision: &str) -> Map<String, Value> {
        json!({"model": "m", "precision": precision}).as_object().unwrap().clone()
    }

    fn row(doc_id: usize) -> Answered {
        let answer = Response::LogLikelihood {
            sum: -1.234_567_890_123_456_7,
            greedy: true,
            tokens: 2,
            context_tokens: 3,
        };
        Answered { doc_id, requests: format!("digest {doc_id}"), responses: vec![vec![answer]], truncated: 0 }
    }

    #[test]
    fn rows_survive_and_a_torn_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        let mut journal = Journal::open(&path, &header("fp32"), true).unwrap();
        journal.append(vec![row(0), row(7)]).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"doc_id\": 9, \"reque").unwrap();
        let mut journal = Journal::open(&path, &header("fp32"), true).unwrap();
        assert_eq!(journal.len(), 2);
        assert_eq!(journal.answers(7, "digest 7"), Some(&row(7)), "every bit of the sum is kept");
        assert_eq!(journal.answers(7, "other requests"), None);
        journal.append(vec![row(9)]).unwrap();
        assert_eq!(Journal::open(&path, &header("fp32"), true).unwrap().len(), 3);
    }

    #[test]
    fn another_evaluation_s_journal_is_refused_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.jsonl");
        Journal::open(&path, &header("fp32"), true).unwrap().append(vec![row(0)]).unwrap();
        let error = Journal::open(&path, &header("bf16"), true).err().unwrap().to_string();
        assert!(error.contains("precision (\"fp32\" there, \"bf16\" here)"), "{error}");
        assert_eq!(Journal::open(&path, &header("bf16"), false).unwrap().len(), 0);
    }
}
