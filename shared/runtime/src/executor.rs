//! The async executor of a service process: few threads, so that an idle stack stays small.

use std::{future::Future, io};

/// Worker threads of a service; its work is waiting, and what computes runs in child processes or on blocking threads.
const WORKERS: usize = 2;

/// Runs `future` on an executor of two workers and waits for it.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let executor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(32)
        .enable_all()
        .build()?;
    Ok(executor.block_on(future))
}
