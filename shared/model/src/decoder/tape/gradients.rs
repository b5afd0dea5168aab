//! Sums of gradients, one a trained variable.

use std::collections::HashMap;

use anneal_kernels::rows::add;
use candle_core::{TensorId, Var, backprop::GradStore};

use super::Vector;
use crate::error::{Error, Result};

/// The gradients of a step: every backward pass of the step adds to them. A sum takes memory from the first addition to
/// [`Self::clear`]: while a backward pass makes gradients it gives the activations' memory back, so that both fit where one does.
#[derive(Debug, Default)]
pub struct Gradients {
    /// Empty where nothing was added yet.
    sums: Vec<Vec<f32>>,
    lengths: Vec<usize>,
    index: HashMap<TensorId, usize>,
}

impl Gradients {
    /// Zeros for these variables, in their order.
    pub fn zeros(variables: &[(String, Var)]) -> Self {
        Self {
            sums: vec![Vec::new(); variables.len()],
            lengths: variables.iter().map(|(_, var)| var.elem_count()).collect(),
            index: variables.iter().enumerate().map(|(n, (_, var))| (var.id(), n)).collect(),
        }
    }

    /// Starts another step.
    pub fn clear(&mut self) {
        // Not `fill`, which would keep each one's memory.
        self.sums.iter_mut().for_each(|sum| *sum = Vec::new());
    }

    /// The sums in the order of the variables, row-major.
    pub fn sums(&mut self) -> &[Vec<f32>] {
        for n in 0..self.sums.len() {
            self.taken(n);
        }
        &self.sums
    }

    fn taken(&mut self, n: usize) -> &mut [f32] {
        if self.sums[n].is_empty() {
            self.sums[n] = vec![0.0; self.lengths[n]];
        }
        &mut self.sums[n]
    }

    /// The sum of a variable.
    pub(crate) fn sum(&mut self, var: &Var) -> Result<&mut [f32]> {
        match self.index.get(&var.id()) {
            Some(&n) => Ok(self.taken(n)),
            None => {
                Err(Error::Argument("a gradient of a variable that is not among the trained ones".to_owned()))
            }
        }
    }

    /// Adds what candle's graph gave for the variables.
    pub(in crate::decoder) fn add_store(&mut self, store: &GradStore) -> Result<()> {
        let given = self.index.iter().filter_map(|(&id, &n)| Some((n, store.get_id(id)?)));
        for (n, gradient) in given.collect::<Vec<_>>() {
            add(self.taken(n), &gradient.flatten_all()?.to_vec1::<f32>()?);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn a_sum_takes_memory_from_the_first_addition_until_it_is_cleared() {
        let var = |count: usize| {
            Var::from_tensor(&Tensor::zeros(count, candle_core::DType::F32, &Device::Cpu).unwrap())
        };
        let variables = [("a".to_owned(), var(3).unwrap()), ("b".to_owned(), var(2).unwrap())];
        let mut gradients = Gradients::zeros(&variables);
        let held = |gradients: &Gradients| gradients.sums.iter().map(Vec::capacity).sum::<usize>();
        assert_eq!(held(&gradients), 0);
        add(gradients.sum(&variables[1].1).unwrap(), &[1.0, 2.0]);
        add(gradients.sum(&variables[1].1).unwrap(), &[1.0, 2.0]);
        assert_eq!(held(&gradients), 2);
        assert_eq!(gradients.sums(), [vec![0.0; 3], vec![2.0, 4.0]]);
        gradients.clear();
        assert_eq!(held(&gradients), 0);
        assert_eq!(gradients.sums(), [vec![0.0; 3], vec![0.0; 2]]);
        assert!(gradients.sum(&var(1).unwrap()).is_err());
    }
}
