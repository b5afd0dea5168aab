//! What every handler works with.

use std::sync::Arc;

use anneal_artifacts::ObjectStore;
use anneal_bus::Bus;
use anneal_store::{Store, Tx};
use tokio::sync::watch;

use crate::{Config, Error};

/// The service's parts; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) objects: ObjectStore,
    pub(crate) config: Arc<Config>,
    /// Counts additions to the event log and the logs: what streams wait for.
    pub(crate) grew: Arc<watch::Sender<u64>>,
    pub(crate) http: reqwest::Client,
}

impl App {
    /// Runs `work` in a transaction of its own task: a caller that leaves cancels nothing.
    pub(crate) async fn transaction<T, F, Fut>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        self.store.transaction(work).await
    }

    /// Wakes every stream.
    pub(crate) fn wake(&self) {
        self.grew.send_modify(|count| *count += 1);
    }
}
