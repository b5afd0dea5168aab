//! A file as a stream of bytes: decompressed, without its byte-order mark, counted, and cut into bounded pieces.

mod documents;
mod lines;
mod source;
mod values;

pub(crate) use documents::{Documents, holds_separator};
pub(crate) use lines::Lines;
pub(crate) use source::{Head, Source};
pub(crate) use values::Values;

/// A piece of a file and the line it starts on.
pub(crate) type Piece = (u64, Vec<u8>);
