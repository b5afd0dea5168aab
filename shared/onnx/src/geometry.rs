//! The decoder's shape as its graph declares it.

use std::path::Path;

use ort::value::{Outlet, TensorElementType, ValueType};

use crate::{Error, Result};

/// Counts and widths that the caches and the logits have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Decoder layers (pairs of caches).
    pub layers: usize,
    /// Key-value heads a layer.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of a row of logits.
    pub vocabulary: usize,
    /// Whether the caches are half precision.
    pub half_cache: bool,
    /// Whether the graph takes `position_ids`.
    pub position_ids: bool,
}

fn tensor<'a>(outlets: &'a [Outlet], name: &str) -> Option<(TensorElementType, &'a [i64])> {
    outlets.iter().find(|outlet| outlet.name() == name).and_then(|outlet| match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => Some((*ty, &**shape)),
        _ => None,
    })
}

impl Geometry {
    pub(crate) fn read(folder: &Path, inputs: &[Outlet], outputs: &[Outlet]) -> Result<Self> {
        let wrong = |reason: String| Error::Layout { folder: folder.to_owned(), reason };
        for name in ["input_ids", "attention_mask"] {
            match tensor(inputs, name) {
                Some((TensorElementType::Int64, [_, _])) => {}
                _ => return Err(wrong(format!("no int64 input `{name}` of two dimensions"))),
            }
        }
        let vocabulary = match tensor(outputs, "logits") {
            Some((TensorElementType::Float32 | TensorElementType::Float16, [_, _, width])) if *width > 0 => {
                *width as usize
            }
            _ => return Err(wrong("no output `logits` [batch, sequence, vocabulary]".into())),
        };
        let (kind, kv_heads, head_dim) = match tensor(inputs, "past_key_values.0.key") {
            Some((kind, [_, heads, _, width])) if *heads > 0 && *width > 0 => {
                (kind, *heads as usize, *width as usize)
            }
            _ => return Err(wrong("no input `past_key_values.0.key` [batch, heads, past, width]".into())),
        };
        let half_cache = match kind {
            TensorElementType::Float32 => false,
            TensorElementType::Float16 => true,
            other => return Err(wrong(format!("caches of {other}"))),
        };
        let layers = inputs.iter().filter(|input| input.name().starts_with("past_key_values.")).count() / 2;
        for layer in 0..layers {
            for part in ["key", "value"] {
                let (past, present) = cache_names(layer, part);
                if tensor(inputs, &past).is_none() || tensor(outputs, &present).is_none() {
                    return Err(wrong(format!("no `{past}` with its `{present}`")));
                }
            }
        }
        let position_ids = tensor(inputs, "position_ids").is_some();
        Ok(Self { layers, kv_heads, head_dim, vocabulary, half_cache, position_ids })
    }
}

pub(crate) fn cache_names(layer: usize, part: &str) -> (String, String) {
    (format!("past_key_values.{layer}.{part}"), format!("present.{layer}.{part}"))
}
