//! Takes leases away that ran out, by the database's time.

use std::time::Duration;

use anneal_runtime::{CancellationToken, fail};

use super::repeat::repeat;
use crate::{App, Error, tasks};

/// Looks every `sweep_ms` until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let period = Duration::from_millis(app.config.sweep_ms.max(10));
    repeat(period, stop, "leases", || sweep(&app)).await
}

async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.store.now_ms().await?;
    for task in tasks::expired(app.store.read(), now).await? {
        match app.transaction(move |tx| async move { tasks::expire(&tx, task).await }).await {
            Ok(true) => tracing::info!(%task, "its lease ran out"),
            Ok(false) => {}
            // One row that cannot be dealt with holds up no other.
            Err(error) => tracing::error!(%error, %task, "its lease ran out and could not be taken away"),
        }
        fail::point("reaper.mid_sweep");
    }
    let lease_ms = app.config.lease_ms;
    for task in tasks::too_long(app.store.read(), now, lease_ms).await? {
        match app.transaction(move |tx| async move { tasks::shorten(&tx, task, lease_ms).await }).await {
            Ok(true) => tracing::warn!(%task, "the clock was set back: its lease was shortened"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, %task, "its lease is too long and could not be shortened"),
        }
    }
    Ok(())
}
