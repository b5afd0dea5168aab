//! Names of what is trained, and what is held.

use candle_core::{Device, Tensor, Var};

use super::linear::Linear;
use super::projection::{Table, Vector, Weight};
use super::{Decoder, Model};
use crate::error::{Error, Result};

/// What PEFT puts in front of a base model's tensor names.
pub(crate) const PEFT_PREFIX: &str = "base_model.model.";

/// PEFT's name of an adapter matrix; `part` is `lora_A` or `lora_B`.
pub(crate) fn peft_name(layer: usize, linear: Linear, part: &str) -> String {
    format!("{PEFT_PREFIX}model.layers.{layer}.{}.{part}.weight", linear.path())
}

pub(super) fn trainable(model: &Model) -> Vec<(String, Var)> {
    let mut found = Vec::new();
    let mut vector = |name: String, v: &Vector| {
        if let Some(var) = v.var() {
            found.push((name, var.clone()));
        }
    };
    if let Table::Held(embedding) = &model.embedding {
        vector("model.embed_tokens.weight".to_owned(), embedding);
    }
    vector("model.norm.weight".to_owned(), &model.norm);
    if let Some(Table::Held(head)) = &model.head {
        vector("lm_head.weight".to_owned(), head);
    }
    for (index, layer) in model.layers.iter().enumerate() {
        let prefix = format!("model.layers.{index}");
        vector(format!("{prefix}.input_layernorm.weight"), &layer.input_norm);
        vector(format!("{prefix}.post_attention_layernorm.weight"), &layer.post_attention_norm);
        for (name, norm) in [("q_norm", &layer.query_norm), ("k_norm", &layer.key_norm)] {
            if let Some(norm) = norm {
                vector(format!("{prefix}.self_attn.{name}.weight"), norm);
            }
        }
        for which in Linear::ALL {
            if let Some(bias) = &layer.linear(which).bias {
                vector(format!("{prefix}.{}.bias", which.path()), bias);
            }
        }
    }
    for (index, layer) in model.layers.iter().enumerate() {
        for which in Linear::ALL {
            let projection = layer.linear(which);
            if let Weight::Trainable(var) = &projection.weight {
                found.push((format!("model.layers.{index}.{}.weight", which.path()), var.clone()));
            }
            if let Some(lora) = &projection.lora {
                for (part, matrix) in [("lora_A", lora.a()), ("lora_B", lora.b())] {
                    found.extend(matrix.var().map(|var| (peft_name(index, which, part), var.clone())));
                }
            }
        }
    }
    found
}

fn on_host(var: &Var) -> Result<Tensor> {
    Ok(var.as_detached_tensor().to_device(&Device::Cpu)?)
}

impl Decoder {
    /// Every tensor of a fully trained model by Hugging Face name, in f32. Refused for a model whose base weights are not
    /// held in full (merge an adapter from its source instead: [`crate::merge_adapter`]).
    pub fn full_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let held: std::collections::HashMap<String, Var> = self.trainable().into_iter().collect();
        self.config()
            .tensor_shapes()
            .into_iter()
            .map(|(name, _)| match held.get(&name) {
                Some(var) => Ok((name, on_host(var)?)),
                None => Err(Error::Argument(format!("`{name}` is frozen: there is no full model to save"))),
            })
            .collect()
    }

    /// The adapters' tensors by PEFT name.
    pub fn adapter_tensors(&self) -> Result<Vec<(String, Tensor)>> {
        self.trainable()
            .into_iter()
            .filter(|(name, _)| name.starts_with(PEFT_PREFIX))
            .map(|(name, var)| Ok((name, on_host(&var)?)))
            .collect()
    }

    /// Replaces trained variables by tensors of the same names (a checkpoint's, or given initial weights). Every name must
    /// be known and every shape equal; returns how many were replaced.
    pub fn set_trainable(&self, tensors: &[(String, Tensor)]) -> Result<usize> {
        let held: std::collections::HashMap<String, Var> = self.trainable().into_iter().collect();
        for (name, tensor) in tensors {
            let var = held
                .get(name)
                .ok_or_else(|| Error::Argument(format!("`{name}` is not a trained tensor of this model")))?;
            if var.dims() != tensor.dims() {
                return Err(Error::Argument(format!(
                    "`{name}` has shape {:?}, the model's is {:?}",
                    tensor.dims(),
                    var.dims()
                )));
            }
        }
        for (name, tensor) in tensors {
            held[name].set(&tensor.to_device(self.device())?)?;
        }
        Ok(tensors.len())
    }

    /// Bytes the weights take in memory: base, adapters, and the embedding unless it is left in its file.
    pub fn weight_bytes(&self) -> usize {
        let model = &self.model;
        let f32_bytes = |tensor: &Tensor| tensor.elem_count() * 4;
        let mut total = f32_bytes(model.norm.tensor());
        for table in [Some(&model.embedding), model.head.as_ref()].into_iter().flatten() {
            total += if let Table::Held(table) = table { f32_bytes(table.tensor()) } else { 0 };
        }
        total += model.packed_head.get().map_or(0, anneal_kernels::FrozenLinear::bytes);
        for projection in model.layers.iter().flat_map(|layer| &layer.linears) {
            total += match &projection.weight {
                Weight::Trainable(var) => f32_bytes(var),
                Weight::Frozen(frozen) => frozen.bytes(),
                Weight::Nf4(nf4) => nf4.bytes(),
            };
            total +=
                projection.lora.as_ref().map_or(0, |l| f32_bytes(l.a().tensor()) + f32_bytes(l.b().tensor()));
        }
        total
    }
}
