//! `config.json` as transformers reads and writes it.

use serde_json::{Map, Value, json};

use super::{Architecture, ModelConfig, RopeScaling};
use crate::error::{Error, Result};

/// Typed access to the fields, with the field's name in every error.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    fn size(&self, name: &str) -> Result<Option<usize>> {
        self.get(name)
            .map(|v| {
                v.as_u64()
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or_else(|| Error::config(name, format!("{v} is not a whole number")))
            })
            .transpose()
    }

    fn required_size(&self, name: &str) -> Result<usize> {
        self.size(name)?.ok_or_else(|| Error::config(name, "missing"))
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        self.get(name)
            .map(|v| v.as_f64().ok_or_else(|| Error::config(name, format!("{v} is not a number"))))
            .transpose()
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.get(name)
            .map(|v| v.as_bool().ok_or_else(|| Error::config(name, format!("{v} is not true or false"))))
            .transpose()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    fn id(&self, name: &str) -> Result<Option<u32>> {
        self.get(name).map(|v| id(name, v)).transpose()
    }

    /// One id or a list of ids.
    fn ids(&self, name: &str) -> Result<Vec<u32>> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|v| id(name, v)).collect(),
            Some(v) => Ok(vec![id(name, v)?]),
        }
    }
}

fn id(name: &str, value: &Value) -> Result<u32> {
    value
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| Error::config(name, format!("{value} is not a token id")))
}

impl ModelConfig {
    /// Reads a parsed `config.json`. Missing fields take transformers' defaults for the architecture.
    pub fn from_huggingface(value: &Value) -> Result<Self> {
        let object = value.as_object().ok_or_else(|| Error::config("config.json", "not a JSON object"))?;
        let fields = Fields(object);
        let model_type = fields.text("model_type").ok_or_else(|| Error::config("model_type", "missing"))?;
        let architecture = Architecture::from_model_type(model_type)?;
        refuse_variants(&fields)?;
        let layers = fields.required_size("num_hidden_layers")?;
        if layers > super::MAX_LAYERS {
            return Err(Error::config("num_hidden_layers", format!("{layers} is out of range")));
        }
        let (hidden_size, heads) =
            (fields.required_size("hidden_size")?, fields.required_size("num_attention_heads")?);
        let head_dim = match fields.size("head_dim")? {
            Some(width) => width,
            None if architecture == Architecture::Qwen3 => 128,
            None => hidden_size.checked_div(heads).unwrap_or(0),
        };
        let attention_bias = fields.flag("attention_bias")?.unwrap_or(false)
            && !matches!(architecture, Architecture::Mistral | Architecture::Qwen2);
        let max_positions =
            fields.size("max_position_embeddings")?.unwrap_or(default_positions(architecture));
        let (rope_theta, rope_scaling) = rope(&fields, architecture, max_positions)?;
        let config = Self {
            architecture,
            hidden_size,
            intermediate_size: fields.required_size("intermediate_size")?,
            layers,
            heads,
            kv_heads: fields.size("num_key_value_heads")?.unwrap_or(default_kv_heads(architecture, heads)),
            head_dim,
            vocab_size: fields.required_size("vocab_size")?,
            max_positions,
            sliding_window: sliding_window(&fields, architecture)?,
            rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            rotated_layers: rotated_layers(&fields, architecture, layers)?,
            tie_word_embeddings: fields
                .flag("tie_word_embeddings")?
                .unwrap_or(architecture == Architecture::SmolLm3),
            qkv_bias: attention_bias || architecture == Architecture::Qwen2,
            output_bias: attention_bias,
            mlp_bias: fields.flag("mlp_bias")?.unwrap_or(false)
                && matches!(architecture, Architecture::Llama | Architecture::SmolLm3),
            qk_norm: architecture == Architecture::Qwen3,
            initializer_range: fields.number("initializer_range")?.unwrap_or(0.02),
            bos_token_id: fields.id("bos_token_id")?,
            eos_token_ids: fields.ids("eos_token_id")?,
            pad_token_id: fields.id("pad_token_id")?,
        };
        config.validate()?;
        Ok(config)
    }

