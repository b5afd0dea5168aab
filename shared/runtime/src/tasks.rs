//! Background tasks whose errors and panics are never lost.

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Spawns a task whose panic is logged. Its handle gives the value; dropping the handle lets it run on.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let inner = spawn_bare(future);
    spawn_bare(async move {
        let _abort = AbortOnDrop(inner.abort_handle());
        match inner.await {
            Ok(value) => Some(value),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(task = name, %error, "a background task panicked");
                }
                None
            }
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that spawns, and both callers watch the task"
)]
fn spawn_bare<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Aborting the watcher aborts what it watches.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A supervised task ended in an error or a panic, and the service with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("background task `{task}` failed: {reason}")]
pub struct TaskFailed {
    /// Which task.
    pub task: &'static str,
    /// What it said.
    pub reason: String,
}

/// Runs the long-lived tasks of a service: the first that fails ends the service.
#[derive(Clone, Debug)]
pub struct Supervisor {
    shutdown: CancellationToken,
    tracker: TaskTracker,
    failure: Arc<OnceLock<TaskFailed>>,
}

impl Supervisor {
    /// A supervisor whose tasks live until `shutdown`.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, tracker: TaskTracker::new(), failure: Arc::default() }
    }

    /// The token its tasks should end on.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Spawns a task. An error or a panic is logged and shuts the service down; ending well does not.
    pub fn spawn<E: fmt::Display + Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let supervisor = self.clone();
        let inner = spawn_bare(future);
        self.tracker.spawn(async move {
            let reason = match inner.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::error!(task = name, reason, "a background task failed; shutting down");
            let failure = TaskFailed { task: name, reason };
            // Only the first failure is the reason for the shutdown; later ones are in the log.
            drop(supervisor.failure.set(failure));
            supervisor.shutdown.cancel();
        });
    }

    /// Waits for the shutdown, then up to `grace` for the tasks to end. A failed task is the error.
    pub async fn wait(self, grace: Duration) -> Result<(), TaskFailed> {
        self.shutdown.cancelled().await;
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_err() {
            tracing::warn!(left = self.tracker.len(), "background tasks did not end in time");
        }
        self.failure.get().cloned().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_service_and_names_the_task() {
        let supervisor = Supervisor::new(CancellationToken::new());
        let token = supervisor.shutdown();
        supervisor.spawn("patient", async move {
            token.cancelled().await;
            Ok::<_, String>(())
        });
        supervisor.spawn("clumsy", async {
            assert!(std::env::args().len() > 10_000, "on purpose");
            Ok::<_, String>(())
        });
        let failure = supervisor.wait(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(failure.task, "clumsy");
    }

    #[tokio::test]
    async fn ending_well_is_no_failure() {
        let supervisor = Supervisor::new(CancellationToken::new());
        supervisor.spawn("short", async { Ok::<_, String>(()) });
        supervisor.shutdown().cancel();
        supervisor.wait(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn aborting_a_spawned_task_aborts_its_work() {
        let (alive, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        let handle = spawn("held", async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        handle.abort();
        let closed = tokio::time::timeout(Duration::from_secs(5), ended.recv()).await.unwrap();
        assert_eq!(closed, None);
    }
}
