//! A decoder-only language model in memory.
//!
//! Tokens of all sequences lie end to end (`t`), without padding; [`Segments`] says where each begins. The residual
//! stream, norms and rotary products are f32; products are rounded to the compute format as autocast does.

mod cache;
mod dropout;
mod graph;
mod layer;
mod linear;
mod load;
mod lora;
mod options;
pub(crate) mod parameters;
mod projection;
mod tape;

pub use cache::KvCache;
pub use dropout::DropoutState;
pub use layer::{Layer, Pass};
pub use linear::Linear;
pub use lora::{Lora, LoraConfig, LoraInit, TargetModules};
pub use options::{LoadOptions, WeightMode};
pub use projection::{Projection, Vector, Weight};
pub use tape::{Gradients, Keep, Tape};

use std::sync::{Arc, OnceLock};

use anneal_kernels::{Compute, FrozenLinear, Segments, attention_as, embedding, linear, rms_norm};
use candle_core::{Device, Tensor, Var};

use crate::config::{ModelConfig, RotaryTables};
use crate::error::{Error, Result};

use layer::Sizes;
use projection::Table;

/// A model ready to train, score or generate. Cloning shares the weights.
#[derive(Debug, Clone)]
pub struct Decoder {
    model: Arc<Model>,
    adapter: bool,
}

#[derive(Debug)]
struct Model {
    config: ModelConfig,
    compute: Compute,
    device: Device,
    rotary: RotaryTables,
    embedding: Table,
    layers: Vec<Layer>,
    norm: Vector,
    /// `None` when tied to the embedding.
    head: Option<Table>,
    lora: Option<LoraConfig>,
    packed_head: OnceLock<FrozenLinear>,
}

impl Model {
    fn output(&self) -> &Table {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// The output matrix, when it is trained.
    fn head_var(&self) -> Option<&Var> {
        self.output().var()
    }
}

impl Decoder {
    /// Sizes and switches.
    pub fn config(&self) -> &ModelConfig {
        &self.model.config
    }

    /// The adapters' shape, where there are adapters.
    pub fn lora(&self) -> Option<&LoraConfig> {
        self.model.lora.as_ref()
    }

    /// Format of the products.
    pub fn compute(&self) -> Compute {
        self.model.compute
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        &self.model.device
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Layer] {
        &self.model.layers
    }

    /// Hidden states `[t, d]` after the final norm, of `tokens` cut into `segments`; positions restart in each.
    /// Differentiable. `train` switches dropout on.
    pub fn hidden(
        &self,
        tokens: &[u32],
        segments: &Segments,
        mut train: Option<&mut DropoutState>,
    ) -> Result<Tensor> {
        check_rows(tokens, segments, &[])?;
        let pass = self.pass(segments)?;
        let mut x_td = self.embed(tokens)?;
        for index in 0..self.model.layers.len() {
            x_td = self.layer(index, &x_td, &pass, train.as_deref_mut())?;
        }
        self.final_norm(&x_td)
    }

    /// What the layers of one pass share. With [`Self::embed`], [`Self::layer`] and [`Self::final_norm`] this is
    /// [`Self::hidden`] in steps, for whoever stores only some activations.
    pub fn pass(&self, segments: &Segments) -> Result<Pass> {
        self.check_length(segments.longest())?;
        self.pass_at(segments.clone(), &segments.positions())
    }

    fn pass_at(&self, segments: Segments, positions: &[u32]) -> Result<Pass> {
        let (cos_tc2, sin_tc2) = self.model.rotary.at(positions, &self.model.device)?;
        Ok(Pass { segments, cos_tc2, sin_tc2, adapter: self.adapter })
    }

    fn check_length(&self, tokens: usize) -> Result<()> {
        match self.model.config.sliding_window {
            Some(window) if tokens > window => Err(Error::Unsupported(format!(
                "a sequence of {tokens} tokens in a model whose attention window is {window}"
            ))),
            _ => Ok(()),
        }
    }