    /// The `config.json` of this model with weights stored as `dtype` (`float32`, `bfloat16` or `float16`).
    pub fn to_huggingface(&self, dtype: &str) -> Value {
        let mut value = json!({
            "architectures": [self.architecture.class_name()],
            "model_type": self.architecture.model_type(),
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab_size,
            "max_position_embeddings": self.max_positions,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": self.rope_scaling_json(),
            "rope_parameters": self.rope_parameters_json(),
            "hidden_act": "silu",
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.output_bias,
            "mlp_bias": self.mlp_bias,
            "attention_dropout": 0.0,
            "initializer_range": self.initializer_range,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": self.eos_json(),
            "pad_token_id": self.pad_token_id,
            "use_cache": true,
            "torch_dtype": dtype,
            "dtype": dtype,
        });
        let windowed = self.sliding_window.is_some();
        match self.architecture {
            Architecture::Mistral => value["sliding_window"] = json!(self.sliding_window),
            Architecture::Qwen2 | Architecture::Qwen3 => {
                value["use_sliding_window"] = json!(windowed);
                value["sliding_window"] = json!(self.sliding_window);
                value["max_window_layers"] = json!(if windowed { 0 } else { self.layers });
            }
            Architecture::SmolLm3 => {
                value["no_rope_layers"] =
                    self.rotated_layers.iter().map(|&rotated| u8::from(rotated)).collect();
                value["use_sliding_window"] = json!(windowed);
                value["sliding_window"] = json!(self.sliding_window);
            }
            Architecture::Llama => {}
        }
        value
    }

    /// The `generation_config.json` of this model (greedy unless a caller asks otherwise).
    pub fn generation_config(&self) -> Value {
        json!({
            "bos_token_id": self.bos_token_id,
            "eos_token_id": self.eos_json(),
            "pad_token_id": self.pad_token_id,
        })
    }

    fn eos_json(&self) -> Value {
        match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            many => json!(many),
        }
    }

    fn rope_scaling_json(&self) -> Value {
        match &self.rope_scaling {
            RopeScaling::None => Value::Null,
            RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                json!({
                    "rope_type": "llama3", "factor": factor, "low_freq_factor": low_freq_factor,
                    "high_freq_factor": high_freq_factor,
                    "original_max_position_embeddings": original_max_positions,
                })
            }
            RopeScaling::Yarn {
                factor,
                original_max_positions,
                beta_fast,
                beta_slow,
                attention_factor,
                truncate,
            } => json!({
                "rope_type": "yarn", "factor": factor,
                "original_max_position_embeddings": original_max_positions,
                "beta_fast": beta_fast, "beta_slow": beta_slow, "attention_factor": attention_factor,
                "truncate": truncate,
            }),
        }
    }

    fn rope_parameters_json(&self) -> Value {
        let mut value = match self.rope_scaling_json() {
            Value::Null => json!({"rope_type": "default"}),
            scaled => scaled,
        };
        value["rope_theta"] = json!(self.rope_theta);
        value
    }
}

fn refuse_variants(fields: &Fields<'_>) -> Result<()> {
    let activation = fields.text("hidden_act").unwrap_or("silu");
    if activation != "silu" {
        return Err(Error::Unsupported(format!("activation `{activation}` (only silu)")));
    }
    if fields.get("quantization_config").is_some() {
        return Err(Error::Unsupported(
            "weights stored by another quantiser (`quantization_config`); use the unquantised model"
                .to_owned(),
        ));
    }
    refuse_partial_rotation(fields)?;
    for name in ["rope_parameters", "rope_scaling"] {
        let Some(nested) = fields.get(name).and_then(Value::as_object) else { continue };
        refuse_partial_rotation(&Fields(nested))?;
        if nested.values().any(Value::is_object) {
            return Err(Error::Unsupported(format!("rotary embedding by kind of layer (`{name}`)")));
        }
    }
    if fields.get("auto_map").is_some() {
        return Err(Error::Unsupported("models that bring their own code (`auto_map`)".to_owned()));
    }
    Ok(())
}

fn refuse_partial_rotation(fields: &Fields<'_>) -> Result<()> {
    match fields.number("partial_rotary_factor")? {
        Some(factor) if (factor - 1.0).abs() > f64::EPSILON => {
            Err(Error::Unsupported("`partial_rotary_factor` other than 1".to_owned()))
        }
        _ => Ok(()),
    }
}

fn default_positions(architecture: Architecture) -> usize {
    match architecture {
        Architecture::Llama => 2048,
        Architecture::Mistral => 4096 * 32,
        Architecture::Qwen2 | Architecture::Qwen3 | Architecture::SmolLm3 => 32768,
    }
}

