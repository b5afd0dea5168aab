//! Keys and values of a sequence, kept as the products of attention read them: a token that is added is put in its place, and nothing
//! is packed again for the tokens that follow.

use rayon::prelude::*;

use super::forward::KEYS;
use crate::{
    Compute,
    aligned::Aligned,
    bf16_cells::cell,
    compute::round_bf16,
    gemm::{Matrix, NR, pack_panels, paired, panel_cells},
    pool::in_pool,
};

/// Keys and values of one sequence in one layer, rounded to the compute format (two bytes each in bf16).
#[derive(Clone, Debug)]
pub struct KeyValues {
    shape: Shape,
    len: usize,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    heads: usize,
    c: usize,
    compute: Compute,
    /// Whether a cell holds two values.
    paired: bool,
}

/// [`KEYS`] tokens, or the last ones, head after head.
#[derive(Clone, Debug)]
struct Block {
    /// `kᵀ` as a right operand `[c, keys]`.
    keys: Aligned,
    /// `v` as a right operand `[keys, c]`; the panels have room for [`KEYS`].
    values: Aligned,
}

impl Shape {
    fn key_panel(self) -> usize {
        panel_cells(self.c, self.compute)
    }

    fn value_panel(self) -> usize {
        panel_cells(KEYS, self.compute)
    }

    /// Cells of a head's keys and of its values in a block.
    fn cells(self) -> (usize, usize) {
        (KEYS / NR * self.key_panel(), self.c.div_ceil(NR) * self.value_panel())
    }

    fn block(self) -> Block {
        let (keys, values) = self.cells();
        Block { keys: Aligned::zeros(self.heads * keys), values: Aligned::zeros(self.heads * values) }
    }

    /// One head of rows `[n, heads, c]`.
    fn head(self, rows: &[f32], head: usize) -> Matrix<'_> {
        let row = self.heads * self.c;
        Matrix {
            data: &rows[head * self.c..],
            rows: rows.len() / row,
            cols: self.c,
            row_stride: row,
            col_stride: 1,
        }
    }

    /// Where the value at place `at` of a block and channel `n` is: its cell in a head's values, and its half of the cell.
    fn value_at(self, at: usize, n: usize) -> (usize, bool) {
        let row = if self.paired { at / 2 } else { at };
        (n / NR * self.value_panel() + row * NR + n % NR, self.paired && at % 2 == 1)
    }

    /// The same of a key.
    fn key_at(self, at: usize, n: usize) -> (usize, bool) {
        let row = if self.paired { n / 2 } else { n };
        (at / NR * self.key_panel() + row * NR + at % NR, self.paired && n % 2 == 1)
    }

    fn get(self, cell: f32, high: bool) -> f32 {
        match (self.paired, high) {
            (false, _) => cell,
            (true, false) => f32::from_bits(cell.to_bits() << 16),
            (true, true) => f32::from_bits(cell.to_bits() & 0xFFFF_0000),
        }
    }

    /// Puts the key at place `at` into its head's keys of a block.
    fn put_key(self, held: &mut [f32], at: usize, key: &[f32]) {
        let own = &mut held[self.key_at(at, 0).0..];
        if self.paired {
            for (place, pair) in own.iter_mut().step_by(NR).zip(key.chunks(2)) {
                *place = cell(pair[0], pair.get(1).copied().unwrap_or(0.0));
            }
        } else {
            for (place, &x) in own.iter_mut().step_by(NR).zip(key) {
                *place = self.compute.round(x);
            }
        }
    }

    /// Puts the value at place `at` into its head's values of a block; the first of two that share a cell clears the other half.
    fn put_value(self, held: &mut [f32], at: usize, value: &[f32]) {
        for (channels, from) in value.chunks(NR).zip((0..).step_by(NR)) {
            let (first, high) = self.value_at(at, from);
            for (place, &x) in held[first..].iter_mut().zip(channels) {
                *place = match (self.paired, high) {
                    (false, _) => self.compute.round(x),
                    (true, false) => cell(x, 0.0),
                    (true, true) => f32::from_bits((place.to_bits() & 0xFFFF) | round_bf16(x).to_bits()),
                };
            }
        }
    }
}

impl Block {
    /// Rows `[n, heads, c]` from place `at` on.
    fn put(&mut self, shape: Shape, at: usize, keys: &[f32], values: &[f32]) {
        let (key_cells, value_cells) = shape.cells();
        for head in 0..shape.heads {
            let (k, v) = (shape.head(keys, head), shape.head(values, head));
            let held_keys = &mut self.keys[head * key_cells..][..key_cells];
            let held_values = &mut self.values[head * value_cells..][..value_cells];
            if at == 0 {
                pack_panels(k.t(), shape.compute, shape.key_panel(), held_keys);
                pack_panels(v, shape.compute, shape.value_panel(), held_values);
                continue;
            }
            for row in 0..k.rows {
                let at = at + row;
                shape.put_key(held_keys, at, &k.data[row * k.row_stride..][..shape.c]);
                shape.put_value(held_values, at, &v.data[row * v.row_stride..][..shape.c]);
            }
        }
    }
}

