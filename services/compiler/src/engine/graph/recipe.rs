//! The choices that make one graph of a model: precision of compute, storage of matrices, attention operator.

use crate::engine::onnx::DataType;

/// What activations, caches and norms are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    F32,
    F16,
}

impl Core {
    pub(crate) const fn data_type(self) -> DataType {
        match self {
            Self::F32 => DataType::Float,
            Self::F16 => DataType::Float16,
        }
    }
}

/// How matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// As they are.
    F32,
    /// Half precision; a CPU widens them once, at load (its half-precision products are slower than single ones).
    F16,
    /// Symmetric 8-bit integers, one f32 scale a block of inputs (`MatMulNBits`).
    Int8 {
        /// Inputs that share a scale; a power of two, at least 16.
        block: usize,
    },
}

/// One way to write a model.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) core: Core,
    pub(crate) format: Format,
    /// `GroupQueryAttention` (fast on the CPU) instead of plain operators (which every provider has).
    pub(crate) fused_attention: bool,
    /// Also put out the inputs of the linears, for calibration.
    pub(crate) taps: bool,
}

impl Recipe {
    /// The float32 graph that calibration runs, and that the other graphs are held against in tests.
    pub(crate) const fn reference(taps: bool) -> Self {
        Self { core: Core::F32, format: Format::F32, fused_attention: true, taps }
    }

    /// About how many bytes a weight takes.
    pub(crate) fn bytes_per_weight(&self) -> f64 {
        match self.format {
            Format::F32 => 4.0,
            Format::F16 => 2.0,
            Format::Int8 { block } => 1.0 + 4.0 / block as f64,
        }
    }
}
