//! The operations of a training pass on rows of plain floats: what the custom operations do, without a graph around them.
//!
//! A caller that knows the order of its operations (a decoder layer) runs them and their gradients itself: nothing is
//! allocated for a graph, sums of gradients go straight to where they are kept.

mod attention;
mod elementwise;
mod fresh;
mod kept;
mod loss;
mod weight;

pub use attention::AttentionRows;
pub use elementwise::{add, add_bias, add_scaled, column_sums, gathered, multiply, scaled, sum};
pub use fresh::by_blocks;
pub(crate) use fresh::{filled, zeros};
pub use kept::Kept;
pub use loss::{Asked, LogSoftmax, OutputMatrix, Scored, TokenLosses, TokenWeights};
pub use weight::{WeightRows, weight_gradient};

pub use crate::{
    embedding::{embedding_gradient, embedding_rows},
    rms_norm::{rms_norm_gradients, rms_norm_rows},
    rope::{Direction, rope_rows},
    slices::with_floats,
    swiglu::{swiglu_gradients, swiglu_rows},
};
