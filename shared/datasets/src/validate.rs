//! Reads every row of a dataset and reports what is in it and what is wrong with it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Detected, Error, Format, Kind, Layout, Reader, Result, Row, RowError, detect, detect_format};

/// How much of what is found a report keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidateOptions {
    /// Errors kept, the first ones.
    pub errors: usize,
    /// Rows kept, the first ones.
    pub preview_rows: usize,
    /// Rows between two calls of the progress function.
    pub progress_rows: u64,
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self { errors: 20, preview_rows: 5, progress_rows: 1000 }
    }
}

/// How far a validation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows read.
    pub rows: u64,
    /// Bytes read, of the files as they lie on disk.
    pub bytes: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
}

/// What a dataset holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it is for.
    pub kind: Kind,
    /// The columns of its rows.
    pub layout: Layout,
    /// How its bytes are laid out.
    pub format: Format,
    /// What kind, layout and format were told from.
    pub evidence: String,
    /// Rows, valid or not.
    pub rows: u64,
    /// Rows that can be used.
    pub valid: u64,
    /// Rows that cannot.
    pub invalid: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Characters of text in the valid rows.
    pub characters: u64,
    /// The first errors.
    pub first_errors: Vec<RowError>,
    /// The first valid rows.
    pub preview: Vec<Row>,
    /// The file could not be read to its end: the counts are of the part before that, and skipping invalid rows does
    /// not make the dataset whole.
    pub truncated: bool,
}

/// Reads all of `path`. Kind and format are detected where they are `None`.
///
/// # Errors
/// The file cannot be read, is empty, or is in no format that is known. Bad rows are counted, not errors.
pub fn validate(
    path: &Path,
    kind: Option<Kind>,
    format: Option<Format>,
    options: &ValidateOptions,
    mut on_progress: impl FnMut(Progress),
) -> Result<Report> {
    let (detected, reason) = what_it_is(path, kind, format)?;
    let mut reader = Reader::open(path, Some(detected.kind), format)?;
    let mut report = Report {
        kind: detected.kind,
        layout: detected.layout,
        format: detected.format,
        evidence: reason,
        rows: 0,
        valid: 0,
        invalid: 0,
        bytes: reader.bytes_total(),
        characters: 0,
        first_errors: Vec::new(),
        preview: Vec::new(),
        truncated: false,
    };
    while let Some(item) = reader.next() {
        report.count(item, options);
        if report.rows.is_multiple_of(options.progress_rows.max(1)) {
            on_progress(Progress {
                rows: report.rows,
                bytes: reader.bytes_read(),
                bytes_total: report.bytes,
            });
        }
    }
    on_progress(Progress { rows: report.rows, bytes: report.bytes, bytes_total: report.bytes });
    if report.rows == 0 {
        return Err(Error::Empty { path: path.to_owned() });
    }
    Ok(report)
}

impl Report {
    fn count(&mut self, item: Result<(u64, Row), RowError>, options: &ValidateOptions) {
        self.rows += 1;
        match item {
            Ok((_, row)) => {
                self.valid += 1;
                self.characters += row.characters();
                if self.preview.len() < options.preview_rows {
                    self.preview.push(row);
                }
            }
            Err(error) => {
                self.invalid += 1;
                self.truncated |= error.fatal;
                if self.first_errors.len() < options.errors {
                    self.first_errors.push(error);
                }
            }
        }
    }
}

/// What was detected, with the caller's choices over it.
fn what_it_is(path: &Path, kind: Option<Kind>, format: Option<Format>) -> Result<(Detected, String)> {
    let mut detected = match (detect(path), kind, format) {
        (Ok(detected), _, _) => detected,
        (Err(_), Some(kind), Some(format)) => {
            Detected { kind, layout: Layout::Free, format, evidence: "set by the user".to_owned() }
        }
        (Err(Error::Corrupt { .. }), Some(kind), None) => {
            let file = crate::data_files(path)?.swap_remove(0);
            let (format, evidence) = detect_format(&file)?;
            Detected { kind, layout: Layout::Free, format, evidence }
        }
        (Err(error), _, _) => return Err(error),
    };
    let mut evidence = std::mem::take(&mut detected.evidence);
    if let Some(kind) = kind.filter(|&kind| kind != detected.kind) {
        evidence = format!("{evidence}; set to {kind} by the user");
        detected.kind = kind;
    }
    if let Some(format) = format {
        detected.format = format;
    }
    Ok((detected, evidence))
}
