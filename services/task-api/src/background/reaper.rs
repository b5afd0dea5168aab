//! Takes leases away that ran out, by the database's time.

use std::time::Duration;

use anneal_runtime::{CancellationToken, fail};

use crate::{App, Error, tasks};

/// Looks every `sweep_ms` until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let period = Duration::from_millis(app.config.sweep_ms.max(10));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "leases could not be looked at; trying again");
        }
    }
}

async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.store.now_ms().await?;
    for task in tasks::expired(app.store.read(), now).await? {
        if app.transaction(move |tx| async move { tasks::expire(&tx, task).await }).await? {
            tracing::info!(%task, "its lease ran out");
        }
        fail::point("reaper.mid_sweep");
    }
    Ok(())
}
