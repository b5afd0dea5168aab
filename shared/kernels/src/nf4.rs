//! `y = x · wᵀ` with a frozen weight in NF4: 4-bit codes, one scale per 64 weights (QLoRA, Dettmers et al. 2023, appendix E;
//! codes as bitsandbytes writes them).

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result as CandleResult, Shape, Tensor};

use crate::{
    Compute, Result, compose,
    error::refuse,
    gemm::{Matrix, NR, Panels, Product, Strided},
    scratch::scratch,
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// Weights that share one scale.
pub(crate) const BLOCK: usize = 64;
/// Scales that share one second-level scale under double quantisation.
const SCALE_BLOCK: usize = 256;

/// The 16 values of the format.
pub(crate) const LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// A frozen linear layer in NF4, dequantised for every product and never held as f32.
#[derive(Clone, Debug)]
pub struct Nf4Linear {
    weight: Arc<Quantized>,
    compute: Compute,
    /// On another device than the CPU, once it was asked for.
    spread: Arc<OnceLock<Spread>>,
}

/// The weight as candle's own operations dequantise it: a byte a code.
#[derive(Debug)]
struct Spread {
    /// Of every block: `[blocks, 64]`, the last block filled up.
    codes: Tensor,
    /// Of every block: `[blocks, 1]`.
    scales: Tensor,
    levels: Tensor,
}

/// Row-major `[o, i]` codes, two a byte (the first in the high nibble), and their scales.
#[derive(Debug)]
pub(crate) struct Quantized {
    pub(crate) o: usize,
    pub(crate) i: usize,
    codes: Vec<u8>,
    scales: Scales,
}

#[derive(Debug)]
enum Scales {
    Plain(Vec<f32>),
    /// `scale = table[code] · second + offset`.
    Double {
        codes: Vec<u8>,
        second: Vec<f32>,
        offset: f32,
        table: Box<[f32; 256]>,
    },
}

impl Nf4Linear {
    /// Quantises `w_oi` (any float dtype), read row-major in blocks of 64. With `double_quant` the scales themselves are kept
    /// in 8 bits (blocks of 256, bitsandbytes' dynamic map).
    pub fn quantize(w_oi: &Tensor, compute: Compute, double_quant: bool) -> Result<Self> {
        let (o, i) = w_oi.dims2()?;
        if o == 0 || i == 0 {
            return refuse("nf4 linear", format!("the weight is empty: [{o}, {i}]"));
        }
        let w = w_oi.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let weight = with_floats(&w, |w| Ok(Quantized::new(w, o, i, double_quant)))?;
        Ok(Self { weight: Arc::new(weight), compute, spread: Arc::default() })
    }

    /// `x_ti · wᵀ -> [t, o]` with the dequantised weight; gradient for `x` only.
    pub fn forward(&self, x_ti: &Tensor) -> Result<Tensor> {
        let (_, i) = x_ti.dims2()?;
        if i != self.weight.i {
            return refuse("nf4 linear", format!("x has {i} columns, the weight {}", self.weight.i));
        }
        if !on_cpu(x_ti) {
            return compose::linear(x_ti, &self.composed(x_ti.device())?, self.compute);
        }
        Ok(x_ti.contiguous()?.apply_op1(Op { weight: self.weight.clone(), compute: self.compute })?)
    }

    /// The dequantised weight `[o, i]`, composed on `device` from the codes kept there.
    pub(crate) fn composed(&self, device: &Device) -> Result<Tensor> {
        let spread = if let Some(spread) = self.spread.get() {
            spread
        } else {
            let spread = Spread::new(&self.weight, device)?;
            self.spread.get_or_init(|| spread)
        };
        let (o, i) = self.dims();
        let weights = spread.levels.index_select(&spread.codes.flatten_all()?, 0)?;
        let weights = weights.reshape(spread.codes.shape())?.broadcast_mul(&spread.scales)?;
        Ok(weights.flatten_all()?.narrow(0, 0, o * i)?.reshape((o, i))?)
    }

    /// Runs `f` with the weight as a right operand and with its transposed form.
    pub(crate) fn with_panels<R>(&self, f: impl FnOnce(&dyn Panels, &dyn Panels) -> R) -> R {
        f(&Forward(&self.weight, self.compute), &Backward(&self.weight, self.compute))
    }

    /// `(o, i)`.
    pub fn dims(&self) -> (usize, usize) {
        (self.weight.o, self.weight.i)
    }

    /// The dequantised weight `[o, i]` (f32, before any rounding to the compute format).
    pub fn weight_f32(&self) -> Result<Tensor> {
        let mut w = vec![0.0; self.weight.o * self.weight.i];
        self.weight.dequantize(0, &mut w);
        Ok(tensor(w, (self.weight.o, self.weight.i))?)
    }

    /// The packed codes: row-major, two a byte, the first weight in the high nibble.
    pub fn codes(&self) -> &[u8] {
        &self.weight.codes
    }

    /// Memory the weight takes: codes and scales.
    pub fn bytes(&self) -> usize {
        let scales = match &self.weight.scales {
            Scales::Plain(scales) => scales.len() * 4,
            Scales::Double { codes, second, .. } => codes.len() + second.len() * 4 + 4 + 256 * 4,
        };
        self.weight.codes.len() + scales
    }
}

impl Spread {
    fn new(weight: &Quantized, device: &Device) -> Result<Self> {
        let blocks = (weight.o * weight.i).div_ceil(BLOCK);
        let mut codes: Vec<u8> = weight.codes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
        codes.resize(blocks * BLOCK, 0);
        let scales: Vec<f32> = (0..blocks).map(|block| weight.scale(block)).collect();
        Ok(Self {
            codes: Tensor::from_vec(codes, (blocks, BLOCK), device)?,
            scales: Tensor::from_vec(scales, (blocks, 1), device)?,
            levels: Tensor::from_slice(&LEVELS, LEVELS.len(), device)?,
        })
    }
}

impl Quantized {
    fn new(w: &[f32], o: usize, i: usize, double_quant: bool) -> Self {
        let mut codes = vec![0_u8; w.len().div_ceil(2)];
        let mut scales = Vec::with_capacity(w.len().div_ceil(BLOCK));
        for (block, bytes) in w.chunks(BLOCK).zip(codes.chunks_mut(BLOCK / 2)) {
            let absmax = block.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
            scales.push(absmax);
            for (index, &value) in block.iter().enumerate() {
                let code = if absmax == 0.0 { 7 } else { nearest(value / absmax) };
                bytes[index / 2] |= if index % 2 == 0 { code << 4 } else { code };
            }
        }
        let scales = if double_quant { Scales::double(&scales) } else { Scales::Plain(scales) };
        Self { o, i, codes, scales }
    }

    fn scale(&self, block: usize) -> f32 {
        match &self.scales {
            Scales::Plain(scales) => scales[block],
            Scales::Double { codes, second, offset, table } => {
                table[usize::from(codes[block])] * second[block / SCALE_BLOCK] + offset
            }
        }
    }

    /// Writes the weights from row-major index `from` on into `out`.
    pub(crate) fn dequantize(&self, from: usize, out: &mut [f32]) {
        let mut done = 0;
        while done < out.len() {
            let index = from + done;
            let block = index / BLOCK;
            let count = ((block + 1) * BLOCK - index).min(out.len() - done);
            let scale = self.scale(block);
            let levels = LEVELS.map(|level| level * scale);
            let part = &mut out[done..done + count];
            if index.is_multiple_of(2) && count.is_multiple_of(2) {
                let codes = &self.codes[index / 2..][..count / 2];
                for (pair, byte) in part.as_chunks_mut::<2>().0.iter_mut().zip(codes) {
                    *pair = [levels[usize::from(byte >> 4)], levels[usize::from(byte & 15)]];
                }
            } else {
                for (at, x) in (index..).zip(part) {
                    let byte = self.codes[at / 2];
                    *x = levels[usize::from(if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 })];
                }
            }
            done += count;
        }
    }
}

