//! Tiles in plain Rust.
#![allow(unsafe_code, reason = "tiles take pointers")]

use super::{NR, Store, place};

/// f32 cells.
pub(super) unsafe fn plain<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, .. }: Store,
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
        // SAFETY: the tile has `R` rows, the caller's guarantee.
        unsafe { store(&sums, c.add(panel * NR), ldc, add) };
    }
}

/// `b` in cells of two bf16, widened: bit for bit what [`plain`] gives.
pub(super) unsafe fn plain_widening<const R: usize, const W: usize, const S: usize>(
    _rows: usize,
    k: usize,
    a: *const f32,
    b: [*const f32; 2],
    c: *mut f32,
    ldc: usize,
    Store { add, .. }: Store,
) {
    for (panel, &b) in b[..W].iter().enumerate() {
        // SAFETY: the panel holds `k` groups, the caller's guarantee.
        let b = unsafe { std::slice::from_raw_parts(b, k * NR) };
        let mut sums = [[0.0_f32; NR]; R];
        for (n, cells) in b.as_chunks::<NR>().0.iter().enumerate() {
            for half in 0..2 {
                let b = cells.map(|cell| halves(cell)[half]);
                for (r, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: the panel holds two values of every row for each cell, the caller's guarantee.
                    let a = unsafe { a.add(place::<S, 6>(2 * n + half, r)).read() };
                    for (sum, b) in sums.iter_mut().zip(&b) {
                        *sum += a * b;
                    }
                }
            }
        }
        // SAFETY: the tile has `R` rows, the caller's guarantee.
        unsafe { store(&sums, c.add(panel * NR), ldc, add) };
    }
}

/// Writes or adds finished sums to a panel's columns.
///
/// # Safety
/// At `c` there are [`NR`] floats for each of the rows, `ldc` apart.
unsafe fn store<const R: usize>(sums: &[[f32; NR]; R], c: *mut f32, ldc: usize, add: bool) {
    for (r, sums) in sums.iter().enumerate() {
        // SAFETY: the caller's guarantee.
        let c = unsafe { std::slice::from_raw_parts_mut(c.add(r * ldc), NR) };
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if add { *c + sum } else { *sum };
        }
    }
}

/// The two values of a cell.
fn halves(cell: f32) -> [f32; 2] {
    [f32::from_bits(cell.to_bits() << 16), f32::from_bits(cell.to_bits() & 0xFFFF_0000)]
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
    Store { add, .. }: Store,
) {
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
