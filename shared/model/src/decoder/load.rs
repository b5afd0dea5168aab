//! From a source on disk, or a formula, to a model in memory.

use std::sync::{Arc, OnceLock};

use anneal_kernels::{FrozenLinear, Nf4Linear};
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;

use super::layer::Layer;
use super::linear::Linear;
use super::lora::{Lora, LoraConfig};
use super::options::{LoadOptions, WeightMode};
use super::projection::{Projection, Table, Vector, Weight};
use super::{Decoder, Model};
use crate::config::{ModelConfig, RotaryTables};
use crate::error::{Error, Result};
use crate::formula;
use crate::save::adapter::StoredAdapter;
use crate::source::Source;

/// Where tensors come from.
enum Origin<'a> {
    Source(&'a Source),
    Formula(&'a ModelConfig),
}

/// What every part of the model is built with.
struct Builder<'a> {
    origin: Origin<'a>,
    config: &'a ModelConfig,
    options: &'a LoadOptions,
    lora: Option<LoraConfig>,
    adapter: Option<StoredAdapter>,
}

impl Decoder {
    /// Loads a model.
    pub fn load(source: &Source, options: &LoadOptions) -> Result<Self> {
        Self::build(Origin::Source(source), source.config(), options)
    }

    /// A randomly initialised model ([`formula::initial_weight`]), to train from scratch.
    pub fn initialise(config: &ModelConfig, options: &LoadOptions) -> Result<Self> {
        Self::build(Origin::Formula(config), config, options)
    }

    fn build(origin: Origin<'_>, config: &ModelConfig, options: &LoadOptions) -> Result<Self> {
        config.validate()?;
        let adapter = options.adapter.as_deref().map(StoredAdapter::open).transpose()?;
        let lora = match (&adapter, &options.lora) {
            (Some(stored), asked) => {
                let mut lora = stored.config.clone();
                lora.dropout = asked.as_ref().map_or(lora.dropout, |l| l.dropout);
                Some(lora)
            }
            (None, asked) => asked.clone(),
        };
        if let Some(lora) = &lora {
            lora.validate()?;
        }
        Builder { origin, config, options, lora, adapter }.decoder()
    }
}

impl Builder<'_> {
    fn decoder(self) -> Result<Decoder> {
        if let Some(adapter) = &self.adapter {
            adapter.check_fits(self.config)?;
        }
        let layers = (0..self.config.layers)
            .into_par_iter()
            .map(|index| self.layer(index))
            .collect::<Result<Vec<Layer>>>()?;
        let d = self.config.hidden_size;
        let v = self.config.vocab_size;
        let head =
            (!self.config.tie_word_embeddings).then(|| self.table("lm_head.weight", &[v, d])).transpose()?;
        let model = Model {
            rotary: RotaryTables::new(self.config),
            embedding: self.table("model.embed_tokens.weight", &[v, d])?,
            layers,
            norm: self.vector("model.norm.weight", &[d])?,
            head,
            config: self.config.clone(),
            compute: self.options.compute,
            device: self.options.device.clone(),
            lora: self.lora.clone(),
            packed_head: OnceLock::new(),
        };
        Ok(Decoder { model: Arc::new(model), adapter: true })
    }

    fn layer(&self, index: usize) -> Result<Layer> {
        let (d, c) = (self.config.hidden_size, self.config.head_dim);
        let vector = |name: &str, size: usize| self.vector(&format!("model.layers.{index}.{name}"), &[size]);
        let head_norm = |name: &str| self.config.qk_norm.then(|| vector(name, c)).transpose();
        let projections =
            Linear::ALL.iter().map(|&l| self.projection(index, l)).collect::<Result<Vec<Projection>>>()?;
        Ok(Layer {
            input_norm: vector("input_layernorm.weight", d)?,
            post_attention_norm: vector("post_attention_layernorm.weight", d)?,
            query_norm: head_norm("self_attn.q_norm.weight")?,
            key_norm: head_norm("self_attn.k_norm.weight")?,
            linears: projections
                .try_into()
                .map_err(|_| Error::Argument("a layer has seven linears".to_owned()))?,
            rotated: self.config.rotated_layers[index],
        })
    }

    fn trainable(&self) -> bool {
        self.options.weights == WeightMode::Trainable
    }

    fn projection(&self, layer: usize, which: Linear) -> Result<Projection> {
        let (out, input) = which.shape(self.config);
        let prefix = format!("model.layers.{layer}.{}", which.path());
        let compute = self.options.compute;
        let w_oi = self.tensor(&format!("{prefix}.weight"), &[out, input])?;
        let weight = match self.options.weights {
            WeightMode::Trainable => Weight::Trainable(Var::from_tensor(&w_oi)?),
            WeightMode::Frozen => Weight::Frozen(FrozenLinear::new(&w_oi, compute)?),
            WeightMode::Nf4 { double_quant } => {
                Weight::Nf4(Nf4Linear::quantize(&w_oi, compute, double_quant)?)
            }
        };
        let bias = which
            .has_bias(self.config)
            .then(|| self.vector(&format!("{prefix}.bias"), &[out]))
            .transpose()?;
        Ok(Projection { weight, bias, lora: self.lora_of(layer, which)? })
    }

    fn lora_of(&self, layer: usize, which: Linear) -> Result<Option<Lora>> {
        let Some(config) = self.lora.as_ref().filter(|l| l.targets.includes(which)) else { return Ok(None) };
        if let Some(adapter) = &self.adapter {
            let (a, b) = adapter.matrices(layer, which, self.config, &self.options.device)?;
            return Lora::from_tensors(config, a, b, self.options.lora.is_some()).map(Some);
        }
        let k = 7 * layer + which as usize;
        Lora::fresh(config, k, which.shape(self.config), &self.options.device).map(Some)
    }

    /// Left in its file where it is frozen and can be read from there row by row.
    fn table(&self, name: &str, shape: &[usize]) -> Result<Table> {
        let stored = match self.origin {
            Origin::Source(source) if !self.trainable() && self.options.device.is_cpu() => source.table(name),
            _ => None,
        };
        match stored {
            Some(table) => Ok(Table::Stored(table)),
            None => Ok(Table::Held(self.vector(name, shape)?)),
        }
    }

    fn vector(&self, name: &str, shape: &[usize]) -> Result<Vector> {
        Vector::new(self.tensor(name, shape)?, self.trainable())
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = match self.origin {
            Origin::Source(source) => source.tensor(name)?,
            Origin::Formula(config) => {
                Tensor::from_vec(formula::initial_values(config, name, shape), shape, &Device::Cpu)?
            }
        };
        if tensor.dims() != shape {
            return Err(Error::Argument(format!(
                "tensor `{name}` has shape {:?}, the configuration says {shape:?}",
                tensor.dims()
            )));
        }
        Ok(tensor.to_device(&self.options.device)?)
    }
}
