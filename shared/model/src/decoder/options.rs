//! How a model is put into memory.

use std::path::PathBuf;

use anneal_kernels::Compute;
use candle_core::Device;

use super::lora::LoraConfig;

/// How the base weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightMode {
    /// In the compute format, without gradients.
    #[default]
    Frozen,
    /// In f32, every parameter with a gradient.
    Trainable,
    /// The seven linears of every layer in NF4; embedding and norms in f32; no gradients.
    Nf4 {
        /// Quantise the blocks' scales too.
        double_quant: bool,
    },
}

/// Options of [`super::Decoder::load`].
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Format of the products.
    pub compute: Compute,
    /// How the base weights are held.
    pub weights: WeightMode,
    /// Fresh adapters. With `adapter`, its shape is taken from the adapter's own configuration instead.
    pub lora: Option<LoraConfig>,
    /// A PEFT adapter folder: trained further with `lora`, else only applied.
    pub adapter: Option<PathBuf>,
    /// Where the model lives.
    pub device: Device,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            compute: Compute::F32,
            weights: WeightMode::Frozen,
            lora: None,
            adapter: None,
            device: Device::Cpu,
        }
    }
}
