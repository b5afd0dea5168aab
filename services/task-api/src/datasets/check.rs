//! Every row of an upload is read before it becomes a dataset. Runs on a blocking thread; memory is bounded by a row.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anneal_datasets::{
    Error as ReadError, Format, Kind, Reader, Record, Records, Report, RowError, ValidateOptions,
    is_data_file, validate,
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

/// A file of an upload that can be stored.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// Where it lies in the dataset.
    pub(crate) path: String,
    pub(crate) report: Report,
    /// The file to store: the upload itself, or a copy without its invalid rows.
    pub(crate) local: PathBuf,
    /// Format of the stored file.
    pub(crate) stored_format: Format,
}

/// Reads every row of the files at `paths` below `folder`; invalid ones refuse the upload, all of them named, unless they are
/// to be skipped.
pub(crate) fn check(folder: &Path, paths: &[String], wanted: Wanted) -> Result<Vec<Checked>, Error> {
    let (mut checked, mut invalid_count, mut errors) = (Vec::new(), 0, Vec::new());
    for path in paths {
        match check_one(folder, path, wanted) {
            Ok(file) => checked.push(file),
            Err(Error::InvalidRows { invalid_count: of_file, errors: found }) => {
                invalid_count += of_file;
                let name = (paths.len() > 1).then(|| path.clone());
                errors.extend(found.into_iter().map(|error| RowError { file: name.clone(), ..error }));
            }
            Err(Error::Invalid(fields)) if paths.len() > 1 => {
                let why: Vec<String> = fields.into_iter().map(|field| field.message).collect();
                return Err(Error::field("body", format!("`{path}`: {}", why.join("; "))));
            }
            Err(other) => return Err(other),
        }
    }
    if invalid_count > 0 {
        errors.truncate(SHOWN_ERRORS);
        return Err(Error::InvalidRows { invalid_count, errors });
    }
    fit_together(&checked)?;
    Ok(checked)
}

/// The files of a dataset are of one kind; only a benchmark's lie in folders.
fn fit_together(checked: &[Checked]) -> Result<(), Error> {
    let Some(first) = checked.first() else { return Ok(()) };
    let kind = first.report.kind;
    if let Some(other) = checked.iter().find(|file| file.report.kind != kind) {
        let why = format!("`{}` is {kind}, `{}` is {}: set it", first.path, other.path, other.report.kind);
        return Err(Error::field("kind", why));
    }
    match checked.iter().find(|file| kind != Kind::Evaluation && file.path.contains('/')) {
        Some(deep) => {
            let why =
                format!("`{}`: the files of a {kind} dataset lie beside each other, in no folder", deep.path);
            Err(Error::field("body", why))
        }
        None => Ok(()),
    }
}

fn check_one(folder: &Path, path: &str, wanted: Wanted) -> Result<Checked, Error> {
    let local = folder.join(path);
    let options =
        ValidateOptions { errors: SHOWN_ERRORS, preview_rows: PREVIEW_ROWS, ..ValidateOptions::default() };
    let report = validate(&local, wanted.kind, wanted.format, &options, |_| {}).map_err(unreadable)?;
    let stored_format = report.format;
    let whole = Checked { path: stored_path(path, stored_format), local, stored_format, report };
    if whole.report.invalid == 0 {
        return Ok(whole);
    }
    if !wanted.skip_invalid || whole.report.truncated || whole.report.valid == 0 {
        let Report { invalid, first_errors, .. } = whole.report;
        return Err(Error::InvalidRows { invalid_count: invalid, errors: first_errors });
    }
    without_invalid(whole, wanted)
}

/// A name under which every engine takes the file for data.
fn stored_path(path: &str, format: Format) -> String {
    if is_data_file(Path::new(path)) {
        return path.to_owned();
    }
    let extended = format!("{path}.{}", format.extension());
    if is_data_file(Path::new(&extended)) { extended } else { format!("data.{}", format.extension()) }
}

/// Writes the valid rows alone as JSON lines: what is stored is exactly what will be used.
fn without_invalid(whole: Checked, wanted: Wanted) -> Result<Checked, Error> {
    let invalid: BTreeSet<u64> = Reader::open(&whole.local, Some(whole.report.kind), wanted.format)
        .map_err(unreadable)?
        .filter_map(|row| row.err().map(|error| error.line))
        .collect();
    let clean = whole.local.with_extension("clean.jsonl");
    let mut out = BufWriter::new(File::create(&clean).map_err(disk)?);
    let records = Records::open(&whole.local, Some(whole.report.format)).map_err(unreadable)?;
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
    let path = Path::new(&whole.path).with_extension("clean.jsonl").to_string_lossy().into_owned();
    Ok(Checked { path, local: clean, stored_format: Format::Jsonl, ..whole })
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
