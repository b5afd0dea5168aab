//! The life of a task over its row: every rule that decides who may change it.
//!
//! Each function takes an open transaction, reads and locks the row, decides by the pure state machine of
//! `anneal_domain::task`, writes the row and appends what must leave with it. No HTTP, no broker here; time is the
//! transaction's.

mod checkpoint;
mod checkpoint_evaluation;
mod claim;
mod create;
mod delete;
mod end;
mod estimate;
mod finish;
mod idempotency;
mod inputs;
mod kept_model;
mod leak_check;
mod lose;
mod model_of_task;
mod query;
mod record;
mod renew;
mod rescore;
#[cfg(test)]
mod schedules;
mod scored_checkpoint;
mod stage;
mod still_there;
mod verb;
mod wanted_spec;

pub(crate) use checkpoint::{
    CheckpointRow, commit as commit_checkpoint, of_task as checkpoints_of, reject as reject_checkpoint,
};
pub(crate) use checkpoint_evaluation::{
    Wanted as WantedEvaluation, due as due_evaluations, give_up as give_up_evaluation,
    make as make_evaluation, of_training as evaluations_of_training, postpone as postpone_evaluation,
    rename as rename_evaluation,
};
pub(crate) use claim::claim;
pub(crate) use create::{NewTask, insert};
pub(crate) use delete::delete;
pub(crate) use estimate::{Estimate, estimate};
pub(crate) use finish::finish;
pub(crate) use idempotency::{Key as IdempotencyKey, find as find_idempotent, remember};
pub(crate) use inputs::{Resolved, resolve};
pub(crate) use lose::{expire, expired, shorten, too_long};
pub(crate) use model_of_task::take_model;
pub(crate) use query::{Filter, evaluations_of, list, queues, succeeded_evaluations, unclaimed, user_of};
pub(crate) use record::dispatch_again;
pub(crate) use renew::renew;
pub(crate) use stage::report as report_stage;
pub(crate) use still_there::still_there;
pub(crate) use verb::request;
pub(crate) use wanted_spec::read as read_spec;

/// An engine failure is tried again until this many attempts failed.
pub(crate) const MOST_FAILED_ATTEMPTS: i64 = 3;
/// Leases that may run out since the last checkpoint before the task fails: whatever kills its workers will go on to.
pub(crate) const MOST_LOST_LEASES: i64 = 5;
