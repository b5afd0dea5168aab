//! A weight kept in the panels the tile kernel reads, in f32, bf16 or f16.

use std::ops::Range;

use half::{bf16, f16};

use super::{Matrix, Panels, pack::pack, tile::NR};
use crate::{Compute, isa::vectorized};

/// `wᵀ` of a weight `w_oi`, as panels of [`NR`] outputs: `[o / NR][i][NR]`, missing outputs 0.
#[derive(Debug)]
pub(crate) struct PackedWeight {
    o: usize,
    i: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}

impl PackedWeight {
    /// Packs `w_oi` in the format of `compute`.
    pub(crate) fn new(w: Matrix, compute: Compute) -> Self {
        let (o, i) = (w.rows, w.cols);
        let len = o.div_ceil(NR) * NR * i;
        let mut values = match compute {
            Compute::F32 => Values::F32(Vec::with_capacity(len)),
            Compute::Bf16 => Values::Bf16(Vec::with_capacity(len)),
            Compute::F16 => Values::F16(Vec::with_capacity(len)),
        };
        let mut panel = vec![0.0; i * NR];
        for from in (0..o).step_by(NR) {
            pack::<NR>(w, from, NR.min(o - from), 0..i, &mut panel);
            match &mut values {
                Values::F32(values) => values.extend_from_slice(&panel),
                Values::Bf16(values) => values.extend(panel.iter().map(|&x| bf16::from_f32(x))),
                Values::F16(values) => values.extend(panel.iter().map(|&x| f16::from_f32(x))),
            }
        }
        Self { o, i, values }
    }

    /// Outputs and inputs.
    pub(crate) fn dims(&self) -> (usize, usize) {
        (self.o, self.i)
    }

    /// Memory the weight takes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.values {
            Values::F32(values) => values.len() * 4,
            Values::Bf16(values) => values.len() * 2,
            Values::F16(values) => values.len() * 2,
        }
    }

    /// The weight `[o, i]`, row-major, widened.
    pub(crate) fn widened(&self) -> Vec<f32> {
        let mut w = vec![0.0; self.o * self.i];
        let mut panel = vec![0.0; self.i * NR];
        for (index, rows) in w.chunks_mut(self.i * NR).enumerate() {
            self.widen(index * self.i * NR, &mut panel);
            for (r, row) in rows.chunks_mut(self.i).enumerate() {
                for (k, x) in row.iter_mut().enumerate() {
                    *x = panel[k * NR + r];
                }
            }
        }
        w
    }

    /// Widens stored values from index `from` on.
    fn widen(&self, from: usize, out: &mut [f32]) {
        let range = from..from + out.len();
        match &self.values {
            Values::F32(values) => out.copy_from_slice(&values[range]),
            Values::Bf16(values) => widen_bf16(&values[range], out),
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
        self.widen((panel * self.i + k.start) * NR, out);
    }

    fn ready(&self, panel: usize) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(&values[panel * self.i * NR..(panel + 1) * self.i * NR]),
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
            self.0.widen((o / NR * i + from) * NR, &mut block[..width * NR]);
            let square = Matrix { data: &block, rows: NR, cols: NR, row_stride: NR, col_stride: 1 };
            let outputs = out.len() / NR;
            pack::<NR>(square, 0, width, 0..outputs, out);
        }
    }
}

fn widen_bf16(values: &[bf16], out: &mut [f32]) {
    vectorized! {
        fn widen(values: &[bf16], out: &mut [f32]) {
            for (out, value) in out.iter_mut().zip(values) {
                *out = f32::from_bits(u32::from(value.to_bits()) << 16);
            }
        }
    }
    widen(values, out);
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
