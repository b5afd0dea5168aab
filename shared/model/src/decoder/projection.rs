//! A linear as the decoder holds it: trainable, frozen or in NF4, with a bias and an adapter where there are any.

use anneal_kernels::{
    Compute, FrozenLinear, Nf4Linear, linear, round_to,
    rows::{embedding_rows, with_floats},
};
use candle_core::{Tensor, Var};

use super::dropout::DropoutState;
use super::lora::Lora;
use crate::error::Result;
use crate::source::StoredTable;

/// How the weight `[out, in]` is held.
#[derive(Debug)]
pub enum Weight {
    /// In f32, with a gradient.
    Trainable(Var),
    /// In the compute format, without one.
    Frozen(FrozenLinear),
    /// In 4-bit normal-float blocks, without one.
    Nf4(Nf4Linear),
}

/// Parameters without a format of their own: a norm's weight, a bias, an adapter's matrix.
#[derive(Debug, Clone)]
pub enum Vector {
    /// With a gradient.
    Trainable(Var),
    /// Without one.
    Frozen(Tensor),
}

impl Vector {
    pub(super) fn new(tensor: Tensor, trainable: bool) -> Result<Self> {
        Ok(if trainable { Self::Trainable(Var::from_tensor(&tensor)?) } else { Self::Frozen(tensor) })
    }

    /// The values.
    pub fn tensor(&self) -> &Tensor {
        match self {
            Self::Trainable(var) => var.as_tensor(),
            Self::Frozen(tensor) => tensor,
        }
    }

    /// The variable, when it is trained.
    pub fn var(&self) -> Option<&Var> {
        match self {
            Self::Trainable(var) => Some(var),
            Self::Frozen(_) => None,
        }
    }
}

/// A matrix with a row for each token: the embedding, or the output matrix.
#[derive(Debug)]
pub(super) enum Table {
    /// In memory, in f32.
    Held(Vector),
    /// Frozen, and left in the model's file.
    Stored(StoredTable),
}

impl Table {
    /// Rows `ids`, one after the other; each id is below the vocabulary.
    pub(super) fn rows(&self, ids: &[u32]) -> Result<Vec<f32>> {
        match self {
            Self::Held(vector) => {
                let (_, d) = vector.tensor().dims2()?;
                Ok(with_floats(vector.tensor(), |w| Ok(embedding_rows(w, d, ids)))?)
            }
            Self::Stored(table) => table.read(ids),
        }
    }

    /// The whole matrix `[v, d]`; read from the file where it is left there.
    pub(super) fn tensor(&self) -> Result<Tensor> {
        match self {
            Self::Held(vector) => Ok(vector.tensor().clone()),
            Self::Stored(table) => table.tensor(),
        }
    }

    /// The matrix as products read it.
    pub(super) fn packed(&self, compute: Compute) -> Result<FrozenLinear> {
        match self {
            Self::Held(vector) => Ok(FrozenLinear::new(vector.tensor(), compute)?),
            Self::Stored(table) => FrozenLinear::by_rows(table.shape(), compute, |rows| table.rows(rows)),
        }
    }

    /// The variable, when it is trained.
    pub(super) fn var(&self) -> Option<&Var> {
        match self {
            Self::Held(vector) => vector.var(),
            Self::Stored(_) => None,
        }
    }
}

/// One of the seven linears of a layer.
#[derive(Debug)]
pub struct Projection {
    /// The base weight.
    pub weight: Weight,
    /// Added to every output row.
    pub bias: Option<Vector>,
    /// The low-rank adapter.
    pub lora: Option<Lora>,
}

impl Projection {
    /// The base weight in f32 (dequantised from NF4 where it is held so), `[out, in]`.
    pub fn weight_f32(&self) -> Result<Tensor> {
        Ok(match &self.weight {
            Weight::Trainable(var) => var.as_detached_tensor(),
            Weight::Frozen(frozen) => frozen.weight_f32()?,
            Weight::Nf4(nf4) => nf4.weight_f32()?,
        })
    }

    /// The base weight with the adapter added, in f32.
    pub fn merged_f32(&self) -> Result<Tensor> {
        let weight = self.weight_f32()?;
        match &self.lora {
            Some(lora) => Ok((weight + lora.delta()?)?),
            None => Ok(weight),
        }
    }

    pub(super) fn forward(
        &self,
        x_ti: &Tensor,
        compute: Compute,
        adapter: bool,
        train: Option<&mut DropoutState>,
    ) -> Result<Tensor> {
        let mut y_to = match &self.weight {
            Weight::Trainable(var) => linear(x_ti, var, compute)?,
            Weight::Frozen(frozen) => frozen.forward(x_ti)?,
            Weight::Nf4(nf4) => nf4.forward(x_ti)?,
        };
        if let Some(bias) = &self.bias {
            let bias = round_to(bias.tensor(), compute)?;
            y_to = round_to(&y_to.broadcast_add(&bias)?, compute)?;
        }
        match &self.lora {
            Some(lora) if adapter => lora.add_to(&y_to, x_ti, compute, train),
            _ => Ok(y_to),
        }
    }
}
