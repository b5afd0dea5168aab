//! What holds of every file of rows, whatever is in it. The tests try rows that are nearly right (`fuzz.rs`), `cargo xtask fuzz`
//! files that reach new code.

use anneal_datasets::{Format, Kind, Reader, Row, ValidateOptions, validate};

const GZIP: &[u8] = &[0x1f, 0x8b];

/// Every line is a row or an error with a reason, in order; a row that was read can be written and read again.
pub(crate) fn check_rows(file: &[u8], kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, file).unwrap();
    if file.starts_with(GZIP) {
        // What is packed in there is not known here.
        if let Ok(reader) = Reader::open(&path, Some(kind), Some(Format::Jsonl)) {
            assert!(reader.take(1 << 20).count() < 1 << 20);
        }
        return;
    }
    let written = file.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    let mut read = 0;
    let mut last = 0;
    for item in Reader::open(&path, Some(kind), Some(Format::Jsonl)).unwrap() {
        let line = match item {
            Ok((line, row)) => {
                let text = serde_json::to_string(&row).unwrap();
                assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
                line
            }
            Err(error) => {
                assert!(!error.reason.is_empty() && !error.fatal, "{error:?}");
                error.line
            }
        };
        assert!(line > last, "line {line} after {last}");
        (last, read) = (line, read + 1);
    }
    assert_eq!(read, written, "of {:?}", String::from_utf8_lossy(file));
    // Detection and validation meet the same file without being told what it is.
    if let Ok(report) = validate(&path, None, None, &ValidateOptions::default(), |_| {}) {
        assert_eq!(report.valid + report.invalid, report.rows);
        assert_eq!(report.first_errors.len() as u64, report.invalid.min(20));
    }
}
