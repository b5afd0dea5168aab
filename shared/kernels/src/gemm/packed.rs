//! A weight kept in the panels the tile kernels read: f32, pairs of bf16, or f16. One whose every value is a bf16 is kept as pairs for
//! products in f32 too, to the same bits: most models come so.

use std::ops::Range;

use half::f16;

use super::{
    Matrix, Panels, fill_then_pair,
    pack::{pack, pair_up},
    tile::NR,
};
use crate::{Compute, aligned::Aligned, isa::vectorized, pool, scratch::scratch};

/// `wᵀ` of a weight `w_oi`, as panels of [`NR`] outputs: `[o / NR][i][NR]`, missing outputs 0; bf16 in cells of two neighbouring
/// inputs, `[o / NR][i / 2][NR]`.
#[derive(Debug)]
pub(crate) struct PackedWeight {
    o: usize,
    i: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    F32(Aligned),
    /// Two bf16 in the bits of each f32, the even input in the low half.
    Bf16(Aligned),
    /// The same as long as it says all there is to say.
    Exact(Aligned),
    F16(Vec<f16>),
}

impl PackedWeight {
    /// Packs `w_oi` in the format of `compute`.
    pub(crate) fn new(w: Matrix, compute: Compute) -> Self {
        let mut packed = Self::zeros((w.rows, w.cols), compute);
        packed.set_rows(0, w);
        packed
    }

    /// A weight of zeros in the format of `compute`.
    pub(crate) fn zeros((o, i): (usize, usize), compute: Compute) -> Self {
        let width = o.next_multiple_of(NR);
        let values = match compute {
            Compute::F32 => Values::Exact(Aligned::zeros(width * i.div_ceil(2))),
            Compute::Bf16 => Values::Bf16(Aligned::zeros(width * i.div_ceil(2))),
            Compute::F16 => Values::F16(vec![f16::ZERO; width * i]),
        };
        Self { o, i, values }
    }

    /// Packs the rows `w` of the weight from row `from`, a multiple of [`NR`], on; their number is one, too, unless they are the last.
    pub(crate) fn set_rows(&mut self, from: usize, w: Matrix) {
        let (i, end) = (self.i, from + w.rows);
        assert!(w.cols == i && end <= self.o && from.is_multiple_of(NR));
        assert!(w.rows.is_multiple_of(NR) || end == self.o);
        if matches!(self.values, Values::Exact(_)) && !all_bf16(w.data) {
            self.values = Values::F32(self.panels_f32(from));
        }
        let fill = |index: usize, panel: &mut [f32]| {
            let first = index * NR;
            pack::<NR>(w, first, NR.min(w.rows - first), 0..i, panel);
        };
        let panels = from / NR..end.div_ceil(NR);
        match &mut self.values {
            Values::F32(values) => {
                let stride = NR * i;
                pool::parts(true, &mut values[panels.start * stride..panels.end * stride], stride, fill);
            }
            Values::Bf16(values) | Values::Exact(values) => {
                let stride = NR * i.div_ceil(2);
                let values = &mut values[panels.start * stride..panels.end * stride];
                pool::parts(true, values, stride, |index, pairs| {
                    let mut panel = scratch(NR * i);
                    fill(index, &mut panel);
                    pair_up(&panel, NR, pairs);
                });
            }
            Values::F16(values) => {
                let mut panel = vec![0.0; NR * i];
                for (index, values) in
                    values[panels.start * NR * i..].chunks_mut(NR * i).enumerate().take(panels.len())
                {
                    fill(index, &mut panel);
                    for (value, &x) in values.iter_mut().zip(&panel) {
                        *value = f16::from_f32(x);
                    }
                }
            }
        }
    }

    /// Panels in f32 with the first `rows` rows that are there.
    fn panels_f32(&self, rows: usize) -> Aligned {
        let mut values = Aligned::zeros(self.o.next_multiple_of(NR) * self.i);
        let stride = NR * self.i;
        let there = &mut values[..rows.div_ceil(NR) * stride];
        pool::parts(true, there, stride, |index, panel| self.widen(index, 0, panel));
        values
    }

    /// Whether every kernel reads the values as they are stored.
    pub(crate) fn is_read_in_place(&self) -> bool {
        !matches!(self.values, Values::F16(_))
    }

    /// Outputs and inputs.
    pub(crate) fn dims(&self) -> (usize, usize) {
        (self.o, self.i)
    }

    /// Memory the weight takes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.values {
            Values::F32(values) | Values::Bf16(values) | Values::Exact(values) => values.len() * 4,
            Values::F16(values) => values.len() * 2,
        }
    }

    /// The weight `[o, i]`, row-major, widened.
    pub(crate) fn widened(&self) -> Vec<f32> {
        let mut w = vec![0.0; self.o * self.i];
        let mut panel = vec![0.0; self.i * NR];
        for (index, rows) in w.chunks_mut(self.i * NR).enumerate() {
            self.widen(index, 0, &mut panel);
            for (r, row) in rows.chunks_mut(self.i).enumerate() {
                for (k, x) in row.iter_mut().enumerate() {
                    *x = panel[k * NR + r];
                }
            }
        }
        w
    }

    /// Widens a panel from input `from` (an even one) on.
    fn widen(&self, panel: usize, from: usize, out: &mut [f32]) {
        let start = (panel * self.i + from) * NR;
        let range = start..start + out.len();
        match &self.values {
            Values::F32(values) => out.copy_from_slice(&values[range]),
            Values::Bf16(values) | Values::Exact(values) => {
                let start = (panel * self.i.div_ceil(2) + from / 2) * NR;
                split_pairs(&values[start..start + out.len().div_ceil(2 * NR) * NR], out);
            }
            Values::F16(values) => widen_f16(&values[range], out),
        }
    }
}