impl KeyValues {
    /// Of a sequence without tokens.
    pub fn new(kv_heads: usize, head_dim: usize, compute: Compute) -> Self {
        let shape = Shape { heads: kv_heads, c: head_dim, compute, paired: paired(compute) };
        Self { shape, len: 0, blocks: Vec::new() }
    }

    /// Of a sequence with these keys and values, `[n, k, c]` each.
    pub(crate) fn of(
        keys: &[f32],
        values: &[f32],
        kv_heads: usize,
        head_dim: usize,
        compute: Compute,
    ) -> Self {
        let mut held = Self::new(kv_heads, head_dim, compute);
        held.append(keys, values);
        held
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Heads and their size.
    pub fn heads(&self) -> (usize, usize) {
        (self.shape.heads, self.shape.c)
    }

    /// What keys and values are rounded to.
    pub(crate) fn compute(&self) -> Compute {
        self.shape.compute
    }

    /// Memory held.
    pub fn bytes(&self) -> usize {
        self.blocks.len() * KEYS * Self::bytes_a_token(self.shape.heads, self.shape.c, self.shape.compute)
    }

    /// Memory a token takes.
    pub fn bytes_a_token(kv_heads: usize, head_dim: usize, compute: Compute) -> usize {
        let (keys, values) = Self::new(kv_heads, head_dim, compute).shape.cells();
        kv_heads * (keys + values) * size_of::<f32>() / KEYS
    }

    /// Adds tokens: keys and values `[n, k, c]`.
    ///
    /// # Panics
    /// Where the two are not of one length, or not whole tokens.
    pub fn append(&mut self, keys: &[f32], values: &[f32]) {
        let (shape, len) = (self.shape, self.len);
        let row = shape.heads * shape.c;
        assert!(row > 0 && keys.len() == values.len() && keys.len().is_multiple_of(row));
        if keys.is_empty() {
            return;
        }
        self.len += keys.len() / row;
        let held = self.len;
        self.blocks.resize_with(held.div_ceil(KEYS), || shape.block());
        let first = len / KEYS;
        let put = |index: usize, block: &mut Block| {
            let from = (index * KEYS).max(len);
            let to = ((index + 1) * KEYS).min(held);
            let rows = (from - len) * row..(to - len) * row;
            block.put(shape, from - index * KEYS, &keys[rows.clone()], &values[rows]);
        };
        let blocks = self.blocks.iter_mut().enumerate().skip(first);
        if held - len <= KEYS {
            blocks.for_each(|(index, block)| put(index, block));
        } else {
            let blocks: Vec<_> = blocks.collect();
            in_pool(|| blocks.into_par_iter().for_each(|(index, block)| put(index, block)));
        }
    }

    /// Forgets all but the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.len = len;
        self.blocks.truncate(len.div_ceil(KEYS));
        // The first of two values that share a cell is alone now.
        if let (true, Some(block)) = (self.shape.paired && len % 2 == 1, self.blocks.last_mut()) {
            let (_, cells) = self.shape.cells();
            for head in block.values.chunks_mut(cells) {
                for n in 0..self.shape.c {
                    let place = &mut head[self.shape.value_at((len - 1) % KEYS, n).0];
                    *place = f32::from_bits(place.to_bits() & 0xFFFF);
                }
            }
        }
    }

    /// The first `len` tokens, copied.
    #[must_use]
    pub fn beginning(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let blocks = self.blocks[..len.div_ceil(KEYS)].to_vec();
        let mut beginning = Self { shape: self.shape, len: self.len.min(blocks.len() * KEYS), blocks };
        beginning.truncate(len);
        beginning
    }

    /// A head's keys in a block, as a right operand `[c, keys]`.
    pub(super) fn keys(&self, block: usize, head: usize) -> &[f32] {
        let (cells, _) = self.shape.cells();
        &self.blocks[block].keys[head * cells..][..cells]
    }

    /// A head's values in a block, as a right operand `[keys, c]`, and from one of its panels to the next.
    pub(super) fn values(&self, block: usize, head: usize) -> (&[f32], usize) {
        let (_, cells) = self.shape.cells();
        (&self.blocks[block].values[head * cells..][..cells], self.shape.value_panel())
    }

    /// Keys and values `[n, k, c]`.
    pub(crate) fn plain(&self) -> (Vec<f32>, Vec<f32>) {
        let shape = self.shape;
        let (key_cells, value_cells) = shape.cells();
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for token in 0..self.len {
            let (block, at) = (&self.blocks[token / KEYS], token % KEYS);
            for head in 0..shape.heads {
                for n in 0..shape.c {
                    let (place, high) = shape.key_at(at, n);
                    keys.push(shape.get(block.keys[head * key_cells + place], high));
                    let (place, high) = shape.value_at(at, n);
                    values.push(shape.get(block.values[head * value_cells + place], high));
                }
            }
        }
        (keys, values)
    }
}
