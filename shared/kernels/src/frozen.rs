//! `y = x · wᵀ` with a weight that is never trained, kept in the compute format.

use std::{ops::Range, sync::Arc};

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result as CandleResult, Shape, Tensor};

use crate::{
    Compute, Error, Result, compose,
    error::refuse,
    gemm::{Matrix, PackedWeight, Panels, Product, TransposedPanels},
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// A linear layer without a gradient for its weight, stored in `compute` (2 bytes a weight for the half formats, and on the CPU for f32
/// too where every weight is a bf16).
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    inner: Inner,
    compute: Compute,
}

#[derive(Clone, Debug)]
enum Inner {
    Cpu(Arc<PackedWeight>),
    Device(Tensor),
}

impl FrozenLinear {
    /// Stores `w_oi` (any float dtype) in `compute`.
    pub fn new(w_oi: &Tensor, compute: Compute) -> Result<Self> {
        let (o, i) = w_oi.dims2()?;
        if o == 0 || i == 0 {
            return refuse("frozen linear", format!("the weight is empty: [{o}, {i}]"));
        }
        if !w_oi.device().is_cpu() {
            return Ok(Self { inner: Inner::Device(w_oi.to_dtype(compute.dtype())?.detach()), compute });
        }
        let w = w_oi.to_dtype(DType::F32)?;
        let weight = with_floats(&w, |w| Ok(PackedWeight::new(Matrix::new(w, o, i), compute)))?;
        Ok(Self { inner: Inner::Cpu(Arc::new(weight)), compute })
    }

    /// Rows that [`Self::by_rows`] asks for at a time.
    pub const ROWS: usize = 4096;

    /// Stores a weight `[o, i]` on the CPU of which `read` gives some rows at a time, so that it is never there as a whole in f32.
    pub fn by_rows<E: From<Error>>(
        (o, i): (usize, usize),
        compute: Compute,
        read: impl Fn(Range<usize>) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut weight = PackedWeight::zeros((o, i), compute);
        for from in (0..o).step_by(Self::ROWS) {
            let rows = from..(from + Self::ROWS).min(o);
            let values = read(rows.clone())?;
            if values.len() != rows.len() * i {
                let reason = format!("{} values for {} rows of {i}", values.len(), rows.len());
                return Ok(refuse("frozen linear", reason)?);
            }
            weight.set_rows(from, Matrix::new(&values, rows.len(), i));
        }
        Ok(Self { inner: Inner::Cpu(Arc::new(weight)), compute })
    }

    /// `x_ti · wᵀ -> [t, o]`; gradient for `x` only.
    pub fn forward(&self, x_ti: &Tensor) -> Result<Tensor> {
        let (_, i) = x_ti.dims2()?;
        let (_, wi) = self.dims()?;
        if i != wi {
            return refuse("frozen linear", format!("x has {i} columns, the weight {wi}"));
        }
        match &self.inner {
            Inner::Device(w_oi) => compose::linear(x_ti, w_oi, self.compute),
            Inner::Cpu(weight) if on_cpu(x_ti) => {
                Ok(x_ti.contiguous()?.apply_op1(Frozen { weight: weight.clone(), compute: self.compute })?)
            }
            Inner::Cpu(_) => refuse("frozen linear", "x must be f32 on the weight's device"),
        }
    }

    /// Runs `f` with the weight as a right operand and with its transposed form; refused on other devices than the CPU.
    pub(crate) fn with_panels<R>(&self, f: impl FnOnce(&dyn Panels, &dyn Panels) -> R) -> Result<R> {
        match &self.inner {
            Inner::Cpu(weight) => Ok(f(&**weight, &TransposedPanels(weight))),
            Inner::Device(_) => refuse("frozen linear", "plain rows are for weights on the CPU"),
        }
    }

    /// Whether products on the CPU read the weight as it is stored; a weight in f16 is widened for each of them.
    pub fn is_read_in_place(&self) -> bool {
        match &self.inner {
            Inner::Device(_) => false,
            Inner::Cpu(weight) => weight.is_read_in_place(),
        }
    }

    /// `(o, i)`.
    pub fn dims(&self) -> Result<(usize, usize)> {
        match &self.inner {
            Inner::Device(w_oi) => Ok(w_oi.dims2()?),
            Inner::Cpu(weight) => Ok(weight.dims()),
        }
    }

    /// The stored weight `[o, i]`, widened to f32.
    pub fn weight_f32(&self) -> Result<Tensor> {
        match &self.inner {
            Inner::Device(w_oi) => Ok(w_oi.to_dtype(DType::F32)?),
            Inner::Cpu(weight) => Ok(tensor(weight.widened(), weight.dims())?),
        }
    }

    /// Memory the weight takes.
    pub fn bytes(&self) -> usize {
        match &self.inner {
            Inner::Device(w_oi) => w_oi.elem_count() * w_oi.dtype().size_in_bytes(),
            Inner::Cpu(weight) => weight.bytes(),
        }
    }
}

struct Frozen {
    weight: Arc<PackedWeight>,
    compute: Compute,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (t, i) = layout.shape().dims2()?;
        let a = Matrix::new(floats(x, layout)?, t, i);
        let product = Product { a, a_round: self.compute, b: &*self.weight, round: self.compute };
        Ok(stored(product.compute(), (t, self.weight.dims().0)))
    }

    fn bwd(&self, x_ti: &Tensor, _y: &Tensor, grad_to: &Tensor) -> CandleResult<Option<Tensor>> {
        let (t, o) = grad_to.dims2()?;
        let b = TransposedPanels(&self.weight);
        let dx_ti = with_floats(grad_to, |grad| {
            let a = Matrix::new(grad, t, o);
            Ok(Product { a, a_round: self.compute, b: &b, round: self.compute }.compute())
        })?;
        Ok(Some(tensor(dx_ti, x_ti.shape())?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_weight_by_rows_is_the_whole_weight() {
        let (o, i) = (FrozenLinear::ROWS + 33, 5);
        let values: Vec<f32> = (0..o * i).map(|n| (n % 1013) as f32 - 500.0).collect();
        let whole = Tensor::from_slice(&values, (o, i), &Device::Cpu).unwrap();
        for compute in [Compute::F32, Compute::Bf16, Compute::F16] {
            let read = |rows: Range<usize>| Ok::<_, Error>(values[rows.start * i..rows.end * i].to_vec());
            let by_rows = FrozenLinear::by_rows((o, i), compute, read).unwrap().weight_f32().unwrap();
            let want = FrozenLinear::new(&whole, compute).unwrap().weight_f32().unwrap();
            let floats = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(floats(by_rows), floats(want), "{compute:?}");
        }
        let short = FrozenLinear::by_rows((o, i), Compute::F32, |rows| Ok::<_, Error>(vec![0.0; rows.len()]));
        assert!(short.unwrap_err().to_string().contains("4096 values for 4096 rows of 5"));
    }
}
