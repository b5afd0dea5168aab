//! The request to stop: SIGTERM or SIGINT, seen between two batches.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

/// Whether the run was asked to stop. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A request that only [`Stop::request`] makes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A request that SIGTERM or SIGINT makes; returns once the signals are listened for.
    pub fn on_signal() -> std::io::Result<Self> {
        let stop = Self::new();
        let asked = stop.clone();
        let (ready, listening) = mpsc::channel();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let waited = anneal_runtime::block_on(async move {
                match anneal_runtime::shutdown::on_signal() {
                    Ok(token) => {
                        // The other side waits for this one message.
                        let _ = ready.send(Ok(()));
                        token.cancelled().await;
                        asked.request();
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
            if let Err(error) = waited {
                tracing::error!(%error, "cannot listen for signals");
            }
        })?;
        listening.recv().map_err(std::io::Error::other)??;
        Ok(stop)
    }

    /// Asks the run to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
