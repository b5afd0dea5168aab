//! Waiting for a condition, with a deadline.

use std::{
    future::Future,
    panic::Location,
    time::{Duration, Instant},
};

/// Polls `condition` until it holds.
///
/// # Panics
/// At the caller's place, when it does not hold within `deadline`.
#[track_caller]
pub fn eventually<F, Fut>(deadline: Duration, mut condition: F) -> impl Future<Output = ()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let caller = Location::caller();
    async move {
        let start = Instant::now();
        let mut pause = Duration::from_millis(2);
        while !condition().await {
            assert!(start.elapsed() < deadline, "the condition at {caller} did not hold within {deadline:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
