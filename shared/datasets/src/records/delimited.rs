//! Rows of a CSV or TSV file with a header line. Cells are strings; an empty cell is an empty string.

use std::{
    io::{BufRead, Read},
    path::Path,
};

use serde_json::{Map, Value};

use super::{Record, Rows};
use crate::{Error, Limits, Result, RowError};

pub(super) fn rows(
    reader: Box<dyn BufRead + Send>,
    delimiter: u8,
    limits: Limits,
    file: &Path,
) -> Result<Rows> {
    let gauge = Gauge { inner: reader, since_row: 0, limit: limits.row_bytes, crlf: None };
    let mut csv = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(gauge);
    let corrupt = |reason: String| Error::Corrupt { path: file.to_owned(), reason };
    let header = csv.headers().map_err(|error| corrupt(format!("the header line: {error}")))?.clone();
    let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if columns.iter().all(String::is_empty) {
        return Err(Error::Empty { path: file.to_owned() });
    }
    if let Some(twice) = columns.iter().enumerate().find(|(i, name)| columns[..*i].contains(name)) {
        return Err(corrupt(format!("the header names the column `{}` twice", twice.1)));
    }
    Ok(Box::new(Delimited { csv, columns, done: false }))
}

struct Delimited {
    csv: csv::Reader<Gauge>,
    columns: Vec<String>,
    done: bool,
}

impl Iterator for Delimited {
    type Item = Result<(u64, Record), RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.csv.get_mut().since_row = 0;
        let line = self.csv.position().line();
        let mut record = csv::ByteRecord::new();
        match self.csv.read_byte_record(&mut record) {
            Ok(false) => None,
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                // A record that follows CR LF is counted from its LF, which the line before owns.
                let crlf = self.csv.get_ref().crlf == Some(true);
                Some(self.columns(line + u64::from(crlf), &record))
            }
            Err(error) => {
                self.done = true;
                Some(Err(RowError::fatal(line, error.to_string())))
            }
        }
    }
}

impl Delimited {
    fn columns(&self, line: u64, record: &csv::ByteRecord) -> Result<(u64, Record), RowError> {
        if record.len() != self.columns.len() {
            let reason =
                format!("{} cells, where the header names {} columns", record.len(), self.columns.len());
            return Err(RowError::new(line, reason));
        }
        let mut map = Map::new();
        for (name, cell) in self.columns.iter().zip(record) {
            let text = std::str::from_utf8(cell).map_err(|_| RowError {
                field: Some(name.clone()),
                ..RowError::new(line, "not valid UTF-8")
            })?;
            map.insert(name.clone(), Value::String(text.to_owned()));
        }
        Ok((line, Record::Columns(map)))
    }
}

/// Fails the read once one row has taken more than its share: an unclosed quote must not swallow memory.
struct Gauge {
    inner: Box<dyn BufRead + Send>,
    since_row: usize,
    limit: usize,
    /// Whether the header line ends with CR LF.
    crlf: Option<bool>,
}

impl Read for Gauge {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_row > self.limit {
            let reason = format!("the row is longer than {} bytes (is a quote not closed?)", self.limit);
            return Err(std::io::Error::other(reason));
        }
        let read = self.inner.read(buffer)?;
        self.since_row += read;
        if let (None, Some(end)) = (self.crlf, buffer[..read].iter().position(|&byte| byte == b'\n')) {
            self.crlf = Some(end > 0 && buffer[end - 1] == b'\r');
        }
        Ok(read)
    }
}
