//! The evaluations of a training's checkpoints: wanted in the transaction that commits the checkpoint, each made into a task of
//! its own once, and its scores put on the training's curves in the transaction that ends it.
//!
//! The evaluation is a task like any other: its leases, retries, verbs and bill are its own. A pause or a resumption of the
//! training is passed on to it; a cancelled training takes it along, and any other end leaves what is wanted to be scored.

mod follow;
mod make;
mod row;
mod settle;
mod want;

pub(in crate::tasks) use follow::{follow, under_way, withdraw};
pub(in crate::tasks) use make::{FACT, Frozen};
pub(crate) use make::{give_up, make, postpone, rename};
pub(crate) use row::{Wanted, due, of_training};
pub(in crate::tasks) use row::{delete, is_awaited};
pub(in crate::tasks) use settle::settle;
pub(in crate::tasks) use want::{want_checkpoint, want_first};
