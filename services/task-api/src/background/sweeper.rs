//! Dispatches queued tasks again whose dispatch the broker no longer holds: a wiped broker loses nothing.
//!
//! A queue that is only long keeps its messages: as many tasks are dispatched again as the broker holds too few dispatches.
//! Dispatches of tasks that were claimed or ended meanwhile count too until a worker reads them; then the rest is made up.

use std::time::Duration;

use anneal_contracts::{stream, subject};
use anneal_domain::id::TaskId;
use anneal_runtime::CancellationToken;

use super::repeat::repeat;
use crate::{App, Error, tasks};

/// Looks several times in each `redispatch_ms` until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let after_ms = app.config.redispatch_ms.max(100);
    let period = Duration::from_millis(after_ms.unsigned_abs() / 6).min(Duration::from_secs(10));
    repeat(period, stop, "queued tasks", || sweep(&app, after_ms)).await
}

async fn sweep(app: &App, after_ms: i64) -> Result<(), Error> {
    let before = app.store.now_ms().await?.saturating_sub(after_ms);
    for queue in tasks::queues(app.store.read()).await? {
        if queue.oldest_dispatch_ms >= before {
            continue;
        }
        let filter = subject::dispatch(queue.kind, queue.pool);
        let held = match app.bus.held(&stream::TASKS, &filter).await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(%error, %filter, "the broker does not say what it holds; looking again");
                continue;
            }
        };
        let lost = queue.queued.saturating_sub(held);
        if lost == 0 {
            continue;
        }
        for task in tasks::unclaimed(app.store.read(), &queue, before, lost).await? {
            dispatch(app, task, before).await;
        }
    }
    Ok(())
}

/// One row that cannot be dispatched keeps no other from it.
async fn dispatch(app: &App, task: TaskId, before: i64) {
    match app.transaction(move |tx| async move { tasks::dispatch_again(&tx, task, before).await }).await {
        Ok(true) => tracing::info!(%task, "dispatched again: its dispatch was lost"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%task, %error, "could not be dispatched again; trying again"),
    }
}
