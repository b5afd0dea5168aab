//! The key-value cache of a batch of sequences, and what of it is padding.

use ort::{
    memory::Allocator,
    value::{DynValue, PrimitiveTensorElementType, Tensor},
};

use crate::{Error, Geometry, Result};

/// Caches `[sequence, head, position, width]` of every layer (key, value, key, …), left-padded to a common length.
pub struct State {
    pub(crate) caches: Vec<DynValue>,
    /// `[sequence, position]`: 1 where the cache holds a token, 0 where it holds padding.
    pub(crate) mask: Vec<i64>,
    /// Tokens of every sequence so far.
    pub(crate) lengths: Vec<usize>,
    /// Positions of the caches.
    pub(crate) width: usize,
}

impl State {
    pub(crate) fn empty(allocator: &Allocator, geometry: &Geometry, sequences: usize) -> Result<Self> {
        let shape = [sequences, geometry.kv_heads, 0, geometry.head_dim];
        let cache = || -> Result<DynValue> {
            Ok(if geometry.half_cache {
                Tensor::<half::f16>::new(allocator, shape)?.into_dyn()
            } else {
                Tensor::<f32>::new(allocator, shape)?.into_dyn()
            })
        };
        let caches = (0..geometry.layers * 2).map(|_| cache()).collect::<Result<_>>()?;
        Ok(Self { caches, mask: Vec::new(), lengths: vec![0; sequences], width: 0 })
    }

    /// Sequences of the batch.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Tokens that `sequence` has seen.
    ///
    /// # Panics
    /// When there is no such sequence.
    pub fn tokens(&self, sequence: usize) -> usize {
        self.lengths[sequence]
    }

    /// Keeps only the sequences `keep`, in that order (copies their caches).
    pub fn select(&mut self, keep: &[usize]) -> Result<()> {
        if let Some(absent) = keep.iter().find(|&&row| row >= self.sequences()) {
            return Err(Error::Input(format!("sequence {absent} of {}", self.sequences())));
        }
        self.caches = self.caches.iter().map(|cache| select_rows(cache, keep)).collect::<Result<_>>()?;
        let width = self.width;
        self.mask = keep.iter().flat_map(|&row| self.mask[row * width..(row + 1) * width].to_vec()).collect();
        self.lengths = keep.iter().map(|&row| self.lengths[row]).collect();
        Ok(())
    }
}

fn select_rows(cache: &DynValue, keep: &[usize]) -> Result<DynValue> {
    fn of<T: PrimitiveTensorElementType + std::fmt::Debug + Copy + 'static>(
        cache: &DynValue,
        keep: &[usize],
    ) -> Result<DynValue> {
        let (shape, data) = cache.try_extract_tensor::<T>()?;
        let row = shape[1..].iter().product::<i64>() as usize;
        let kept: Vec<T> =
            keep.iter().flat_map(|&index| data[index * row..(index + 1) * row].iter().copied()).collect();
        let shape = vec![keep.len() as i64, shape[1], shape[2], shape[3]];
        Ok(Tensor::from_array((shape, kept))?.into_dyn())
    }
    match of::<f32>(cache, keep) {
        Ok(kept) => Ok(kept),
        Err(_) => of::<half::f16>(cache, keep),
    }
}
