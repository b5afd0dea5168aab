//! The seven linear projections of a layer.

use crate::config::ModelConfig;

/// One of a layer's seven linears, in the order adapters are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Linear {
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// The attention's output.
    Output,
    /// The gate of the feed-forward part.
    Gate,
    /// Into the feed-forward part.
    Up,
    /// Out of the feed-forward part.
    Down,
}

impl Linear {
    /// All seven, in order.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// Its Hugging Face name inside the layer, such as `self_attn.q_proj`.
    pub fn path(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// The last part of its name, such as `q_proj`, which PEFT calls a target module.
    pub fn module(self) -> &'static str {
        let path = self.path();
        path.rsplit_once('.').map_or(path, |(_, module)| module)
    }

    /// `(out, in)`.
    pub fn shape(self, config: &ModelConfig) -> (usize, usize) {
        let (d, i) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        match self {
            Self::Query => (q, d),
            Self::Key | Self::Value => (kv, d),
            Self::Output => (d, q),
            Self::Gate | Self::Up => (i, d),
            Self::Down => (d, i),
        }
    }

    /// Whether it has a bias.
    pub fn has_bias(self, config: &ModelConfig) -> bool {
        match self {
            Self::Query | Self::Key | Self::Value => config.qkv_bias,
            Self::Output => config.output_bias,
            Self::Gate | Self::Up | Self::Down => config.mlp_bias,
        }
    }
}
