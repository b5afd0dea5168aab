//! `genai_config.json`, by which onnxruntime-genai runs the folder.
//!
//! Keys: <https://onnxruntime.ai/docs/genai/reference/config.html>.

use anneal_model::{Architecture, ModelConfig};
use serde_json::{Value, json};

const fn model_type(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Llama => "llama",
        Architecture::Mistral => "mistral",
        Architecture::Qwen2 => "qwen2",
        Architecture::Qwen3 => "qwen3",
        Architecture::SmolLm3 => "smollm3",
    }
}

/// The configuration of a graph with the pinned inputs and outputs.
pub(super) fn genai_config(config: &ModelConfig, provider_options: &Value) -> Value {
    let end = match config.eos_token_ids.as_slice() {
        [one] => json!(one),
        many => json!(many),
    };
    let pad = config.pad_token_id.or(config.eos_token_id());
    json!({
        "model": {
            "bos_token_id": config.bos_token_id.or(config.eos_token_id()),
            "context_length": config.context_length(),
            "decoder": {
                "session_options": { "log_id": "onnxruntime-genai", "provider_options": provider_options },
                "filename": "model.onnx",
                "head_size": config.head_dim,
                "hidden_size": config.hidden_size,
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "position_ids": "position_ids",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
                "num_attention_heads": config.heads,
                "num_hidden_layers": config.layers,
                "num_key_value_heads": config.kv_heads,
            },
            "eos_token_id": end,
            "pad_token_id": pad,
            "type": model_type(config.architecture),
            "vocab_size": config.vocab_size,
        },
        "search": {
            "do_sample": false,
            "max_length": config.context_length(),
            "min_length": 0,
            "num_beams": 1,
            "num_return_sequences": 1,
            "past_present_share_buffer": false,
            "repetition_penalty": 1.0,
            "temperature": 1.0,
            "top_k": 50,
            "top_p": 1.0,
        },
    })
}
