//! Carries imports out, one at a time.

use std::time::Duration;

use anneal_domain::id::WorkerId;
use anneal_runtime::CancellationToken;

use crate::{App, Error, imports};

/// Looks every `sweep_ms` until `stop`; an import under way is left to whoever starts next.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let period = Duration::from_millis(app.config.sweep_ms.max(10));
    let holder = WorkerId::new().to_string();
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            looked = look(&app, &holder) => looked,
        };
        match looked {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "imports could not be looked at; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}

/// Carries the next one out; whether there was one.
async fn look(app: &App, holder: &str) -> Result<bool, Error> {
    if !imports::is_one_due(app.store.read(), app.store.now_ms().await?).await? {
        return Ok(false);
    }
    let holder = holder.to_owned();
    let next = app.transaction(move |tx| async move { imports::next(&tx, &holder).await }).await?;
    match next {
        Some(import) => imports::carry_out(app, import).await.map(|()| true),
        None => Ok(false),
    }
}