/// `wᵀ [i, o]` as a right operand, dequantised panel by panel.
struct Forward<'a>(&'a Quantized, Compute);

impl Panels for Forward<'_> {
    fn k(&self) -> usize {
        self.0.i
    }

    fn n(&self) -> usize {
        self.0.o
    }

    fn fill(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        let from = panel * NR;
        let rows = NR.min(self.0.o - from);
        let mut space = scratch(rows * k.len());
        for (r, row) in space.chunks_mut(k.len()).enumerate() {
            self.0.dequantize((from + r) * self.0.i + k.start, row);
        }
        let part = Matrix::new(&space, rows, k.len());
        Strided { matrix: part.t(), round: self.1 }.fill(0, 0..k.len(), out);
    }
}

/// `w [o, i]` as a right operand.
struct Backward<'a>(&'a Quantized, Compute);

impl Panels for Backward<'_> {
    fn k(&self) -> usize {
        self.0.o
    }

    fn n(&self) -> usize {
        self.0.i
    }

    fn fill(&self, panel: usize, k: Range<usize>, out: &mut [f32]) {
        let from = panel * NR;
        let width = NR.min(self.0.i - from);
        for (row, out) in k.zip(out.chunks_mut(NR)) {
            self.0.dequantize(row * self.0.i + from, &mut out[..width]);
            out[width..].fill(0.0);
        }
        self.1.round_slice(out);
    }
}

