//! From f32 matrices to 8-bit codes, and the choices that calibration data makes on the way.
//!
//! Weights become symmetric 8-bit blocks. Inside the product ONNX Runtime also rounds activations to 8 bits, block by
//! block; that is where a model is lost. For every group of linears that share an input, calibration measures the
//! output error of real activations and chooses (a) how much of the activations' range is moved into the weights
//! (SmoothQuant, Xiao et al. 2023: an equivalent rescaling of channels) and (b) whether 8-bit activations are good
//! enough there at all.

mod block;
mod calibrate;
mod choose;
mod plan;

pub(crate) use block::quantize_rows;
pub(crate) use calibrate::{Calibrator, Samples};
pub(crate) use choose::{Choice, choose};
pub(crate) use plan::{Group, Plan, Precise};
