//! Datasets and their versions: rows, and the check of an upload.

mod check;
mod row;

pub(crate) use check::{Checked, Wanted, check};
pub(crate) use row::{DatasetRow, NewVersion, add_version, builtin, delete, find, list, readable};
