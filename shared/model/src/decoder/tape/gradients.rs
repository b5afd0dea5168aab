//! Sums of gradients, one a trained variable.

use std::collections::HashMap;

use anneal_kernels::rows::add;
use candle_core::{TensorId, Var, backprop::GradStore};

use super::Vector;
use crate::error::{Error, Result};

/// The gradients of a step: every backward pass of the step adds to them.
#[derive(Debug, Default)]
pub struct Gradients {
    sums: Vec<Vec<f32>>,
    index: HashMap<TensorId, usize>,
}

impl Gradients {
    /// Zeros for these variables, in their order.
    pub fn zeros(variables: &[(String, Var)]) -> Self {
        Self {
            sums: variables.iter().map(|(_, var)| vec![0.0; var.elem_count()]).collect(),
            index: variables.iter().enumerate().map(|(n, (_, var))| (var.id(), n)).collect(),
        }
    }

    /// Starts another step.
    pub fn clear(&mut self) {
        self.sums.iter_mut().for_each(|sum| sum.fill(0.0));
    }

    /// The sums in the order of the variables, row-major.
    pub fn sums(&self) -> &[Vec<f32>] {
        &self.sums
    }

    /// The sum of a variable.
    pub(crate) fn sum(&mut self, var: &Var) -> Result<&mut [f32]> {
        match self.index.get(&var.id()) {
            Some(&n) => Ok(&mut self.sums[n]),
            None => {
                Err(Error::Argument("a gradient of a variable that is not among the trained ones".to_owned()))
            }
        }
    }

    /// Adds what candle's graph gave for the variables.
    pub(in crate::decoder) fn add_store(&mut self, store: &GradStore) -> Result<()> {
        for (id, &n) in &self.index {
            if let Some(gradient) = store.get_id(*id) {
                add(&mut self.sums[n], &gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(())
    }

    /// Adds to a vector's sum; nothing to do for a frozen one.
    pub(super) fn add_vector(&mut self, vector: &Vector, gradient: &[f32]) -> Result<()> {
        if let Some(var) = vector.var() {
            add(self.sum(var)?, gradient);
        }
        Ok(())
    }
}