impl Scales {
    fn double(scales: &[f32]) -> Self {
        let table = dynamic_map();
        let offset = (scales.iter().map(|&s| f64::from(s)).sum::<f64>() / scales.len() as f64) as f32;
        let mut codes = Vec::with_capacity(scales.len());
        let mut second = Vec::with_capacity(scales.len().div_ceil(SCALE_BLOCK));
        for block in scales.chunks(SCALE_BLOCK) {
            let absmax = block.iter().fold(0.0_f32, |max, s| max.max((s - offset).abs()));
            second.push(absmax);
            for &scale in block {
                let value = if absmax == 0.0 { 0.0 } else { (scale - offset) / absmax };
                let above = table.partition_point(|&level| level < value).min(255);
                let below = above.saturating_sub(1);
                let code =
                    if (value - table[below]).abs() <= (table[above] - value).abs() { below } else { above };
                codes.push(code as u8);
            }
        }
        Self::Double { codes, second, offset, table }
    }
}

/// The level nearest to `x` in `[-1, 1]`: the count of midpoints (in f64, as rounding one would move it) below it, so a tie goes
/// to the lower level.
fn nearest(x: f32) -> u8 {
    let midpoint = |n: usize| f64::midpoint(f64::from(LEVELS[n]), f64::from(LEVELS[n + 1]));
    (0..15).filter(|&n| midpoint(n) < f64::from(x)).count() as u8
}

/// bitsandbytes' signed 8-bit dynamic map (`create_dynamic_map`): seven decades with 1, 2, 4 … 64 means each, 0 and 1.
fn dynamic_map() -> Box<[f32; 256]> {
    let mut levels = vec![0.0_f32, 1.0];
    for decade in 0..7_i32 {
        let items = 1_usize << decade;
        let step = 0.9 / items as f64;
        let magnitude = 10_f64.powi(decade - 6);
        for n in 0..items {
            let mean = 0.1 + (n as f64 + 0.5) * step;
            levels.push((magnitude * mean) as f32);
            levels.push(-(magnitude * mean) as f32);
        }
    }
    levels.sort_by(f32::total_cmp);
    let levels: Box<[f32]> = levels.into_boxed_slice();
    levels.try_into().expect("2 + 2·(1 + 2 + … + 64) = 256 levels")
}

struct Op {
    weight: Arc<Quantized>,
    compute: Compute,
}

impl CustomOp1 for Op {
    fn name(&self) -> &'static str {
        "nf4-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (t, i) = layout.shape().dims2()?;
        let o = self.weight.o;
        let b = Forward(&self.weight, self.compute);
        let a = Matrix::new(floats(x, layout)?, t, i);
        let product = Product { a, a_round: self.compute, b: &b, round: self.compute };
        Ok(stored(product.compute(), (t, o)))
    }

    fn bwd(&self, x_ti: &Tensor, _y: &Tensor, grad_to: &Tensor) -> CandleResult<Option<Tensor>> {
        let (t, o) = grad_to.dims2()?;
        let b = Backward(&self.weight, self.compute);
        let dx_ti = with_floats(grad_to, |grad| {
            let a = Matrix::new(grad, t, o);
            Ok(Product { a, a_round: self.compute, b: &b, round: self.compute }.compute())
        })?;
        Ok(Some(tensor(dx_ti, x_ti.shape())?))
    }
}
