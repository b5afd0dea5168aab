//! Datasets and their versions: rows, the files of a version, and the check of an upload.

mod archive;
mod check;
mod file;
mod keep;
mod row;

pub(crate) use archive::{is_archive, unpack};
pub(crate) use check::{Checked, Wanted, check};
pub(crate) use file::StoredFile;
pub(crate) use keep::{Plan, keep};
pub(crate) use row::{
    DatasetRow, NewVersion, add_version, builtin, delete, find, list, readable, version, versions,
};
