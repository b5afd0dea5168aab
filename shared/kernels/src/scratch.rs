//! Scratch memory, used again and again: fresh pages cost more than packing into them.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

use memmap2::MmapMut;

static FREE: Mutex<Vec<Region>> = Mutex::new(Vec::new());
thread_local! {
    /// Small regions, asked for in the midst of parallel work: no thread waits for another one's.
    static OWN: RefCell<Vec<Region>> = const { RefCell::new(Vec::new()) };
}
/// Floats of a small region.
const SMALL: usize = 1 << 16;
/// Buffers kept for later, of a thread and of all; more are given back to the system.
const KEPT: usize = 8;
/// Bytes by which a region grows, and from which on it asks for large pages.
const LARGE_PAGE: usize = 2 << 20;

/// Memory of its own from the system: a buffer that is kept between two steps would cut the heap that everything else of a step is
/// taken from and given back to.
#[derive(Debug, Default)]
struct Region(Option<MmapMut>);

impl Region {
    /// Of `len` floats or more.
    fn new(len: usize) -> Self {
        let bytes = len.max(1) * size_of::<f32>();
        let large = bytes >= LARGE_PAGE;
        let bytes = if large { bytes.next_multiple_of(LARGE_PAGE) } else { bytes };
        let map = MmapMut::map_anon(bytes).expect("the system gives memory");
        #[cfg(target_os = "linux")]
        if large {
            // Only advice: small pages work as well.
            let _refused = map.advise(memmap2::Advice::HugePage);
        }
        Self(Some(map))
    }

    /// Floats it holds.
    fn room(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.len() / size_of::<f32>())
    }
}

/// A scratch slice, given back when dropped.
pub(crate) struct Buffer {
    region: Region,
    len: usize,
}

/// A buffer of `len` elements with unspecified content.
pub(crate) fn scratch(len: usize) -> Buffer {
    let region = match len {
        0 => Region::default(),
        1..=SMALL => OWN.with_borrow_mut(Vec::pop).unwrap_or_else(|| Region::new(SMALL)),
        _ => large(len),
    };
    Buffer { region, len }
}

fn large(len: usize) -> Region {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let fitting = (0..free.len()).filter(|&n| free[n].room() >= len).min_by_key(|&n| free[n].room());
    let taken = fitting.or_else(|| (0..free.len()).max_by_key(|&n| free[n].room()));
    let region = taken.map(|n| free.swap_remove(n)).unwrap_or_default();
    drop(free);
    if region.room() >= len { region } else { Region::new(len) }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let region = std::mem::take(&mut self.region);
        let keep = |kept: &mut Vec<Region>| {
            if kept.len() < KEPT {
                kept.push(region);
            }
        };
        match self.len {
            0 => {}
            1..=SMALL => OWN.with_borrow_mut(keep),
            _ => keep(&mut FREE.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.region.0.as_ref().map_or(&[], |map| &bytemuck::cast_slice(map)[..self.len])
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let map = self.region.0.as_mut();
        map.map_or(&mut [], |map| &mut bytemuck::cast_slice_mut(map)[..self.len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_asked_length_and_begins_at_a_page() {
        for len in [0, 1, 17, 100_000, 1 << 20] {
            let mut buffer = scratch(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.as_ptr().addr().is_multiple_of(4096) || len == 0);
            buffer.fill(1.0);
        }
    }
}
