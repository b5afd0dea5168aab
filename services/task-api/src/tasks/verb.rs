//! What people (and billing) ask of a task.

use anneal_contracts::event::{TaskEvent, VerbRequested};
use anneal_domain::task::{TaskState, Verb};
use anneal_store::Tx;

use super::{
    checkpoint_evaluation, create,
    end::{self, Ending},
    record,
};
use crate::{Error, store::TaskRow};

/// Carries a request out on a locked row: at once where nobody holds the lease, else the worker learns of it at its next
/// renewal. Asking again for what is already so changes nothing.
pub(crate) async fn request(tx: &Tx, mut row: TaskRow, verb: Verb, reason: &str) -> Result<TaskRow, Error> {
    let now = tx.now_ms().await?;
    let (state, epoch) = (row.state()?, row.epoch);
    let next = state.request(verb)?;
    if next == state {
        return Ok(row);
    }
    next.as_str().clone_into(&mut row.state);
    row.updated_at_ms = now;
    let asked = VerbRequested { task: row.task()?, verb, state: next, reason: reason.to_owned() };
    record::event(tx, &mut row, TaskEvent::VerbRequested(asked), now).await?;
    if next == TaskState::Queued {
        let queued = create::queued(&row)?;
        record::event(tx, &mut row, queued, now).await?;
        record::dispatch(tx, &mut row, now).await?;
    } else if next == TaskState::Paused || next.is_terminal() {
        end::end(tx, &mut row, next, Ending::default(), now).await?;
    }
    row.save(tx, state, epoch).await?;
    checkpoint_evaluation::follow(tx, &row, verb).await?;
    Ok(row)
}
