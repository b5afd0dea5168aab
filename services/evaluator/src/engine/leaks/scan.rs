//! One pass over the training data: its rows stream past the hashes of the evaluated ones.

use std::path::Path;

use anneal_contracts::engine::Level;
use anneal_datasets::{Record, Records};
use serde_json::Value;

use super::index::{Hit, Index};
use super::{Found, Leaks, Row, Searched, words};
use crate::engine::error::{Error, Result};
use crate::engine::output::Output;
use crate::engine::stop::Stop;

/// Training rows between two looks at the request to stop, and two lines of progress.
const ROWS_AT_ONCE: u64 = 4096;

/// A pass: what is looked for and what was found so far.
struct Pass<'a> {
    index: &'a Index,
    rows: &'a [Row],
    seen: Vec<bool>,
    found: &'a mut Vec<Found>,
    /// Bytes of the training data that were read, and all of them.
    bytes: (u64, u64),
}

impl Leaks {
    /// Looks through all training data for the rows that were added since the last pass.
    pub(super) fn scan(&mut self, output: &mut Output, stop: &Stop) -> Result<()> {
        self.index.sort();
        let size = |file: &std::path::PathBuf| std::fs::metadata(file).map_or(0, |about| about.len());
        let bytes = self.searched.iter().flat_map(|data| &data.files).map(size).sum();
        let mut pass = Pass {
            index: &self.index,
            rows: &self.rows,
            seen: vec![false; self.rows.len()],
            found: &mut self.found,
            bytes: (0, bytes),
        };
        for data in &mut self.searched {
            (data.rows, data.unreadable) = (0, 0);
            for file in data.files.clone() {
                pass.file(data, &file, output, stop)?;
            }
            if data.unreadable > 0 {
                let (count, name) = (data.unreadable, &data.name);
                output
                    .log(Level::Warn, format!("{count} rows of {name} cannot be read and are not looked at"));
            }
        }
        self.rows.clear();
        self.index = Index::default();
        Ok(())
    }
}

impl Pass<'_> {
    fn file(&mut self, data: &mut Searched, file: &Path, output: &mut Output, stop: &Stop) -> Result<()> {
        let unusable = |error: String| Error::dataset(file, error);
        let mut records = Records::open(file, None).map_err(|error| unusable(error.to_string()))?;
        let mut hashes = Vec::new();
        while let Some(record) = records.next() {
            data.rows += 1;
            match record {
                Ok((line, record)) => {
                    let record = match record {
                        Record::Text(text) => Value::String(text),
                        Record::Columns(columns) => Value::Object(columns),
                    };
                    hashes.clear();
                    words::each_text(&record, &mut |text| words::hash_words(text, &mut hashes));
                    self.row(&hashes, &record, (&data.name, file, line));
                }
                Err(error) if error.fatal => return Err(unusable(error.to_string())),
                Err(_) => data.unreadable += 1,
            }
            if data.rows.is_multiple_of(ROWS_AT_ONCE) {
                if stop.requested() {
                    return Err(Error::Stopped { done: data.rows });
                }
                output.progress(self.bytes.0 + records.bytes_read(), self.bytes.1, "bytes", None);
            }
        }
        self.bytes.0 += records.bytes_total();
        output.progress(self.bytes.0, self.bytes.1, "bytes", None);
        Ok(())
    }

    /// Notes the evaluated rows that share a gram with a training row, each at its first.
    fn row(&mut self, hashes: &[u64], record: &Value, (name, file, line): (&str, &Path, u64)) {
        let Self { index, rows, seen, found, .. } = self;
        index.search(hashes, |Hit { row, end, length }| {
            let row = row as usize;
            if std::mem::replace(&mut seen[row], true) {
                return;
            }
            let Row { task, doc_id, line: own } = rows[row];
            found.push(Found {
                task,
                doc_id,
                line: own,
                training_data: name.to_owned(),
                file: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                training_line: line,
                gram: gram(record, end, length),
            });
        });
    }
}

/// The words of a gram that ends here.
fn gram(record: &Value, end: usize, length: usize) -> String {
    let mut all = Vec::new();
    words::each_text(record, &mut |text| all.extend(words::words(text)));
    all.get(end - length..end).map(|words| words.join(" ")).unwrap_or_default()
}
