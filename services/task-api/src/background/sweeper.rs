//! Dispatches queued tasks again that nobody claimed: a wiped broker loses nothing.

use std::time::Duration;

use anneal_runtime::CancellationToken;

use crate::{App, Error, tasks};

/// Looks several times in each `redispatch_ms` until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let after_ms = app.config.redispatch_ms.max(100);
    let period = Duration::from_millis(after_ms.unsigned_abs() / 6).min(Duration::from_secs(10));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
        if let Err(error) = sweep(&app, after_ms).await {
            tracing::warn!(%error, "queued tasks could not be looked at; trying again");
        }
    }
}

async fn sweep(app: &App, after_ms: i64) -> Result<(), Error> {
    let before = app.store.now_ms().await?.saturating_sub(after_ms);
    for task in tasks::unclaimed(app.store.read(), before).await? {
        if app.transaction(move |tx| async move { tasks::dispatch_again(&tx, task, before).await }).await? {
            tracing::info!(%task, "dispatched again: nobody claimed it");
        }
    }
    Ok(())
}
