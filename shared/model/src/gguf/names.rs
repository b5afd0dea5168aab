//! From llama.cpp's tensor names and row order to Hugging Face's.

use super::Gguf;
use crate::config::{Architecture, ModelConfig};
use crate::error::Result;

const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

const OUTER: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// The Hugging Face name of a GGUF tensor; `None` for tensors that are not weights (`rope_freqs`).
fn to_huggingface(name: &str) -> Option<String> {
    if let Some((_, hf)) = OUTER.iter().find(|(gguf, _)| *gguf == name) {
        return Some((*hf).to_owned());
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (_, hf) = PARTS.iter().find(|(gguf, _)| *gguf == part)?;
    Some(format!("model.layers.{layer}.{hf}.{kind}"))
}

/// The GGUF name of a Hugging Face tensor.
fn from_huggingface(name: &str) -> Option<String> {
    if let Some((gguf, _)) = OUTER.iter().find(|(_, hf)| *hf == name) {
        return Some((*gguf).to_owned());
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (path, kind) = rest.rsplit_once('.')?;
    let (gguf, _) = PARTS.iter().find(|(_, hf)| *hf == path)?;
    Some(format!("blk.{layer}.{gguf}.{kind}"))
}

/// llama.cpp interleaves the halves of every rotated head (rows of q and k, and their biases); this puts them back.
fn unpermute(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    let half = rows / heads / 2;
    let mut out = Vec::with_capacity(values.len());
    for head in 0..heads {
        for part in 0..2 {
            for i in 0..half {
                let row = head * 2 * half + 2 * i + part;
                out.extend_from_slice(&values[row * columns..(row + 1) * columns]);
            }
        }
    }
    out
}

impl Gguf {
    /// Hugging Face names of the file's weights, sorted.
    pub fn huggingface_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tensor_names().filter_map(to_huggingface).collect();
        names.sort_unstable();
        names
    }

    /// What the file calls a tensor, by its Hugging Face name, where its rows lie as Hugging Face has them.
    pub(crate) fn own_name(&self, name: &str) -> Option<String> {
        let permuted = name.contains("self_attn.q_proj.") || name.contains("self_attn.k_proj.");
        from_huggingface(name).filter(|own| !permuted && self.tensor(own).is_some())
    }

    /// Shape of a tensor by its Hugging Face name.
    pub fn huggingface_shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.tensor(&from_huggingface(name)?)?.shape.clone())
    }

    /// Shape and values of a tensor by its Hugging Face name, rows in Hugging Face's order.
    pub fn huggingface_tensor(
        &self,
        name: &str,
        config: &ModelConfig,
    ) -> Result<Option<(Vec<usize>, Vec<f32>)>> {
        let Some(gguf) = from_huggingface(name).filter(|n| self.tensor(n).is_some()) else { return Ok(None) };
        let shape = self.tensor(&gguf).map(|t| t.shape.clone()).unwrap_or_default();
        let values = self.read_f32(&gguf)?;
        let permuted = matches!(config.architecture, Architecture::Llama | Architecture::Mistral)
            || (config.architecture == Architecture::SmolLm3 && self.smollm3_is_permuted());
        let heads = if name.contains("self_attn.q_proj.") {
            config.heads
        } else if name.contains("self_attn.k_proj.") {
            config.kv_heads
        } else {
            return Ok(Some((shape, values)));
        };
        if !permuted || !shape[0].is_multiple_of(2 * heads) {
            return Ok(Some((shape, values)));
        }
        let values = unpermute(&values, shape[0], heads);
        Ok(Some((shape, values)))
    }

    /// The converter treats SmolLM3 as a Llama and permutes it.
    fn smollm3_is_permuted(&self) -> bool {
        self.text("general.architecture").is_ok_and(|a| a == "smollm3")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_there_and_back() {
        for name in
            ["model.layers.3.self_attn.q_norm.weight", "lm_head.weight", "model.layers.0.mlp.down_proj.bias"]
        {
            assert_eq!(from_huggingface(name).and_then(|n| to_huggingface(&n)).as_deref(), Some(name));
        }
        assert_eq!(to_huggingface("rope_freqs.weight"), None);
        assert_eq!(from_huggingface("../../etc/x"), None);
    }

    #[test]
    fn rows_of_a_head_are_put_back() {
        // Two heads of four rows of one column: llama.cpp order 0 2 1 3 within a head.
        let stored = [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0];
        assert_eq!(unpermute(&stored, 8, 2), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }
}
