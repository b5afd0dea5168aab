//! PEFT adapters: `adapter_config.json` and `adapter_model.safetensors`, written and read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use super::writer::{StoredType, write_safetensors};
use crate::config::ModelConfig;
use crate::decoder::parameters::peft_name;
use crate::decoder::{Decoder, Linear, LoraConfig, LoraInit, TargetModules};
use crate::error::{Error, Result};
use crate::json_file;
use crate::weights::{ShardedWeights, refuse_pickle};

const CONFIG_LIMIT_BYTES: u64 = 4 << 20;

/// Writes a decoder's adapters. `base` is noted as the model they belong to.
pub fn save_adapter(decoder: &Decoder, folder: &Path, base: &str) -> Result<()> {
    let lora =
        decoder.lora().ok_or_else(|| Error::Argument("this model has no adapters to save".to_owned()))?;
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    json_file::write(&folder.join("adapter_config.json"), &config_json(lora, base))?;
    let tensors: HashMap<String, Tensor> = decoder.adapter_tensors()?.into_iter().collect();
    let shapes: Vec<(String, Vec<usize>)> =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec())).collect();
    let path = folder.join("adapter_model.safetensors");
    write_safetensors(&path, &shapes, StoredType::F32, &HashMap::new(), |name| Ok(tensors[name].clone()))
}

fn config_json(lora: &LoraConfig, base: &str) -> Value {
    let alpha = if lora.alpha.fract() == 0.0 { json!(lora.alpha as i64) } else { json!(lora.alpha) };
    let modules: Vec<&str> = lora.targets.linears().into_iter().map(Linear::module).collect();
    json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": alpha,
        "lora_dropout": lora.dropout,
        "target_modules": modules,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "use_rslora": false,
        "use_dora": false,
        "modules_to_save": null,
        "rank_pattern": {},
        "alpha_pattern": {},
        "layers_to_transform": null,
        "layers_pattern": null,
    })
}

/// An adapter on disk.
#[derive(Debug)]
pub(crate) struct StoredAdapter {
    path: PathBuf,
    weights: ShardedWeights,
    pub(crate) config: LoraConfig,
}

impl StoredAdapter {
    /// Opens a PEFT folder. Variants of LoRA that would change the numbers are refused.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let value: Value = json_file::read(&folder.join("adapter_config.json"), CONFIG_LIMIT_BYTES)?;
        let config = read_config(&value)?;
        let path = folder.join("adapter_model.safetensors");
        let pickled = folder.join("adapter_model.bin");
        if !path.is_file() && pickled.is_file() {
            refuse_pickle(&pickled)?;
        }
        Ok(Self { weights: ShardedWeights::from_file(&path)?, path, config })
    }

    /// Every tensor must belong to an adapted linear of the model, with its shape.
    pub(crate) fn check_fits(&self, config: &ModelConfig) -> Result<()> {
        let mut expected = HashMap::new();
        for layer in 0..config.layers {
            for linear in self.config.targets.linears() {
                let (out, input) = linear.shape(config);
                expected.insert(peft_name(layer, linear, "lora_A"), vec![self.config.rank, input]);
                expected.insert(peft_name(layer, linear, "lora_B"), vec![out, self.config.rank]);
            }
        }
        for name in self.weights.names() {
            let found = self.weights.info(&name).map(|info| info.shape.clone());
            match expected.remove(&name) {
                None => return Err(self.malformed(format!("tensor `{name}` does not belong to this model"))),
                Some(shape) if found.as_ref() != Some(&shape) => {
                    return Err(self.malformed(format!("tensor `{name}` has shape {found:?}, not {shape:?}")));
                }
                Some(_) => {}
            }
        }
        match expected.keys().min() {
            Some(name) => Err(self.malformed(format!("tensor `{name}` is missing"))),
            None => Ok(()),
        }
    }

    fn malformed(&self, reason: String) -> Error {
        Error::malformed(&self.path, reason)
    }

    /// `A` `[rank, in]` and `B` `[out, rank]` of a linear.
    pub(crate) fn matrices(
        &self,
        layer: usize,
        linear: Linear,
        config: &ModelConfig,
        device: &Device,
    ) -> Result<(Tensor, Tensor)> {
        let (out, input) = linear.shape(config);
        let read = |part: &str, want: [usize; 2]| -> Result<Tensor> {
            let name = peft_name(layer, linear, part);
            let (shape, values) = self
                .weights
                .read_f32(&name)
                .ok_or_else(|| self.malformed(format!("tensor `{name}` is missing")))??;
            if shape != want {
                return Err(self.malformed(format!("tensor `{name}` has shape {shape:?}, not {want:?}")));
            }
            Ok(Tensor::from_vec(values, shape, device)?)
        };
        Ok((read("lora_A", [self.config.rank, input])?, read("lora_B", [out, self.config.rank])?))
    }
}

fn read_config(value: &Value) -> Result<LoraConfig> {
    let fail = |field: &str, reason: &str| Error::config(format!("adapter_config.json, {field}"), reason);
    if value.get("peft_type").and_then(Value::as_str) != Some("LORA") {
        return Err(Error::Unsupported("a PEFT adapter that is not LoRA".to_owned()));
    }
    for switch in ["use_dora", "fan_in_fan_out", "lora_bias"] {
        if value.get(switch).and_then(Value::as_bool) == Some(true) {
            return Err(Error::Unsupported(format!("an adapter with `{switch}`")));
        }
    }
    let present = |field: &str| match value.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    };
    for field in ["rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform"] {
        if present(field) {
            return Err(Error::Unsupported(format!("an adapter with `{field}`")));
        }
    }
    if value.get("bias").and_then(Value::as_str).is_some_and(|b| b != "none") {
        return Err(Error::Unsupported("an adapter that trains biases".to_owned()));
    }
    let rank = value.get("r").and_then(Value::as_u64).ok_or_else(|| fail("r", "missing"))? as usize;
    let mut alpha =
        value.get("lora_alpha").and_then(Value::as_f64).ok_or_else(|| fail("lora_alpha", "missing"))?;
    if value.get("use_rslora").and_then(Value::as_bool) == Some(true) {
        alpha *= (rank as f64).sqrt();
    }
    let names: Vec<&str> = match value.get("target_modules") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => return Err(fail("target_modules", "missing")),
    };
    let config = LoraConfig {
        rank,
        alpha,
        dropout: value.get("lora_dropout").and_then(Value::as_f64).unwrap_or(0.0),
        targets: TargetModules::parse(&names)?,
        init: LoraInit::default(),
    };
    config.validate()?;
    Ok(config)
}
