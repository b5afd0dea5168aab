//! The thread pool of all kernels. Results never depend on its size.

use std::sync::{Arc, RwLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Result;

static POOL: RwLock<Option<Arc<ThreadPool>>> = RwLock::new(None);

/// Sets how many threads the kernels use; 0 means one a core. Takes effect for calls that start afterwards.
pub fn set_threads(n: usize) -> Result<()> {
    let pool = ThreadPoolBuilder::new().num_threads(n).thread_name(|i| format!("kernel-{i}")).build()?;
    *POOL.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(pool));
    Ok(())
}

/// How many threads the kernels use.
pub fn threads() -> usize {
    current().map_or_else(rayon::current_num_threads, |pool| pool.current_num_threads())
}

/// Runs `f` on a kernel thread; kernels called inside then start their parallel work without a hand-over.
/// Worth it around a whole forward pass of few tokens.
pub fn in_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    match current() {
        Some(pool) => pool.install(f),
        None => f(),
    }
}

fn current() -> Option<Arc<ThreadPool>> {
    POOL.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}
