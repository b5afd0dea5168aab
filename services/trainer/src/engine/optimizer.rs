//! AdamW over the trained variables: norms and biases are not decayed (transformers' rule).

use std::collections::BTreeMap;

use anneal_contracts::engine::OptimizerSpec;
use anneal_kernels::{AdamW, AdamWOptions, Moments, global_norm};
use anneal_model::Gradients;
use candle_core::Var;

use super::Result;

/// The optimizer and its state.
pub(crate) struct Optimizer {
    decayed: AdamW,
    plain: AdamW,
    max_grad_norm: f64,
}

impl Optimizer {
    /// A fresh optimizer of the variables, or one that has done `steps` steps and holds `moments`.
    pub(crate) fn new(
        spec: &OptimizerSpec,
        trainable: &[(String, Var)],
        steps: u64,
        moments: BTreeMap<String, Moments>,
    ) -> Self {
        let options = AdamWOptions {
            beta1: spec.beta1,
            beta2: spec.beta2,
            eps: spec.epsilon,
            weight_decay: spec.weight_decay,
        };
        let group = |of_group: bool| {
            let group = trainable.iter().filter(move |(name, _)| is_decayed(name) == of_group);
            group.map(|(name, var)| (name.as_str(), var.elem_count()))
        };
        let (decayed, plain) = moments.into_iter().partition(|(name, _)| is_decayed(name));
        let undecayed = AdamWOptions { weight_decay: 0.0, ..options };
        Self {
            decayed: AdamW::restore(options, steps, decayed).holding(group(true)),
            plain: AdamW::restore(undecayed, steps, plain).holding(group(false)),
            max_grad_norm: spec.max_grad_norm,
        }
    }

    /// Updates done so far.
    pub(crate) fn steps(&self) -> u64 {
        self.decayed.steps()
    }

    /// The moments by parameter name.
    pub(crate) fn moments(&self) -> impl Iterator<Item = (&String, &Moments)> {
        self.decayed.moments().iter().chain(self.plain.moments())
    }

    /// The global L2 norm of gradients that are `scale` times too large.
    pub(crate) fn norm(gradients: &mut Gradients, scale: f64) -> f64 {
        global_norm(gradients.sums()) / scale
    }

    /// One update with gradients of norm `norm`, clipped to the spec's norm.
    pub(crate) fn step(
        &mut self,
        trainable: &[(String, Var)],
        gradients: &mut Gradients,
        (rate, norm, scale): (f64, f64, f64),
    ) -> Result<()> {
        let clip = if self.max_grad_norm > 0.0 { (self.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        for (optimizer, of_group) in [(&mut self.decayed, true), (&mut self.plain, false)] {
            let group = trainable.iter().zip(gradients.sums());
            let group = group.filter(|((name, _), _)| is_decayed(name) == of_group);
            let group = group.map(|((name, var), gradient)| (name.as_str(), var, gradient.as_slice()));
            optimizer.step(rate, clip / scale, group)?;
        }
        Ok(())
    }
}

fn is_decayed(name: &str) -> bool {
    !(name.rsplit('.').next() == Some("bias") || name.contains("norm"))
}
