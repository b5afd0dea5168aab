//! The loop of everything that looks at the database again and again.

use std::time::Duration;

use anneal_runtime::CancellationToken;

use crate::Error;

/// Looks after every `period` until `stop`. An error is told with `what` was to be looked at, and the next look tries again.
pub(super) async fn repeat<Look>(
    period: Duration,
    stop: CancellationToken,
    what: &'static str,
    look: impl Fn() -> Look,
) -> Result<(), Error>
where
    Look: Future<Output = Result<(), Error>>,
{
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
        if let Err(error) = look().await {
            tracing::warn!(%error, "{what} could not be looked at; trying again");
        }
    }
}
