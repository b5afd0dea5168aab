//! What every handler works with.

use std::sync::Arc;

use anneal_artifacts::ObjectStore;
use anneal_bus::Bus;
use anneal_store::{Store, Tx};
use tokio::sync::Semaphore;

use crate::{Config, Error, wakes::Wakes, work_folder::WorkFolder};

/// The service's parts; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) objects: ObjectStore,
    pub(crate) config: Arc<Config>,
    /// Where uploads wait while they are checked.
    pub(crate) work: WorkFolder,
    /// What streams wait for.
    pub(crate) wakes: Wakes,
    pub(crate) http: reqwest::Client,
    /// Whose turn it is to compare evaluations: each takes memory, disk and every processor for seconds.
    pub(crate) comparing: Arc<Semaphore>,
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
}
