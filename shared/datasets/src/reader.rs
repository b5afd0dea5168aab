//! Streams the typed rows of a dataset.

use std::path::Path;

use crate::{
    Error, Format, Kind, Limits, Record, Records, Result, Row, RowError, detect, detect_format,
    layouts::typed,
};

/// An iterator over `(line, row)`. A row that does not fit is an error and the next one is read, unless the error is
/// [`RowError::fatal`].
pub struct Reader {
    records: Records,
    kind: Kind,
    done: bool,
}

impl Reader {
    /// Opens a file or folder; kind and format are detected where they are `None`.
    ///
    /// # Errors
    /// The file cannot be read, is of no known format, or of a format that holds no rows of `kind`.
    pub fn open(path: &Path, kind: Option<Kind>, format: Option<Format>) -> Result<Self> {
        Self::open_with(path, kind, format, Limits::default())
    }

    /// [`Reader::open`] with bounds of the caller's choice.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_with(
        path: &Path,
        kind: Option<Kind>,
        format: Option<Format>,
        limits: Limits,
    ) -> Result<Self> {
        let kind = match kind {
            Some(kind) => kind,
            None => detect(path)?.kind,
        };
        if matches!(kind, Kind::Sft | Kind::Preference) {
            let first = crate::data_files(path)?.swap_remove(0);
            let format = match format {
                Some(format) => format,
                None => detect_format(&first)?.0,
            };
            if format == Format::Text {
                let reason = format!("plain text holds no {kind} rows: expected {}", kind.columns());
                return Err(Error::Unsupported { path: first, reason });
            }
        }
        Ok(Self { records: Records::open_with(path, format, limits)?, kind, done: false })
    }

    /// The kind of the rows.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes read so far, of the files as they lie on disk.
    pub fn bytes_read(&self) -> u64 {
        self.records.bytes_read()
    }

    /// Bytes of all files.
    pub const fn bytes_total(&self) -> u64 {
        self.records.bytes_total()
    }

    fn row(&self, record: Record, line: u64) -> Result<Row, RowError> {
        match record {
            Record::Text(text) => Ok(Row::Text(text)),
            Record::Columns(columns) => typed(columns, self.kind).map_err(|fault| fault.on_line(line)),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<(u64, Row), RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = match self.records.next()? {
            Ok((line, record)) => self
                .row(record, line)
                .map(|row| (line, row))
                .map_err(|error| RowError { file: self.records.file_name(), ..error }),
            Err(error) => Err(error),
        };
        self.done = matches!(&item, Err(error) if error.fatal);
        Some(item)
    }
}
