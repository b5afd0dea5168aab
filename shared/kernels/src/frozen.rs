//! `y = x · wᵀ` with a weight that is never trained, kept in the compute format.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result as CandleResult, Shape, Tensor};
use half::{bf16, f16};

use crate::{
    Compute, Result, compose,
    error::refuse,
    gemm::{Matrix, product},
    slices::{floats, on_cpu, stored, tensor, with_floats},
};

/// A linear layer without a gradient for its weight, stored in `compute` (2 bytes a weight for the half formats).
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    inner: Inner,
    compute: Compute,
}

#[derive(Clone, Debug)]
enum Inner {
    Cpu(Arc<Weight>),
    Device(Tensor),
}

#[derive(Debug)]
struct Weight {
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

impl Weight {
    fn widened(&self) -> Vec<f32> {
        match &self.values {
            Values::F32(values) => values.clone(),
            Values::Bf16(values) => values.iter().map(|v| v.to_f32()).collect(),
            Values::F16(values) => values.iter().map(|v| v.to_f32()).collect(),
        }
    }
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
        let values = with_floats(&w, |w| {
            Ok(match compute {
                Compute::F32 => Values::F32(w.to_vec()),
                Compute::Bf16 => Values::Bf16(w.iter().map(|&v| bf16::from_f32(v)).collect()),
                Compute::F16 => Values::F16(w.iter().map(|&v| f16::from_f32(v)).collect()),
            })
        })?;
        Ok(Self { inner: Inner::Cpu(Arc::new(Weight { o, i, values })), compute })
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

    /// `(o, i)`.
    pub fn dims(&self) -> Result<(usize, usize)> {
        match &self.inner {
            Inner::Device(w_oi) => Ok(w_oi.dims2()?),
            Inner::Cpu(weight) => Ok((weight.o, weight.i)),
        }
    }

    /// The stored weight `[o, i]`, widened to f32.
    pub fn weight_f32(&self) -> Result<Tensor> {
        match &self.inner {
            Inner::Device(w_oi) => Ok(w_oi.to_dtype(DType::F32)?),
            Inner::Cpu(weight) => Ok(tensor(weight.widened(), (weight.o, weight.i))?),
        }
    }

    /// Memory the weight takes.
    pub fn bytes(&self) -> usize {
        match &self.inner {
            Inner::Device(w_oi) => w_oi.elem_count() * w_oi.dtype().size_in_bytes(),
            Inner::Cpu(weight) => match &weight.values {
                Values::F32(values) => values.len() * 4,
                Values::Bf16(values) => values.len() * 2,
                Values::F16(values) => values.len() * 2,
            },
        }
    }
}

struct Frozen {
    weight: Arc<Weight>,
    compute: Compute,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let (t, i) = layout.shape().dims2()?;
        let o = self.weight.o;
        let mut y_to = vec![0.0; t * o];
        let w = self.weight.widened();
        let x_ti = Matrix::new(floats(x, layout)?, t, i);
        product(x_ti, Matrix::new(&w, o, i).t(), &mut y_to, self.compute, self.compute);
        Ok(stored(y_to, (t, o)))
    }

    fn bwd(&self, x_ti: &Tensor, _y: &Tensor, grad_to: &Tensor) -> CandleResult<Option<Tensor>> {
        let ((t, i), o) = (x_ti.dims2()?, self.weight.o);
        let mut dx_ti = vec![0.0; t * i];
        let w = self.weight.widened();
        with_floats(grad_to, |grad| {
            product(Matrix::new(grad, t, o), Matrix::new(&w, o, i), &mut dx_ti, self.compute, self.compute);
            Ok(())
        })?;
        Ok(Some(tensor(dx_ti, (t, i))?))
    }
}
