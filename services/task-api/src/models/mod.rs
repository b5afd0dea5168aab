//! Models: built-in, imported, trained, compiled. Their rows, and the checks an imported one must pass.

mod ancestry;
mod check;
mod complete;
mod row;

pub(crate) use ancestry::ancestry;
pub(crate) use complete::complete;
pub(crate) use row::{
    Filter, ModelRow, delete, files, find, insert, list, locked, make_ready, note_file, readable,
};
