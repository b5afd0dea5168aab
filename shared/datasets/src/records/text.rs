//! Documents of a plain-text file: apart by `<|endoftext|>` where that occurs anywhere, otherwise one a line.

use std::{io::BufRead, path::Path};

use super::{Record, Rows};
use crate::{
    Error, Limits, Result, RowError,
    bytes::{Documents, Lines, Piece, Source, holds_separator},
};

pub(super) fn is_separated(file: &Path) -> Result<bool> {
    holds_separator(Source::open(file)?.reader).map_err(|source| Error::Io { path: file.to_owned(), source })
}

pub(super) fn rows(reader: Box<dyn BufRead + Send>, separated: bool, limits: Limits) -> Rows {
    if separated {
        Box::new(Documents::new(reader, limits.row_bytes).filter_map(|piece| document(piece).transpose()))
    } else {
        Box::new(Lines::new(reader, limits.row_bytes).filter_map(|piece| document(piece).transpose()))
    }
}

/// A stripped document; `None` where nothing is left of it.
fn document(piece: Result<Piece, RowError>) -> Result<Option<(u64, Record)>, RowError> {
    let (start, bytes) = piece?;
    let leading = bytes.iter().take_while(|byte| byte.is_ascii_whitespace());
    let line = start + leading.filter(|&&byte| byte == b'\n').count() as u64;
    if bytes.contains(&0) {
        return Err(RowError::new(line, "the text holds a NUL byte: this is binary data"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        RowError::new(line, format!("not valid UTF-8 at byte {at} of the document"))
    })?;
    // Python's `str.strip` also removes the four ASCII separators.
    let text = text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    Ok((!text.is_empty()).then(|| (line, Record::Text(text.to_owned()))))
}
