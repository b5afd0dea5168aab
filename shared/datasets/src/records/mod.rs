//! Raw rows: a JSON object (or a document) a row, whatever the format.
//!
//! This module owns which bytes make a row; which columns a row must have is the layouts' matter.

mod columnar;
mod delimited;
mod json;
mod text;

pub(crate) use json::name_of;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    vec,
};

use serde_json::{Map, Value};

use crate::{Error, Format, Limits, Result, RowError, bytes::Source, data_files, detect_format};

/// One raw row.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A document of a text file, stripped of surrounding white space.
    Text(String),
    /// A row with columns.
    Columns(Map<String, Value>),
}

type Rows = Box<dyn Iterator<Item = Result<(u64, Record), RowError>> + Send>;

/// Streams the raw rows of a file, or of the data files of a folder in name order.
pub struct Records {
    files: vec::IntoIter<PathBuf>,
    several: bool,
    format: Option<Format>,
    limits: Limits,
    current: Option<Open>,
    bytes_done: u64,
    bytes_total: u64,
}

struct Open {
    rows: Rows,
    name: String,
    size: u64,
    bytes_read: Arc<AtomicU64>,
}

impl Records {
    /// Opens `path`; `format` is detected for each file where it is `None`.
    ///
    /// # Errors
    /// The path cannot be read, or its first file is in no format that is known.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Self> {
        Self::open_with(path, format, Limits::default())
    }

    /// [`Records::open`] with bounds of the caller's choice.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub fn open_with(path: &Path, format: Option<Format>, limits: Limits) -> Result<Self> {
        let files = data_files(path)?;
        let bytes_total =
            files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|meta| meta.len()).sum();
        let several = files.len() > 1;
        let mut records = Self {
            files: files.into_iter(),
            several,
            format,
            limits,
            current: None,
            bytes_done: 0,
            bytes_total,
        };
        records.advance()?;
        Ok(records)
    }

    /// Bytes read so far, of the files as they lie on disk.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_done + self.current.as_ref().map_or(0, |open| open.bytes_read.load(Ordering::Relaxed))
    }

    /// The file in hand, where there are several.
    pub(crate) fn file_name(&self) -> Option<String> {
        self.current.as_ref().filter(|_| self.several).map(|open| open.name.clone())
    }

    /// Bytes of all files.
    pub const fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    fn advance(&mut self) -> Result<bool> {
        let Some(file) = self.files.next() else { return Ok(false) };
        let format = match self.format {
            Some(format) => format,
            None => detect_format(&file)?.0,
        };
        self.current = Some(Open::new(&file, format, self.limits)?);
        Ok(true)
    }
}

impl Open {
    fn new(file: &Path, format: Format, limits: Limits) -> Result<Self> {
        let io = |source| Error::Io { path: file.to_owned(), source };
        let size = std::fs::metadata(file).map_err(io)?.len();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if format.is_columnar() {
            let bytes_read = Arc::new(AtomicU64::new(0));
            return Ok(Self { rows: columnar::rows(file, format)?, name, size, bytes_read });
        }
        let separated = format == Format::Text && text::is_separated(file)?;
        let source = Source::open(file)?;
        let bytes_read = Arc::clone(&source.bytes_read);
        let rows: Rows = match format {
            Format::Text => text::rows(source.reader, separated, limits),
            Format::Jsonl => json::lines(source.reader, limits),
            Format::Json => json::values(source.reader, limits),
            Format::Csv => delimited::rows(source.reader, b',', limits, file)?,
            Format::Tsv => delimited::rows(source.reader, b'\t', limits, file)?,
            Format::Parquet | Format::Arrow => unreachable!("columnar formats are opened above"),
        };
        Ok(Self { rows, name, size, bytes_read })
    }
}

impl Iterator for Records {
    type Item = Result<(u64, Record), RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let open = self.current.as_mut()?;
            match open.rows.next() {
                Some(Ok(row)) => return Some(Ok(row)),
                Some(Err(mut error)) => {
                    if self.several {
                        error.file = Some(open.name.clone());
                    }
                    return Some(Err(error));
                }
                None => {
                    self.bytes_done += open.size;
                    self.current = None;
                    if let Err(error) = self.advance() {
                        return Some(Err(RowError::fatal(0, error.to_string())));
                    }
                }
            }
        }
    }
}