impl Panels for PackedWeight {
    fn k(&self) -> usize {
        self.i
    }

    fn n(&self) -> usize {
        self.o
    }

    fn fill(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        self.widen(panel, k.start, out);
    }

    fn ready(&self, panel: usize, depth: usize) -> Option<&[f32]> {
        match (&self.values, depth) {
            (Values::F32(values), 1) | (Values::Bf16(values) | Values::Exact(values), 2) => {
                let cells = self.i.div_ceil(depth) * NR;
                Some(&values[panel * cells..(panel + 1) * cells])
            }
            _ => None,
        }
    }
}

/// The same weight as a right operand `[o, i]`, for the gradient of the input.
pub(crate) struct TransposedPanels<'a>(pub(crate) &'a PackedWeight);

impl Panels for TransposedPanels<'_> {
    fn k(&self) -> usize {
        self.0.o
    }

    fn n(&self) -> usize {
        self.0.i
    }

    /// Columns are inputs here and rows outputs: square blocks of the stored panels, transposed.
    fn fill(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        debug_assert!(k.start.is_multiple_of(NR));
        let i = self.0.i;
        let from = panel * NR;
        let width = NR.min(i - from);
        let mut block = [0.0_f32; NR * NR];
        for (o, out) in k.step_by(NR).zip(out.chunks_mut(NR * NR)) {
            self.0.widen(o / NR, from, &mut block[..width * NR]);
            let square = Matrix { data: &block, rows: NR, cols: NR, row_stride: NR, col_stride: 1 };
            let outputs = out.len() / NR;
            pack::<NR>(square, 0, width, 0..outputs, out);
        }
    }

    /// A square block holds pairs of inputs by outputs; wanted are pairs of outputs by inputs: 8 by 8 double cells are
    /// transposed, and each has its middle halves swapped.
    fn fill_pairs(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        let (cells, from) = (self.0.i.div_ceil(2), panel * NR / 2);
        let (Values::Bf16(values) | Values::Exact(values)) = &self.0.values else {
            return fill_then_pair(self, panel, k, out);
        };
        debug_assert!(k.start.is_multiple_of(NR));
        let height = (NR / 2).min(cells - from);
        for (o, out) in k.step_by(NR).zip(out.chunks_mut(NR * NR / 2)) {
            let start = (o / NR * cells + from) * NR;
            let block = &values[start..start + height * NR];
            if height < NR / 2 {
                out.fill(0.0);
            }
            turn_pairs(block, out);
        }
    }
}

vectorized! {
    /// `block` holds up to 8 rows of 16 cells; cell `(r, c)` is inputs `2r, 2r + 1` of output `c`. Cell `(p, n)` of `out` becomes
    /// outputs `2p, 2p + 1` of input `n`; `out` may have fewer than 8 rows.
    fn turn_pairs(block: &[f32], out: &mut [f32]) {
        for (r, row) in block.as_chunks::<NR>().0.iter().enumerate() {
            for (p, out) in out.as_chunks_mut::<NR>().0.iter_mut().enumerate() {
                let (first, second) = (row[2 * p].to_bits(), row[2 * p + 1].to_bits());
                out[2 * r] = f32::from_bits((first & 0xFFFF) | (second << 16));
                out[2 * r + 1] = f32::from_bits((first >> 16) | (second & 0xFFFF_0000));
            }
        }
    }
}

/// Whether every value is a bf16.
fn all_bf16(values: &[f32]) -> bool {
    values.chunks(1 << 12).all(|part| low_bits(part) == 0)
}

vectorized! {
    /// The bits that a bf16 has no room for, of all values together.
    fn low_bits(values: &[f32]) -> u32 {
        values.iter().fold(0, |bits, x| bits | x.to_bits()) & 0xFFFF
    }
}

vectorized! {
    /// Groups of cells become two groups of f32 each, the low halves first; a missing last group is left out.
    fn split_pairs(cells: &[f32], out: &mut [f32]) {
        for (cells, out) in cells.as_chunks::<NR>().0.iter().zip(out.chunks_mut(2 * NR)) {
            let (low, high) = out.split_at_mut(NR);
            for (low, cell) in low.iter_mut().zip(cells) {
                *low = f32::from_bits(cell.to_bits() << 16);
            }
            for (high, cell) in high.iter_mut().zip(cells) {
                *high = f32::from_bits(cell.to_bits() & 0xFFFF_0000);
            }
        }
    }
}

fn widen_f16(values: &[f16], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if crate::isa::isa() >= crate::isa::Isa::Avx2 {
        #[allow(unsafe_code, reason = "F16C was detected with AVX2")]
        // SAFETY: the instruction set was detected.
        unsafe {
            return crate::half_precision::widen(values, out);
        }
    }
    for (out, value) in out.iter_mut().zip(values) {
        *out = value.to_f32();
    }
}
