//! AdamW (Loshchilov and Hutter 2019) in one pass over each parameter, as `torch.optim.AdamW` computes it.

use std::{cell::RefCell, collections::BTreeMap};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result as CandleResult, Var};
use rayon::prelude::*;

use crate::{Result, error::refuse, isa::vectorized, pool::in_pool};

/// Elements a task works on.
const PART: usize = 1 << 14;

/// The constants of the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWOptions {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay: `p -= lr · weight_decay · p`.
    pub weight_decay: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// The running averages of one parameter, row-major like the parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Average of gradients.
    pub first: Vec<f32>,
    /// Average of squared gradients.
    pub second: Vec<f32>,
}

impl Moments {
    /// Of a parameter of `count` elements before its first step.
    pub fn zeros(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count] }
    }
}

/// The optimizer's state: moments by parameter name, and the count of steps done.
#[derive(Clone, Debug, Default)]
pub struct AdamW {
    options: AdamWOptions,
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

impl AdamW {
    /// A fresh optimizer: no steps done.
    pub fn new(options: AdamWOptions) -> Self {
        Self { options, steps: 0, moments: BTreeMap::new() }
    }

    /// An optimizer as it was saved.
    pub fn restore(options: AdamWOptions, steps: u64, moments: BTreeMap<String, Moments>) -> Self {
        Self { options, steps, moments }
    }

    /// The same with moments for these parameters, by name and number of elements: zeros where there are none yet. Whoever calls it
    /// before the first step has them apart from the memory that each step takes and gives back.
    #[must_use]
    pub fn holding<'a>(mut self, parameters: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        for (name, count) in parameters {
            self.moments.entry(name.to_owned()).or_insert_with(|| Moments::zeros(count));
        }
        self
    }

    /// Steps done so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The moments by parameter name, for saving.
    pub fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// Memory the moments take.
    pub fn bytes(&self) -> usize {
        self.moments.values().map(|m| (m.first.len() + m.second.len()) * 4).sum()
    }

    /// One step: every gradient is multiplied by `grad_scale` (clipping, loss scale), then
    /// `m = b1 m + (1-b1) g; v = b2 v + (1-b2) g²; p -= lr/(1-b1^t) · m / (sqrt(v)/sqrt(1-b2^t) + eps)`.
    pub fn step<'a>(
        &mut self,
        lr: f64,
        grad_scale: f64,
        parameters: impl IntoIterator<Item = (&'a str, &'a Var, &'a [f32])>,
    ) -> Result<()> {
        self.steps += 1;
        let update = Update::new(self.options, self.steps, lr, grad_scale);
        for (name, parameter, grad) in parameters {
            if parameter.elem_count() != grad.len() {
                let sizes = (parameter.elem_count(), grad.len());
                return refuse("adamw", format!("`{name}` and its gradient have {sizes:?} elements"));
            }
            let moments = self.moments.entry(name.to_owned()).or_insert_with(|| Moments::zeros(grad.len()));
            if moments.first.len() != parameter.elem_count() || moments.second.len() != parameter.elem_count()
            {
                return refuse("adamw", format!("the saved moments of `{name}` have another size"));
            }
            apply(update, moments, parameter, grad)?;
        }
        Ok(())
    }
}

fn apply(update: Update, moments: &mut Moments, parameter: &Var, grad: &[f32]) -> Result<()> {
    let op = Step { update, grad, moments: RefCell::new(moments) };
    if parameter.device().is_cpu() {
        parameter.as_tensor().inplace_op1(&op)?;
    } else {
        let host = parameter.as_tensor().to_device(&candle_core::Device::Cpu)?;
        host.inplace_op1(&op)?;
        parameter.set(&host.to_device(parameter.device())?)?;
    }
    Ok(())
}

/// The scalars of one step.
#[derive(Clone, Copy)]
struct Update {
    beta1: f32,
    beta2: f32,
    eps: f32,
    keep: f32,
    rate: f32,
    root: f32,
    grad_scale: f32,
}

impl Update {
    fn new(options: AdamWOptions, step: u64, lr: f64, grad_scale: f64) -> Self {
        let power = step.min(i32::MAX as u64) as i32;
        Self {
            beta1: options.beta1 as f32,
            beta2: options.beta2 as f32,
            eps: options.eps as f32,
            keep: (1.0 - lr * options.weight_decay) as f32,
            rate: (lr / (1.0 - options.beta1.powi(power))) as f32,
            root: (1.0 - options.beta2.powi(power)).sqrt() as f32,
            grad_scale: grad_scale as f32,
        }
    }
}

vectorized! {
    fn update_part(of: Update, p: &mut [f32], grad: &[f32], first: &mut [f32], second: &mut [f32]) {
        for (((p, grad), first), second) in p.iter_mut().zip(grad).zip(first).zip(second) {
            let g = grad * of.grad_scale;
            *first += (g - *first) * (1.0 - of.beta1);
            *second = *second * of.beta2 + (1.0 - of.beta2) * g * g;
            let root = second.sqrt() / of.root + of.eps;
            *p = *p * of.keep - of.rate * (*first / root);
        }
    }
}

struct Step<'a> {
    update: Update,
    grad: &'a [f32],
    moments: RefCell<&'a mut Moments>,
}

impl InplaceOp1 for Step<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, layout: &Layout) -> CandleResult<()> {
        let (Some((from, to)), CpuStorage::F32(p)) = (layout.contiguous_offsets(), p) else {
            candle_core::bail!("adamw needs a contiguous f32 parameter")
        };
        let p = &mut p[from..to];
        let mut moments = self.moments.borrow_mut();
        let Moments { first, second } = &mut **moments;
        let (update, grad) = (self.update, self.grad);
        in_pool(|| {
            let parts = p.par_chunks_mut(PART).zip(grad.par_chunks(PART));
            let moments = first.par_chunks_mut(PART).zip(second.par_chunks_mut(PART));
            parts
                .zip(moments)
                .for_each(|((p, grad), (first, second))| update_part(update, p, grad, first, second));
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_held_for_parameters_that_have_none() {
        let saved = Moments { first: vec![1.0], second: vec![2.0] };
        let moments = BTreeMap::from([("a".to_owned(), saved.clone())]);
        let held = AdamW::restore(AdamWOptions::default(), 3, moments).holding([("a", 1), ("b", 2)]);
        assert_eq!(
            held.moments(),
            &BTreeMap::from([("a".to_owned(), saved), ("b".to_owned(), Moments::zeros(2))])
        );
        assert_eq!((held.steps(), held.bytes()), (3, 24));
    }
}
