//! What a decoder-only model looks like: sizes, variants, rotary embedding, special ids.

mod from_gguf;
mod huggingface;
mod rope;

pub use rope::{RopeScaling, RotaryTables};

use crate::error::{Error, Result};

/// Families of decoders this room runs. All are pre-norm, RMSNorm, rotary, SwiGLU; they differ in the switches of
/// [`ModelConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 1 to 3 and SmolLM2.
    Llama,
    /// Mistral (Llama with a sliding window in its first release).
    Mistral,
    /// Qwen2 and Qwen2.5: biases on q, k and v.
    Qwen2,
    /// Qwen3: RMSNorm on every head of q and k.
    Qwen3,
    /// SmolLM3: every fourth layer has no rotary embedding.
    SmolLm3,
}

impl Architecture {
    /// `model_type` in `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::SmolLm3 => "smollm3",
        }
    }

    /// The class name in `architectures` of `config.json`.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
            Self::SmolLm3 => "SmolLM3ForCausalLM",
        }
    }

    /// From `model_type`; anything else is refused by name.
    pub fn from_model_type(name: &str) -> Result<Self> {
        [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3, Self::SmolLm3]
            .into_iter()
            .find(|a| a.model_type() == name)
            .ok_or_else(|| {
                Error::Unsupported(format!(
                    "architecture `{name}`; supported are llama, mistral, qwen2, qwen3 and smollm3"
                ))
            })
    }
}

/// Sizes and switches of a decoder. Tensor shapes follow from it.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the published configuration")]
pub struct ModelConfig {
    /// Family.
    pub architecture: Architecture,
    /// Width of the residual stream, d.
    pub hidden_size: usize,
    /// Width inside the feed-forward part, i.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads, h.
    pub heads: usize,
    /// Key and value heads, k; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head, c; even.
    pub head_dim: usize,
    /// Rows of the embedding, v.
    pub vocab_size: usize,
    /// Longest sequence the model was made for, in tokens.
    pub max_positions: usize,
    /// Tokens an attention window spans, where the model has one.
    pub sliding_window: Option<usize>,
    /// Epsilon of every RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched.
    pub rope_scaling: RopeScaling,
    /// Per layer: whether q and k are rotated.
    pub rotated_layers: Vec<bool>,
    /// The output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Biases on q, k and v.
    pub qkv_bias: bool,
    /// Bias on the attention's output projection.
    pub output_bias: bool,
    /// Biases on gate, up and down.
    pub mlp_bias: bool,
    /// RMSNorm on every head of q and k.
    pub qk_norm: bool,
    /// Standard deviation of a random initialisation.
    pub initializer_range: f64,
    /// Beginning-of-sequence id.
    pub bos_token_id: Option<u32>,
    /// Ids that end a generation; the first is *the* end-of-sequence id.
    pub eos_token_ids: Vec<u32>,
    /// Padding id.
    pub pad_token_id: Option<u32>,
}

const MAX_DIMENSION: usize = 1 << 24;
const MAX_LAYERS: usize = 4096;

impl ModelConfig {
    /// Checks that sizes are positive, bounded and fit together.
    pub fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_positions),
        ] {
            if value == 0 || value > MAX_DIMENSION * 16 {
                return Err(Error::config(field, format!("{value} is out of range")));
            }
        }
        if self.layers == 0 || self.layers > MAX_LAYERS {
            return Err(Error::config("num_hidden_layers", format!("{} is out of range", self.layers)));
        }
        if self.heads > MAX_DIMENSION || self.head_dim > MAX_DIMENSION {
            return Err(Error::config("num_attention_heads", "out of range"));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(Error::config(
                "num_key_value_heads",
                format!("{} does not divide the {} attention heads", self.kv_heads, self.heads),
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(Error::config("head_dim", format!("{} is odd", self.head_dim)));
        }
        if self.rotated_layers.len() != self.layers {
            return Err(Error::config("no_rope_layers", "needs one entry a layer"));
        }
        if !(self.rms_norm_eps.is_finite() && self.rms_norm_eps > 0.0) {
            return Err(Error::config("rms_norm_eps", "must be positive"));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return Err(Error::config("rope_theta", "must be positive"));
        }
        self.rope_scaling.validate()
    }

    /// The end-of-sequence id, if the model names one.
    pub fn eos_token_id(&self) -> Option<u32> {
        self.eos_token_ids.first().copied()
    }

    /// Longest sequence that may be run: the attention window where there is one, else the model's own limit.
    pub fn context_length(&self) -> usize {
        self.sliding_window.map_or(self.max_positions, |w| w.min(self.max_positions))
    }

    /// Number of weights, the tied output matrix counted once.
    pub fn parameters(&self) -> u64 {
        self.tensor_shapes().iter().map(|(_, shape)| shape.iter().map(|&n| n as u64).product::<u64>()).sum()
    }

    /// Every tensor of the model by its Hugging Face name, with its shape, in the order of the forward pass.
    pub fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let d = self.hidden_size;
        let mut shapes = vec![("model.embed_tokens.weight".to_owned(), vec![self.vocab_size, d])];
        for layer in 0..self.layers {
            let prefix = format!("model.layers.{layer}");
            shapes.push((format!("{prefix}.input_layernorm.weight"), vec![d]));
            for linear in crate::decoder::Linear::ALL {
                let (rows, columns) = linear.shape(self);
                shapes.push((format!("{prefix}.{}.weight", linear.path()), vec![rows, columns]));
                if linear.has_bias(self) {
                    shapes.push((format!("{prefix}.{}.bias", linear.path()), vec![rows]));
                }
            }
            if self.qk_norm {
                shapes.push((format!("{prefix}.self_attn.q_norm.weight"), vec![self.head_dim]));
                shapes.push((format!("{prefix}.self_attn.k_norm.weight"), vec![self.head_dim]));
            }
            shapes.push((format!("{prefix}.post_attention_layernorm.weight"), vec![d]));
        }
        shapes.push(("model.norm.weight".to_owned(), vec![d]));
        if !self.tie_word_embeddings {
            shapes.push(("lm_head.weight".to_owned(), vec![self.vocab_size, d]));
        }
        shapes
    }
}
