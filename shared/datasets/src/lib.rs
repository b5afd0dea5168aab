//! Dataset formats: detection, row validation with line numbers, streaming readers, splits and statistics.
//!
//! [`detect`] says what a file is and why; [`Records`] streams its raw rows; [`Reader`] streams typed [`Row`]s of one
//! [`Kind`]; [`validate()`] reads all of it and reports. Memory is bounded by one row or one record batch, never by
//! the file. This crate knows no tokenizer, no tasks and no storage.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("rows.jsonl");
//! std::fs::write(&path, "{\"text\":\"Once upon a time\"}\n")?;
//! let reader = anneal_datasets::Reader::open(&path, None, None)?;
//! assert_eq!(reader.filter_map(Result::ok).count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bytes;
mod detect;
mod error;
mod files;
mod format;
mod kind;
mod layouts;
mod limits;
mod reader;
mod records;
mod row;
mod split;
mod validate;

pub use detect::{Detected, detect, detect_format};
pub use error::{Error, Result, RowError};
pub use files::{data_files, is_data_file};
pub use format::Format;
pub use kind::{Kind, Layout};
pub use limits::Limits;
pub use reader::Reader;
pub use records::{Record, Records};
pub use row::{Conversation, Message, Preference, Row};
pub use split::{Part, Split};
pub use validate::{Progress, Report, ValidateOptions, validate};
