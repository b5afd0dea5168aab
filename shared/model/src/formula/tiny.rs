//! Tiny models for tests: a byte-level tokenizer of 320 tokens and formula-made weights.

use std::path::Path;

use serde_json::json;

use super::initial_values;
use crate::chat::ChatTemplate;
use crate::config::{Architecture, ModelConfig, RopeScaling};
use crate::error::Result;
use crate::save::{FolderParts, StoredType, save_hf_folder};
use crate::tokenizer::{SpecialTokens, Tokenizer};

/// Sizes of a tiny model; the defaults make a Llama of about 60 thousand weights.
#[derive(Debug, Clone)]
pub struct TinyModel {
    /// Family.
    pub architecture: Architecture,
    /// Number of layers.
    pub layers: usize,
    /// Residual width.
    pub hidden_size: usize,
    /// Feed-forward width.
    pub intermediate_size: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Output matrix tied to the embedding.
    pub tied: bool,
    /// Stretching of the rotary frequencies.
    pub rope_scaling: RopeScaling,
    /// Standard deviation of the weights; larger than a real model's 0.02, so that outputs differ visibly.
    pub initializer_range: f64,
}

impl Default for TinyModel {
    fn default() -> Self {
        Self {
            architecture: Architecture::Llama,
            layers: 2,
            hidden_size: 32,
            intermediate_size: 64,
            heads: 4,
            kv_heads: 2,
            head_dim: 8,
            tied: true,
            rope_scaling: RopeScaling::None,
            initializer_range: 0.1,
        }
    }
}

/// Rows of a tiny model's embedding.
const VOCABULARY: usize = 320;

impl TinyModel {
    /// The configuration, for the tokenizer of [`tiny_tokenizer`].
    pub fn config(&self) -> ModelConfig {
        let every_fourth = self.architecture == Architecture::SmolLm3;
        ModelConfig {
            architecture: self.architecture,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            vocab_size: VOCABULARY,
            max_positions: 512,
            sliding_window: None,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: self.rope_scaling.clone(),
            rotated_layers: (0..self.layers).map(|l| !(every_fourth && (l + 1).is_multiple_of(4))).collect(),
            tie_word_embeddings: self.tied,
            qkv_bias: self.architecture == Architecture::Qwen2,
            output_bias: false,
            mlp_bias: false,
            qk_norm: self.architecture == Architecture::Qwen3,
            initializer_range: self.initializer_range,
            bos_token_id: Some(1),
            eos_token_ids: vec![2],
            pad_token_id: Some(0),
        }
    }

    /// Writes the model as a Hugging Face folder with tokenizer and `ChatML` template.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let config = self.config();
        let tokenizer = tiny_tokenizer()?;
        let template = ChatTemplate::new(CHATML, serde_json::Map::new())?;
        let parts = FolderParts {
            config: &config,
            tokenizer: &tokenizer,
            chat_template: Some(&template),
            stored: StoredType::F32,
        };
        let shapes = config.tensor_shapes();
        save_hf_folder(folder, parts, |name| {
            let shape = shapes.iter().find(|(n, _)| n == name).map(|(_, s)| s.clone()).unwrap_or_default();
            let values = tiny_values(&config, name, &shape);
            Ok(candle_core::Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?)
        })
    }
}

/// As [`super::initial_weight`], but biases and norms vary too, so that a test notices when one is lost.
fn tiny_values(config: &ModelConfig, name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    let stream = 5000 + name.bytes().fold(0_u64, |sum, b| (sum * 31 + u64::from(b)) % 100_003);
    if super::is_bias(name) {
        return super::values(stream, count, 0.1);
    }
    if name.contains("norm") {
        return super::values(stream, count, 0.1).into_iter().map(|v| 1.0 + v).collect();
    }
    initial_values(config, name, shape)
}

const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] \
                      + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' \
                      }}{% endif %}";

/// Writes the default tiny model.
pub fn write_tiny_folder(folder: &Path) -> Result<()> {
    TinyModel::default().write(folder)
}

/// A byte-level BPE tokenizer: `<|endoftext|>` 0, `<|im_start|>` 1, `<|im_end|>` 2, the 256 bytes, and merges of common
/// English pairs up to 320 tokens.
pub fn tiny_tokenizer() -> Result<Tokenizer> {
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let mut tokens: Vec<String> = special.iter().map(|t| (*t).to_owned()).collect();
    let mut alphabet: Vec<char> =
        tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    tokens.extend(alphabet.into_iter().map(String::from));
    let mut merges = Vec::new();
    for merge in MERGES.split_whitespace() {
        let (left, right) = merge.split_once('+').unwrap_or((merge, ""));
        merges.push(json!([left, right]));
        tokens.push(format!("{left}{right}"));
    }
    let vocab: serde_json::Map<String, serde_json::Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect();
    let added: Vec<serde_json::Value> = special
        .iter()
        .enumerate()
        .map(|(id, token)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": merges},
    });
    let special = SpecialTokens {
        bos: Some("<|im_start|>".to_owned()),
        eos: Some("<|im_end|>".to_owned()),
        pad: Some("<|endoftext|>".to_owned()),
        unk: None,
    };
    Tokenizer::from_json(&json.to_string(), special)
}

/// 61 merges, each of parts that exist before it.
const MERGES: &str = "Ġ+t h+e Ġ+a i+n r+e o+n Ġt+he e+r Ġ+s a+t Ġ+w Ġ+o e+n i+s i+t o+r Ġ+b e+s Ġ+c a+n Ġ+f Ġ+m \
                      in+g Ġ+p o+u a+l Ġa+n Ġo+f Ġ+d Ġan+d e+d a+r l+l Ġ+h Ġ+in a+s Ġt+o r+o i+c i+on l+e Ġ+l o+m \
                      v+e s+t Ġw+a h+a i+l Ġ+g o+t en+t c+h u+r Ġ+n a+m i+d Ġb+e l+o Ġ+it a+y Ġ+y";
