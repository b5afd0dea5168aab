//! Models and datasets from a hub: what was asked for, how far it is, and the work itself.
//!
//! An import is a row. One process at a time holds it, for as long as it says that it is still there; whoever takes over a
//! dead one's goes on with the files that are not stored yet, of the same commit.

mod request;
mod row;
mod work;

pub(crate) use request::{HubImport, ImportKind};
pub(crate) use row::{ImportRow, find, insert, is_one_due, list, next};
pub(crate) use work::carry_out;
