//! Rotary embedding by precomputed tables, with the same frequencies as the decoder that is compiled.

use anneal_model::{ModelConfig, config::RotaryTables};
use candle_core::Device;

use super::{Core, linear::vector};
use crate::engine::{error::Result, onnx::GraphBuilder};

/// Names of the cosine and sine tables `[position, head_dim / 2]`.
pub(super) struct Rotary {
    cos: String,
    sin: String,
}

impl Rotary {
    pub(super) fn new(b: &mut GraphBuilder, config: &ModelConfig, core: Core) -> Result<Self> {
        let positions: Vec<u32> = (0..config.context_length() as u32).collect();
        let (cos, sin) = RotaryTables::new(config).at(&positions, &Device::Cpu)?;
        let half = config.head_dim / 2;
        let mut table = |name: &str, values: &[f32]| match core {
            Core::F32 => b.floats(name, &[positions.len(), half], values),
            Core::F16 => b.halves(name, &[positions.len(), half], values),
        };
        let cos = table("cos_cache", &cos.flatten_all()?.to_vec1::<f32>()?)?;
        let sin = table("sin_cache", &sin.flatten_all()?.to_vec1::<f32>()?)?;
        Ok(Self { cos, sin })
    }

    /// Rotates `x` `[batch, sequence, heads · head_dim]`.
    pub(super) fn apply(&self, b: &mut GraphBuilder, node: &str, x: &str) -> String {
        b.ms(node, "RotaryEmbedding", &[x, "position_ids", &self.cos, &self.sin], vec![])
    }
}

/// RMSNorm over the last axis.
pub(super) fn rms_norm(
    b: &mut GraphBuilder,
    core: Core,
    node: &str,
    x: &str,
    weight: (&str, &[f32]),
    epsilon: f64,
) -> Result<String> {
    use crate::engine::onnx::Attribute;
    let weight = vector(b, core, weight.0, weight.1)?;
    let attributes = vec![
        Attribute::int("axis", -1),
        Attribute::float("epsilon", epsilon as f32),
        Attribute::int("stash_type", 1),
    ];
    Ok(b.op(node, "RMSNormalization", &[x, &weight], attributes))
}