    /// Rows of the embedding, `[t, d]`. An id beyond the vocabulary is refused.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let vocabulary = self.model.config.vocab_size;
        if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(Error::Argument(format!("token id {id} in a vocabulary of {vocabulary}")));
        }
        match &self.model.embedding {
            Table::Held(weight) => Ok(embedding(weight.tensor(), tokens, weight.var().is_some())?),
            Table::Stored(table) => {
                let shape = (tokens.len(), self.model.config.hidden_size);
                Ok(Tensor::from_vec(table.read(tokens)?, shape, &self.model.device)?)
            }
        }
    }

    /// Layer `index` on the residual stream `[t, d]`.
    pub fn layer(
        &self,
        index: usize,
        x_td: &Tensor,
        pass: &Pass,
        mut train: Option<&mut DropoutState>,
    ) -> Result<Tensor> {
        let layer = &self.model.layers[index];
        let sizes = Sizes::new(&self.model.config, self.model.compute);
        let heads = layer.heads(x_td, sizes, pass, &mut train)?;
        let attended = attention_as(
            &heads.q_thc,
            &heads.k_tkc,
            &heads.v_tkc,
            &pass.segments,
            sizes.scale(),
            sizes.compute,
        )?;
        layer.finish(x_td, &attended, sizes, pass, &mut train)
    }

    /// The norm after the last layer.
    pub fn final_norm(&self, x_td: &Tensor) -> Result<Tensor> {
        Ok(rms_norm(x_td, self.model.norm.tensor(), self.model.config.rms_norm_eps)?)
    }

    /// The output matrix `[v, d]` in f32 and whether it is trained; the embedding itself where they are tied. A frozen one is read
    /// from its file.
    pub fn output_weight(&self) -> Result<(Tensor, bool)> {
        Ok((self.model.output().tensor()?, self.model.head_var().is_some()))
    }

    /// Logits `[t, v]` of hidden states `[t, d]`, rounded to the compute format. Not differentiable when frozen.
    pub fn logits(&self, h_td: &Tensor) -> Result<Tensor> {
        if let Some(weight) = self.model.head_var() {
            return Ok(linear(h_td, weight, self.model.compute)?);
        }
        Ok(self.packed_head()?.forward(h_td)?)
    }

    /// Prepares the output matrix now, which the first logits would do otherwise. Nothing where it is trained.
    pub fn prepare_output(&self) -> Result<()> {
        if self.model.head_var().is_none() {
            self.packed_head()?;
        }
        Ok(())
    }

    /// The output matrix as products read it, when it is not trained.
    fn packed_head(&self) -> Result<&FrozenLinear> {
        if let Some(head) = self.model.packed_head.get() {
            return Ok(head);
        }
        let packed = self.model.output().packed(self.model.compute)?;
        // Another thread may be first; both hold the same bits.
        Ok(self.model.packed_head.get_or_init(|| packed))
    }

    /// Runs `f` with the same weights and the adapters switched off.
    pub fn with_adapter_disabled<T>(&self, f: impl FnOnce(&Self) -> T) -> T {
        f(&Self { model: Arc::clone(&self.model), adapter: false })
    }

    /// The trained variables with their names: Hugging Face tensor names for a full model, PEFT's for adapters.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        parameters::trainable(&self.model)
    }
}

/// That there are as many tokens as the segments have, and rows of theirs.
fn check_rows(tokens: &[u32], segments: &Segments, rows: &[usize]) -> Result<()> {
    let (tokens, total) = (tokens.len(), segments.total());
    if tokens != total {
        return Err(Error::Argument(format!("{tokens} tokens for segments of {total} together")));
    }
    match rows.iter().find(|&&row| row >= tokens) {
        Some(row) => Err(Error::Argument(format!("row {row} of {tokens}"))),
        None => Ok(()),
    }
}
