//! Tiles in plain Rust.
#![allow(unsafe_code, reason = "tiles take pointers")]

use super::{NR, place};

/// f32 cells.
pub(super) unsafe fn plain<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    for (panel, &b) in b[..W].iter().enumerate() {
        // SAFETY: the panel holds `k` groups, the caller's guarantee.
        let b = unsafe { std::slice::from_raw_parts(b, k * NR) };
        let mut sums = [[0.0_f32; NR]; R];
        for (n, b) in b.as_chunks::<NR>().0.iter().enumerate() {
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the panel holds `k` cells of every row, the caller's guarantee.
                let a = unsafe { a.add(place::<S, 6>(n, r)).read() };
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee.
            let c = unsafe { std::slice::from_raw_parts_mut(c.add(r * ldc + panel * NR), NR) };
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = if add { *c + sum } else { *sum };
            }
        }
    }
}

/// Cells of two bf16, without the instructions for them.
#[cfg(test)]
pub(super) unsafe fn plain_pairs<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    add: bool,
) {
    let halves =
        |cell: f32| [f32::from_bits(cell.to_bits() << 16), f32::from_bits(cell.to_bits() & 0xFFFF_0000)];
    for r in 0..R {
        for column in 0..W * NR {
            let mut sum = 0.0_f32;
            for n in 0..k {
                // SAFETY: the panels hold `k` groups, the caller's guarantee.
                let (a, b) = unsafe {
                    (a.add(place::<S, 12>(n, r)).read(), b[column / NR].add(n * NR + column % NR).read())
                };
                let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
                sum += a0 * b0 + a1 * b1;
            }
            // SAFETY: row `r` of the tile has `W · NR` floats, the caller's guarantee.
            unsafe {
                let c = c.add(r * ldc + column);
                c.write(if add { c.read() + sum } else { sum });
            }
        }
    }
}
