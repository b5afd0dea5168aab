//! A linear's weight, however it is held, and the three products of a training pass.

use crate::{
    Compute, FrozenLinear, Nf4Linear, Result,
    gemm::{Matrix, Panels, Product, Strided},
};

/// A weight `[o, i]` to multiply rows with.
#[derive(Clone, Copy, Debug)]
pub enum WeightRows<'a> {
    /// Row-major f32.
    Floats(&'a [f32], (usize, usize)),
    /// Packed in the compute format.
    Frozen(&'a FrozenLinear),
    /// In NF4.
    Nf4(&'a Nf4Linear),
}

impl WeightRows<'_> {
    /// `x [t, i] · wᵀ -> [t, o]`; both are rounded to `compute`, and so is the result.
    pub fn forward(&self, x: &[f32], compute: Compute) -> Result<Vec<f32>> {
        match self {
            Self::Floats(w, (o, i)) => {
                let b = Strided { matrix: Matrix::new(w, *o, *i).t(), round: compute };
                Ok(product(x, *i, &b, compute))
            }
            Self::Frozen(weight) => {
                weight.with_panels(|forward, _| product(x, forward.k(), forward, compute))
            }
            Self::Nf4(weight) => {
                Ok(weight.with_panels(|forward, _| product(x, forward.k(), forward, compute)))
            }
        }
    }

    /// `grad [t, o] · w -> [t, i]`, rounded in the same way.
    pub fn input_gradient(&self, grad: &[f32], compute: Compute) -> Result<Vec<f32>> {
        match self {
            Self::Floats(w, (o, i)) => {
                let b = Strided { matrix: Matrix::new(w, *o, *i), round: compute };
                Ok(product(grad, *o, &b, compute))
            }
            Self::Frozen(weight) => {
                weight.with_panels(|_, backward| product(grad, backward.k(), backward, compute))
            }
            Self::Nf4(weight) => {
                Ok(weight.with_panels(|_, backward| product(grad, backward.k(), backward, compute)))
            }
        }
    }
}

fn product(a: &[f32], k: usize, b: &dyn Panels, compute: Compute) -> Vec<f32> {
    Product { a: Matrix::new(a, a.len() / k, k), a_round: compute, b, round: compute }.compute()
}

/// Adds `gradᵀ · x` to the sum `[o, i]` of a weight's gradient: `grad` `[t, o]` and `x` `[t, i]` rounded to `compute`, sums in f32.
pub fn weight_gradient(grad: &[f32], x: &[f32], (o, i): (usize, usize), compute: Compute, sum: &mut [f32]) {
    let t = grad.len() / o;
    let b = Strided { matrix: Matrix::new(x, t, i), round: compute };
    Product { a: Matrix::new(grad, t, o).t(), a_round: compute, b: &b, round: Compute::F32 }.add_to(sum);
}
