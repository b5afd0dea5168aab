//! Every row of an upload is read before it becomes a dataset. Runs on a blocking thread; memory is bounded by a row.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anneal_datasets::{
    Error as ReadError, Format, Kind, Reader, Record, Records, Report, ValidateOptions, validate,
};

use crate::Error;

/// Rows kept for the preview, and errors shown.
const PREVIEW_ROWS: usize = 20;
const SHOWN_ERRORS: usize = 50;

/// What the uploader said about the file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) kind: Option<Kind>,
    pub(crate) format: Option<Format>,
    pub(crate) skip_invalid: bool,
}

/// An upload that can be stored.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) report: Report,
    /// The file to store: the upload itself, or a copy without its invalid rows.
    pub(crate) path: PathBuf,
    /// Format of the stored file.
    pub(crate) stored_format: Format,
}

/// Reads every row; invalid ones refuse the upload unless they are to be skipped.
pub(crate) fn check(path: &Path, wanted: Wanted) -> Result<Checked, Error> {
    let options =
        ValidateOptions { errors: SHOWN_ERRORS, preview_rows: PREVIEW_ROWS, ..ValidateOptions::default() };
    let report = validate(path, wanted.kind, wanted.format, &options, |_| {}).map_err(unreadable)?;
    let whole = Checked { path: path.to_owned(), stored_format: report.format, report };
    if whole.report.invalid == 0 {
        return Ok(whole);
    }
    if !wanted.skip_invalid || whole.report.truncated || whole.report.valid == 0 {
        let Report { invalid, first_errors, .. } = whole.report;
        return Err(Error::InvalidRows { invalid_count: invalid, errors: first_errors });
    }
    without_invalid(whole, wanted)
}

/// Writes the valid rows alone as JSON lines: what is stored is exactly what will be used.
fn without_invalid(whole: Checked, wanted: Wanted) -> Result<Checked, Error> {
    let invalid: BTreeSet<u64> = Reader::open(&whole.path, Some(whole.report.kind), wanted.format)
        .map_err(unreadable)?
        .filter_map(|row| row.err().map(|error| error.line))
        .collect();
    let clean = whole.path.with_extension("clean.jsonl");
    let mut out = BufWriter::new(File::create(&clean).map_err(disk)?);
    let records = Records::open(&whole.path, Some(whole.report.format)).map_err(unreadable)?;
    for (line, record) in records.filter_map(Result::ok) {
        if invalid.contains(&line) {
            continue;
        }
        let row = match record {
            Record::Text(text) => serde_json::json!({ "text": text }),
            Record::Columns(columns) => serde_json::Value::Object(columns),
        };
        serde_json::to_writer(&mut out, &row).map_err(|error| disk(error.into()))?;
        out.write_all(b"\n").map_err(disk)?;
    }
    out.flush().map_err(disk)?;
    Ok(Checked { path: clean, stored_format: Format::Jsonl, ..whole })
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn disk(error: std::io::Error) -> Error {
    Error::Unavailable(format!("the upload could not be kept while it is checked: {error}"))
}

/// The reader's reason without the path of our own temporary file.
fn unreadable(error: ReadError) -> Error {
    let reason = match error {
        ReadError::Io { source, .. } => return disk(source),
        ReadError::Unsupported { reason, .. } | ReadError::Corrupt { reason, .. } => reason,
        ReadError::Empty { .. } => "the file is empty: it holds no rows".to_owned(),
        ReadError::NoFiles { .. } => "no data came".to_owned(),
    };
    Error::field("body", reason)
}
