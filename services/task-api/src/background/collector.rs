//! Removes the objects of what was discarded, once nobody can be using them any more.

use std::time::Duration;

use anneal_runtime::CancellationToken;

use super::repeat::repeat;
use crate::{App, Error, discarded};

/// Looks several times in each `discard_after_ms` until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    let after_ms = app.config.discard_after_ms.max(0);
    let period = Duration::from_millis((after_ms.unsigned_abs() / 4).clamp(50, 60_000));
    repeat(period, stop, "discarded objects", || collect(&app, after_ms)).await
}

async fn collect(app: &App, after_ms: i64) -> Result<(), Error> {
    let before = app.store.now_ms().await?.saturating_sub(after_ms);
    for prefix in discarded::due(app.store.read(), before).await? {
        // One folder that cannot be removed now keeps no other waiting.
        if let Err(error) = remove(app, &prefix, before).await {
            tracing::warn!(%error, %prefix, "discarded objects stay for now; trying again later");
            app.transaction(move |tx| async move { discarded::discard(&tx, &prefix).await }).await?;
        }
    }
    Ok(())
}

async fn remove(app: &App, prefix: &anneal_artifacts::Prefix, before: i64) -> Result<(), Error> {
    let kept = discarded::still_named(app.store.read(), prefix).await?;
    let count = app.objects.delete_prefix_but(prefix, &kept).await?;
    let folder = prefix.clone();
    app.transaction(move |tx| async move { discarded::forget(&tx, &folder, before).await }).await?;
    tracing::debug!(%prefix, count, "discarded objects were removed");
    Ok(())
}
