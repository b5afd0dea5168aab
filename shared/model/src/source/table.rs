//! A matrix that stays in its file: rows are read when they are asked for.

use std::{ops::Range, sync::Arc};

use candle_core::{Device, Tensor};

use super::Format;
use crate::error::{Error, Result};

/// Rows of a stored matrix, in f32. It takes no memory but the operating system's cache of the file.
#[derive(Debug, Clone)]
pub(crate) struct StoredTable {
    format: Arc<Format>,
    /// As the file calls it.
    name: String,
    rows: usize,
    columns: usize,
}

impl StoredTable {
    /// `None` where a row is not whole blocks of the file, or there is no file.
    pub(super) fn new(format: &Arc<Format>, name: &str, shape: &[usize]) -> Option<Self> {
        let &[rows, columns] = shape else { return None };
        let name = match &**format {
            Format::Folder(_) => name.to_owned(),
            Format::Architecture => return None,
            Format::Gguf(gguf) => {
                let name = gguf.own_name(name)?;
                let block = gguf.tensor(&name)?.ggml_type.block();
                columns.is_multiple_of(block).then_some(name)?
            }
        };
        Some(Self { format: Arc::clone(format), name, rows, columns })
    }

    /// Rows `ids`, one after the other.
    pub(crate) fn read(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let mut rows = vec![0.0; ids.len() * self.columns];
        for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(self.columns)) {
            self.span(id as usize * self.columns, row)?;
        }
        Ok(rows)
    }

    /// Rows and columns.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Neighbouring rows.
    pub(crate) fn rows(&self, rows: Range<usize>) -> Result<Vec<f32>> {
        let mut values = vec![0.0; rows.len() * self.columns];
        self.span(rows.start * self.columns, &mut values)?;
        Ok(values)
    }

    /// The whole matrix, read anew.
    pub(crate) fn tensor(&self) -> Result<Tensor> {
        let values = self.rows(0..self.rows)?;
        Ok(Tensor::from_vec(values, (self.rows, self.columns), &Device::Cpu)?)
    }

    fn span(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let missing = || Error::Argument(format!("tensor `{}` is not in a file", self.name));
        match &*self.format {
            Format::Folder(weights) => weights.read_span(&self.name, first, out).ok_or_else(missing)?,
            Format::Gguf(gguf) => gguf.read_span(&self.name, first, out),
            Format::Architecture => Err(missing()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use crate::formula::write_tiny_folder;
    use crate::source::Source;

    #[test]
    fn rows_are_those_of_the_whole_matrix_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_tiny_folder(folder.path()).unwrap();
        let source = Source::open(folder.path()).unwrap();
        let name = "model.embed_tokens.weight";
        let table = source.table(name).unwrap();
        let whole = source.tensor(name).unwrap();
        assert_eq!(table.tensor().unwrap().to_vec2::<f32>().unwrap(), whole.to_vec2::<f32>().unwrap());
        let (rows, columns) = whole.dims2().unwrap();
        let last = rows as u32 - 1;
        let read = table.read(&[last, 0, last]).unwrap();
        let row = |id: usize| whole.get(id).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(read, [row(rows - 1), row(0), row(rows - 1)].concat());
        assert_eq!(read.len(), 3 * columns);
        let error = table.read(&[last + 1]).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert!(source.with_values(|_, shape| Ok(vec![0.0; shape.iter().product()])).table(name).is_none());
    }
}
