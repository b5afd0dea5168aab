//! The source's tensors as the graph needs them: plain rows of f32.

use anneal_model::{ModelConfig, Source};

use super::error::Result;

/// A row-major matrix `[out, in]`.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
}

impl Matrix {
    pub(crate) fn scale_columns(&mut self, factors: &[f32]) {
        for row in self.values.chunks_exact_mut(self.columns) {
            row.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
        }
    }

    pub(crate) fn divide_rows(&mut self, divisors: &[f32]) {
        for (row, divisor) in self.values.chunks_exact_mut(self.columns).zip(divisors) {
            for value in row {
                *value /= divisor;
            }
        }
    }
}

/// Tensors by Hugging Face name.
pub(crate) struct Weights {
    source: Source,
}

impl Weights {
    pub(crate) const fn new(source: Source) -> Self {
        Self { source }
    }

    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        self.source.config()
    }

    pub(crate) fn matrix(&self, name: &str) -> Result<Matrix> {
        let tensor = self.source.tensor(name)?;
        let (rows, columns) = tensor.dims2()?;
        Ok(Matrix { rows, columns, values: tensor.flatten_all()?.to_vec1()? })
    }

    pub(crate) fn vector(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.source.tensor(name)?.to_vec1()?)
    }

    pub(crate) fn vector_if_present(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let present = self.source.shape(name).is_some();
        present.then(|| self.vector(name)).transpose()
    }
}
