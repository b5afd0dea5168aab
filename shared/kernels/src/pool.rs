//! The thread pool of all kernels. Results never depend on its size.

use std::sync::{Arc, RwLock};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

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

/// Calls `f` for every number below `count`, in parallel or not.
pub(crate) fn each(parallel: bool, count: usize, f: impl Fn(usize) + Sync) {
    if parallel && count > 1 {
        in_pool(|| (0..count).into_par_iter().for_each(&f));
    } else {
        (0..count).for_each(f);
    }
}

/// Calls `f` with the index and the slice of every part of `length` elements, in parallel or not.
pub(crate) fn parts(parallel: bool, xs: &mut [f32], length: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if parallel && xs.len() > length {
        in_pool(|| xs.par_chunks_mut(length).enumerate().for_each(|(n, part)| f(n, part)));
    } else {
        xs.chunks_mut(length.max(1)).enumerate().for_each(|(n, part)| f(n, part));
    }
}
