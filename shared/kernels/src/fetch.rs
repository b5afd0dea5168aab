//! Asking for values ahead of their use.

/// Lets values come from memory into the second cache while something else is worked on.
#[cfg(target_arch = "x86_64")]
pub(crate) fn fetch(values: &[f32]) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

    use crate::aligned::LINE;

    for line in values.chunks(LINE / size_of::<f32>()) {
        #[allow(unsafe_code, reason = "a hint about memory that is there")]
        // SAFETY: every x86-64 has the instruction, and it changes nothing.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
}

/// Elsewhere values come when they are read.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn fetch(_values: &[f32]) {}
