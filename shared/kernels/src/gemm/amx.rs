//! Tiles of bf16 in AMX's registers: 32 rows by one or two panels.
//!
//! A register holds 16 rows of 16 cells. `TDPBF16PS` adds to 16 by 16 sums the products of 16 cells (32 values of `k`): the even
//! values' and the odd values' are summed apart, then added; denormals count as 0. A tile that is added to carries on from there.
#![allow(unsafe_code, reason = "the tile registers have no safe interface")]

/// Rows of a packed panel of `a`: two registers.
pub(super) const ROWS: usize = 32;

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{pack_rows, tile};

/// Never called: no kernel of another processor has blocks.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn pack_rows<'a>(_height: usize, _row: impl Fn(usize) -> &'a [f32], _out: &mut [f32]) {
    unreachable!("blocks of rows are AMX's")
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::{arch::asm, cell::Cell};

    use super::ROWS;
    use crate::{
        bf16_cells::join_neighbours,
        gemm::tile::{NR, Store},
    };

    /// Cells of a block of either operand.
    const BLOCK: usize = ROWS * NR;

    /// The operand of `LDTILECFG`: palette 1, every register 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Shape {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static SHAPE: Shape = Shape {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    thread_local! {
        static SHAPED: Cell<bool> = const { Cell::new(false) };
    }

    /// Gives this thread's registers their shape, once.
    fn shape() {
        if !SHAPED.replace(true) {
            // SAFETY: AMX was detected and granted before a kernel of it is chosen; no other code uses the registers.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPE, options(nostack, readonly)) };
        }
    }

    /// A tile as [`Kernel`](super::super::tile::Kernel) wants it, with `a` in blocks of rows.
    pub(in crate::gemm) unsafe fn tile<const W: usize>(
        rows: usize,
        k: usize,
        a: *const f32,
        b: [*const f32; 2],
        c: *mut f32,
        ldc: usize,
        Store { add, .. }: Store,
    ) {
        shape();
        // SAFETY: the caller's guarantee is that of all of these; `space` has 32 rows.
        unsafe {
            if rows == ROWS {
                sums::<W>(k, a, b, c, ldc, add);
            } else {
                let mut space = Sums([0.0; ROWS * 2 * NR]);
                let width = W * NR;
                if add {
                    for (r, row) in space.0.chunks_mut(width).enumerate().take(rows) {
                        std::ptr::copy_nonoverlapping(c.add(r * ldc), row.as_mut_ptr(), width);
                    }
                }
                sums::<W>(k, a, b, space.0.as_mut_ptr(), width, add);
                for (r, row) in space.0.chunks(width).enumerate().take(rows) {
                    std::ptr::copy_nonoverlapping(row.as_ptr(), c.add(r * ldc), width);
                }
            }
        }
    }

    #[repr(C, align(64))]
    struct Sums([f32; ROWS * 2 * NR]);

    /// Writes the sums of all 32 rows to `c`, or adds to what is there.
    unsafe fn sums<const W: usize>(
        k: usize,
        a: *const f32,
        b: [*const f32; 2],
        c: *mut f32,
        ldc: usize,
        add: bool,
    ) {
        let (blocks, rest) = (k / NR, k % NR);
        // SAFETY: `a` and the panels of `b` hold `blocks` whole blocks; behind them `a` has 32 rows, and each panel groups, of the
        // cells that are left; `c` has 32 rows.
        unsafe {
            if blocks > 0 {
                add_blocks::<W>(blocks, a, b, c, ldc, !add);
            }
            if rest > 0 {
                let mut left = [0.0_f32; BLOCK];
                for (r, row) in left.chunks_mut(NR).enumerate() {
                    std::ptr::copy_nonoverlapping(a.add(blocks * BLOCK + r * rest), row.as_mut_ptr(), rest);
                }
                let mut rights = [[0.0_f32; NR * NR]; 2];
                for (right, b) in rights.iter_mut().zip(&b[..W]) {
                    std::ptr::copy_nonoverlapping(b.add(blocks * NR * NR), right.as_mut_ptr(), rest * NR);
                }
                let rights = [rights[0].as_ptr(), rights[1].as_ptr()];
                add_blocks::<W>(1, left.as_ptr(), rights, c, ldc, blocks == 0 && !add);
            }
        }
    }

    /// Adds the products of whole blocks, one or more, to 32 rows of `c`, or to 0 when it is `fresh`.
    unsafe fn add_blocks<const W: usize>(
        blocks: usize,
        a: *const f32,
        b: [*const f32; 2],
        c: *mut f32,
        ldc: usize,
        fresh: bool,
    ) {
        let lower = c.wrapping_add(NR * ldc);
        let (line, ldc) = (64_usize, ldc * size_of::<f32>());
        let fresh = usize::from(fresh);
        // SAFETY: reads whole blocks, 1024 bytes a register, and the rows of `c`, and writes these. The registers are this
        // thread's own and have their shape.
        unsafe {
            if W == 2 {
                asm!(
                    "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                    "test {fresh}, {fresh}",
                    "jnz 2f",
                    "tileloadd tmm0, [{c} + {ldc}]",
                    "tileloadd tmm1, [{c} + {ldc} + 64]",
                    "tileloadd tmm2, [{lower} + {ldc}]",
                    "tileloadd tmm3, [{lower} + {ldc} + 64]",
                    "2:",
                    "tileloadd tmm6, [{b0} + {line}]",
                    "tileloadd tmm4, [{a} + {line}]",
                    "tileloadd tmm7, [{b1} + {line}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm5, [{a} + {line} + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {a}, 2048", "add {b0}, 1024", "add {b1}, 1024",
                    "dec {blocks}",
                    "jnz 2b",
                    "tilestored [{c} + {ldc}], tmm0",
                    "tilestored [{c} + {ldc} + 64], tmm1",
                    "tilestored [{lower} + {ldc}], tmm2",
                    "tilestored [{lower} + {ldc} + 64], tmm3",
                    a = inout(reg) a => _, b0 = inout(reg) b[0] => _, b1 = inout(reg) b[1] => _,
                    blocks = inout(reg) blocks => _, fresh = in(reg) fresh, line = in(reg) line,
                    c = in(reg) c, lower = in(reg) lower, ldc = in(reg) ldc,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            } else {
                asm!(
                    "tilezero tmm0", "tilezero tmm2",
                    "test {fresh}, {fresh}",
                    "jnz 2f",
                    "tileloadd tmm0, [{c} + {ldc}]",
                    "tileloadd tmm2, [{lower} + {ldc}]",
                    "2:",
                    "tileloadd tmm6, [{b0} + {line}]",
                    "tileloadd tmm4, [{a} + {line}]",
                    "tileloadd tmm5, [{a} + {line} + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "add {a}, 2048", "add {b0}, 1024",
                    "dec {blocks}",
                    "jnz 2b",
                    "tilestored [{c} + {ldc}], tmm0",
                    "tilestored [{lower} + {ldc}], tmm2",
                    a = inout(reg) a => _, b0 = inout(reg) b[0] => _,
                    blocks = inout(reg) blocks => _, fresh = in(reg) fresh, line = in(reg) line,
                    c = in(reg) c, lower = in(reg) lower, ldc = in(reg) ldc,
                    out("tmm0") _, out("tmm2") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
                    options(nostack),
                );
            }
        }
    }

    /// Packs `height` rows of `a`, the others 0, in blocks of rows ([`Layout::Blocks`](super::super::tile::Layout)): each row's values
    /// lie as bf16 one after the other.
    pub(in crate::gemm) fn pack_rows<'a>(height: usize, row: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
        let len = row(0).len();
        assert_eq!(out.len(), len.div_ceil(2) * ROWS);
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let width = out.len() / ROWS;
            let values = block * 2 * NR..len.min((block + 1) * 2 * NR);
            for (r, out) in out.chunks_mut(width).enumerate() {
                if r < height {
                    join_neighbours(&row(r)[values.clone()], out);
                } else {
                    out.fill(0.0);
                }
            }
        }
    }
}
