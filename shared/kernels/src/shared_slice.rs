//! A slice that several tasks write to, each its own ranges.
#![allow(unsafe_code, reason = "tasks write to disjoint ranges that no safe split can express")]

use std::{marker::PhantomData, ops::Range};

/// A mutable slice shared by tasks that promise to keep to disjoint ranges.
pub(crate) struct SharedSlice<'a> {
    start: *mut f32,
    len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is `range`, whose callers promise disjointness.
unsafe impl Sync for SharedSlice<'_> {}

impl<'a> SharedSlice<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), owner: PhantomData }
    }

    /// The elements of `range`.
    ///
    /// # Safety
    /// While the returned slice lives nobody else may ask for an overlapping range.
    #[allow(clippy::mut_from_ref, reason = "the point of the type; see the contract")]
    pub(crate) unsafe fn range(&self, range: Range<usize>) -> &mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice (asserted), disjoint from every other borrow (the caller's promise).
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
