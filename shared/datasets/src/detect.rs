//! Says what a file is, and by which evidence.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Format, Kind, Layout, Record, Records, Result, bytes::Head, data_files, files::extension,
    layouts::layout_of,
};

/// Rows looked at to tell the layout.
const LOOK_ROWS: usize = 100;

/// What a dataset is, and why that is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// What it is for.
    pub kind: Kind,
    /// The columns of its rows.
    pub layout: Layout,
    /// How its bytes are laid out.
    pub format: Format,
    /// What was seen, for people.
    pub evidence: String,
}

/// Detects the kind and format of a file, or of the first data file of a folder.
///
/// # Errors
/// The file cannot be read, is empty, or is in no format that is known.
pub fn detect(path: &Path) -> Result<Detected> {
    let file = data_files(path)?.swap_remove(0);
    let (format, seen) = detect_format(&file)?;
    if format == Format::Text {
        let evidence = format!("plain text ({seen})");
        return Ok(Detected { kind: Kind::Pretrain, layout: Layout::Text, format, evidence });
    }
    let mut first: Option<(Layout, Vec<String>)> = None;
    let mut reason = None;
    let (mut rows, mut others) = (0, 0);
    for record in Records::open(&file, Some(format))?.take(LOOK_ROWS) {
        match record {
            Ok((_, Record::Columns(columns))) => {
                rows += 1;
                let layout = layout_of(&columns);
                let (of_first, _) = first.get_or_insert_with(|| (layout, columns.keys().cloned().collect()));
                others += usize::from(*of_first != layout);
            }
            Ok((_, Record::Text(_))) => {}
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    let Some((layout, columns)) = first else {
        return Err(match reason {
            Some(error) => Error::Corrupt { path: file, reason: error.to_string() },
            None => Error::Empty { path: file },
        });
    };
    let mut evidence = format!("{seen}; columns {} ({})", columns.join(", "), layout.name());
    if others > 0 {
        evidence = format!("{evidence}; {others} of the first {rows} rows have other columns");
    }
    Ok(Detected { kind: layout.kind(), layout, format, evidence })
}

/// Detects the format of one file, and says what it was told from.
///
/// # Errors
/// The file cannot be read, is empty, or is in no format that is known.
pub fn detect_format(file: &Path) -> Result<(Format, String)> {
    let head = Head::of(file)?;
    let zipped = if head.gzip { "gzip, " } else { "" };
    let (format, seen) = of_head(&head, extension(file).as_deref(), file)?;
    if head.gzip && format.is_columnar() {
        let reason = format!("{format} files are compressed inside: give the file without .gz");
        return Err(Error::Unsupported { path: file.to_owned(), reason });
    }
    Ok((format, format!("{zipped}{seen}")))
}

fn of_head(head: &Head, extension: Option<&str>, file: &Path) -> Result<(Format, String)> {
    let bytes = &head.bytes;
    let refuse = |reason: &str| Err(Error::Unsupported { path: file.to_owned(), reason: reason.to_owned() });
    if let Some(format) = of_magic(bytes) {
        return Ok((format, format!("magic bytes of {format}")));
    }
    if let Some(name) = foreign(bytes) {
        return refuse(&format!(
            "this is {name}; expected JSON, JSONL, CSV, Parquet, Arrow or text, plain or .gz"
        ));
    }
    let Some(&first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Err(Error::Empty { path: file.to_owned() });
    };
    let named = extension.and_then(Format::of_extension);
    match named {
        Some(Format::Parquet | Format::Arrow) => {
            refuse("the name says it is columnar, the first bytes do not")
        }
        Some(Format::Json | Format::Jsonl) if first == b'[' => {
            Ok((Format::Json, "begins with `[`".to_owned()))
        }
        Some(Format::Json | Format::Jsonl) if first == b'{' => Ok(of_objects(head)),
        Some(Format::Json | Format::Jsonl) => {
            refuse("the name says JSON, but the file begins with neither `{` nor `[`")
        }
        Some(format) => Ok((format, format!("the name ends in .{}", extension.unwrap_or_default()))),
        None if bytes.contains(&0) => refuse("binary data of no known format"),
        None if first == b'{' => Ok(of_objects(head)),
        None if first == b'[' && looks_like_array(bytes) => Ok((Format::Json, "begins with `[{`".to_owned())),
        None => Ok((Format::Text, "no other format fits".to_owned())),
    }
}

fn of_magic(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"PAR1") {
        return Some(Format::Parquet);
    }
    // An IPC stream begins with a continuation marker and the length of its schema message.
    let stream = bytes.len() > 8 && bytes.starts_with(&[0xFF; 4]) && bytes[7] == 0;
    (bytes.starts_with(b"ARROW1") || stream).then_some(Format::Arrow)
}

/// Formats that users try and that are not read.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let magics: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"\x28\xb5\x2f\xfd", "zstandard data"),
        (b"\xfd7zXZ", "xz data"),
        (b"BZh", "bzip2 data"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"SQLite format 3", "an SQLite database"),
        (b"%PDF", "a PDF document"),
        (b"\xff\xfe", "UTF-16 text (save it as UTF-8)"),
        (b"\xfe\xff", "UTF-16 text (save it as UTF-8)"),
    ];
    magics.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name)
}

/// One object a line, or objects over several lines: told by whether the first line is complete.
fn of_objects(head: &Head) -> (Format, String) {
    let start = head.bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let rest = &head.bytes[start..];
    let line_end = rest.iter().position(|&byte| byte == b'\n');
    let (first, cut) = match line_end {
        Some(end) => (&rest[..end], false),
        None => (rest, !head.is_whole()),
    };
    let complete = serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok();
    // A first line that ends before its object does belongs to an object printed over several lines, where that
    // object is complete later on; otherwise the line is a broken row and the rest is still read line by line.
    let whole = serde_json::Deserializer::from_slice(rest).into_iter::<serde::de::IgnoredAny>().next();
    if complete || cut || !matches!(whole, Some(Ok(_))) {
        return (Format::Jsonl, "one JSON object a line".to_owned());
    }
    (Format::Json, "JSON objects over several lines".to_owned())
}

fn looks_like_array(bytes: &[u8]) -> bool {
    let mut seen = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    seen.next() == Some(&b'[') && seen.next() == Some(&b'{')
}