fn default_kv_heads(architecture: Architecture, heads: usize) -> usize {
    match architecture {
        Architecture::Llama => heads,
        Architecture::Mistral => 8,
        Architecture::Qwen2 | Architecture::Qwen3 => 32,
        Architecture::SmolLm3 => 4,
    }
}

fn sliding_window(fields: &Fields<'_>, architecture: Architecture) -> Result<Option<usize>> {
    let window = fields.size("sliding_window")?;
    let used = match architecture {
        Architecture::Llama => false,
        Architecture::Mistral => {
            return Ok(if fields.0.contains_key("sliding_window") { window } else { Some(4096) });
        }
        _ => fields.flag("use_sliding_window")?.unwrap_or(false),
    };
    Ok(window.filter(|_| used))
}

fn rotated_layers(fields: &Fields<'_>, architecture: Architecture, layers: usize) -> Result<Vec<bool>> {
    if architecture != Architecture::SmolLm3 {
        return Ok(vec![true; layers]);
    }
    if let Some(Value::Array(list)) = fields.get("no_rope_layers") {
        return list
            .iter()
            .map(|v| match v.as_u64() {
                Some(0) => Ok(false),
                Some(1) => Ok(true),
                _ => Err(Error::config("no_rope_layers", format!("{v} is neither 0 nor 1"))),
            })
            .collect();
    }
    let interval = fields.size("no_rope_layer_interval")?.unwrap_or(4).max(1);
    Ok((0..layers).map(|layer| !(layer + 1).is_multiple_of(interval)).collect())
}

/// Base and stretching, from `rope_parameters` (transformers 5) or `rope_theta` with `rope_scaling` (transformers 4).
fn rope(fields: &Fields<'_>, architecture: Architecture, max_positions: usize) -> Result<(f64, RopeScaling)> {
    let parameters = fields.get("rope_parameters").and_then(Value::as_object).map(Fields);
    let scaling = fields.get("rope_scaling").and_then(Value::as_object).map(Fields);
    let nested_theta = match &parameters {
        Some(p) => p.number("rope_theta")?,
        None => None,
    };
    let default_theta = if architecture == Architecture::SmolLm3 { 2_000_000.0 } else { 10_000.0 };
    let outer_theta = fields.number("rope_theta")?;
    if let (Some(outer), Some(nested)) = (outer_theta, nested_theta)
        && (outer - nested).abs() > f64::EPSILON
    {
        return Err(Error::config("rope_theta", format!("{outer}, but `rope_parameters` has {nested}")));
    }
    let theta = outer_theta.or(nested_theta).unwrap_or(default_theta);
    let Some(scaling) = scaling.or(parameters) else { return Ok((theta, RopeScaling::None)) };
    Ok((theta, rope_scaling(&scaling, max_positions)?))
}

fn rope_scaling(fields: &Fields<'_>, max_positions: usize) -> Result<RopeScaling> {
    let kind = fields.text("rope_type").or_else(|| fields.text("type")).unwrap_or("default");
    let required = |name: &str| {
        fields.number(name)?.ok_or_else(|| Error::config(format!("rope_scaling.{name}"), "missing"))
    };
    let original = fields.size("original_max_position_embeddings")?;
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: required("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: required("factor")?,
            low_freq_factor: required("low_freq_factor")?,
            high_freq_factor: required("high_freq_factor")?,
            original_max_positions: original
                .ok_or_else(|| Error::config("rope_scaling.original_max_position_embeddings", "missing"))?,
        }),
        "yarn" => {
            let factor = required("factor")?;
            Ok(RopeScaling::Yarn {
                factor,
                original_max_positions: original.unwrap_or(max_positions),
                beta_fast: fields.number("beta_fast")?.unwrap_or(32.0),
                beta_slow: fields.number("beta_slow")?.unwrap_or(1.0),
                attention_factor: yarn_attention(fields, factor)?,
                truncate: fields.flag("truncate")?.unwrap_or(true),
            })
        }
        other => Err(Error::Unsupported(format!(
            "rope scaling `{other}`; supported are default, linear, llama3 and yarn"
        ))),
    }
}

fn yarn_attention(fields: &Fields<'_>, factor: f64) -> Result<f64> {
    if let Some(given) = fields.number("attention_factor")? {
        return Ok(given);
    }
    let warmth = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
    match (fields.number("mscale")?, fields.number("mscale_all_dim")?) {
        (Some(m), Some(all)) if m != 0.0 && all != 0.0 => Ok(warmth(m) / warmth(all)),
        _ => Ok(RopeScaling::yarn_attention_factor(factor)),
    }
}
