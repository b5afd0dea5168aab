//! Rows of Parquet and Arrow IPC files, a few at a time, through Arrow's own JSON writer.
//!
//! The decoders are other people's; a panic in one of them on a crafted file is an error of the file here.

use std::{
    fs::File,
    io::{BufReader, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_json::writer::{LineDelimited, WriterBuilder};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use super::{Record, Rows};
use crate::{Error, Format, Result, RowError};

/// Rows turned into JSON at a time.
const BATCH_ROWS: usize = 64;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, String>> + Send>;

pub(super) fn rows(file: &Path, format: Format) -> Result<Rows> {
    let corrupt = |reason: String| Error::Corrupt { path: file.to_owned(), reason };
    let batches = guarded(|| open(file, format)).map_err(corrupt)?;
    Ok(Box::new(Columnar { batches, batch: None, rows: Vec::new().into_iter(), row: 0, done: false }))
}

fn open(file: &Path, format: Format) -> Result<Batches, String> {
    let mut opened = File::open(file).map_err(|error| error.to_string())?;
    if format == Format::Parquet {
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened)
            .map_err(|error| error.to_string())?
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| error.to_string())?;
        return Ok(Box::new(reader.map(|batch| batch.map_err(|error| error.to_string()))));
    }
    let mut magic = Vec::with_capacity(6);
    opened.by_ref().take(6).read_to_end(&mut magic).map_err(|error| error.to_string())?;
    let opened = BufReader::new(File::open(file).map_err(|error| error.to_string())?);
    if magic == b"ARROW1" {
        let reader = FileReader::try_new(opened, None).map_err(|error| error.to_string())?;
        return Ok(Box::new(reader.map(|batch| batch.map_err(|error| error.to_string()))));
    }
    let reader = StreamReader::try_new(opened, None).map_err(|error| error.to_string())?;
    Ok(Box::new(reader.map(|batch| batch.map_err(|error| error.to_string()))))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the file's structure is broken".to_owned()))
}

struct Columnar {
    batches: Batches,
    /// The batch in hand and how many of its rows are already JSON.
    batch: Option<(RecordBatch, usize)>,
    rows: std::vec::IntoIter<Map<String, Value>>,
    row: u64,
    done: bool,
}

impl Columnar {
    /// The next rows as JSON; `None` at the end.
    fn refill(&mut self) -> Result<Option<()>, String> {
        let (batch, start) = match self.batch.take() {
            Some(open) => open,
            None => match guarded(|| self.batches.next().transpose())? {
                Some(batch) => (batch, 0),
                None => return Ok(None),
            },
        };
        let length = BATCH_ROWS.min(batch.num_rows() - start);
        self.rows = guarded(|| objects(&batch.slice(start, length)))?.into_iter();
        if start + length < batch.num_rows() {
            self.batch = Some((batch, start + length));
        }
        Ok(Some(()))
    }
}

fn objects(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, String> {
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| error.to_string())?;
    let lines = writer.into_inner();
    let rows = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    rows.map(|line| serde_json::from_slice(line).map_err(|error| error.to_string())).collect()
}

impl Iterator for Columnar {
    type Item = Result<(u64, Record), RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(map) = self.rows.next() {
                self.row += 1;
                return Some(Ok((self.row, Record::Columns(map))));
            }
            if self.done {
                return None;
            }
            match self.refill() {
                Ok(Some(())) => {}
                Ok(None) => self.done = true,
                Err(reason) => {
                    self.done = true;
                    return Some(Err(RowError::fatal(self.row + 1, reason)));
                }
            }
        }
    }
}
