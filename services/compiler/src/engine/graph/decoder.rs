//! The whole decoder, layer by layer, from `input_ids` to `logits`.

use std::path::Path;

use anneal_model::ModelConfig;

use super::{
    Core, Recipe,
    attention::{Mask, Qkv},
    linear::{Linear, embedding, linear, vector},
    rotary::{Rotary, rms_norm},
};
use crate::engine::{
    error::Result,
    onnx::{Attribute, DataType, Dim, GraphBuilder, MICROSOFT, TensorStore},
    quantize::{Group, Plan},
    weights::Weights,
};

/// An extra output of a calibration graph: the input of a group of linears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) layer: usize,
    pub(crate) group: Group,
}

impl Tap {
    /// Name of the output.
    pub(crate) fn name(self) -> String {
        format!("tap.{}.{}", self.layer, self.group.name())
    }
}

/// Writes `folder/model.onnx` of `weights` by `recipe`; `each_layer` hears of every layer done and may stop the work.
pub(crate) fn write_decoder(
    folder: &Path,
    weights: &Weights,
    recipe: &Recipe,
    plan: &Plan,
    inline_limit_bytes: u64,
    mut each_layer: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    let config = weights.config();
    let expected = (config.parameters() as f64 * recipe.bytes_per_weight()) as u64;
    let store = TensorStore::for_size(folder, expected, inline_limit_bytes)?;
    let mut b = GraphBuilder::new("main_graph", store);
    declare(&mut b, config, recipe.core);
    let mut writer = Writer { b, weights, recipe, plan, config };
    let rotary = Rotary::new(&mut writer.b, config, recipe.core)?;
    let mask = Mask::new(&mut writer.b, recipe)?;
    let (tied, head) = writer.head_name();
    let table = weights.matrix("model.embed_tokens.weight")?;
    let shared = if tied { head } else { "model.embed_tokens.weight" };
    let mut stream = embedding(&mut writer.b, "input_ids", &table, shared, recipe.format, recipe.core)?;
    drop(table);
    let mut update: Option<String> = None;
    for layer in 0..config.layers {
        (stream, update) = writer.layer(layer, &rotary, &mask, &stream, update.as_deref())?;
        each_layer(layer)?;
    }
    writer.head(head, &stream, update.as_deref())?;
    writer.b.write(folder)
}

fn declare(b: &mut GraphBuilder, config: &ModelConfig, core: Core) {
    let (batch, sequence, total) =
        (Dim::Any("batch_size"), Dim::Any("sequence_length"), Dim::Any("total_sequence_length"));
    b.input("input_ids", DataType::Int64, &[batch, sequence]);
    b.input("attention_mask", DataType::Int64, &[batch, total]);
    b.input("position_ids", DataType::Int64, &[batch, sequence]);
    b.output("logits", DataType::Float, &[batch, sequence, Dim::Of(config.vocab_size)]);
    for layer in 0..config.layers {
        for part in ["key", "value"] {
            let cache =
                |length| [batch, Dim::Of(config.kv_heads), Dim::Any(length), Dim::Of(config.head_dim)];
            let past = format!("past_key_values.{layer}.{part}");
            b.input(&past, core.data_type(), &cache("past_sequence_length"));
            b.output(&format!("present.{layer}.{part}"), core.data_type(), &cache("total_sequence_length"));
        }
    }
}

struct Writer<'a> {
    b: GraphBuilder,
    weights: &'a Weights,
    recipe: &'a Recipe,
    plan: &'a Plan,
    config: &'a ModelConfig,
}

impl Writer<'_> {
    fn head_name(&self) -> (bool, &'static str) {
        if self.config.tie_word_embeddings {
            (true, "model.embed_tokens.weight")
        } else {
            (false, "lm_head.weight")
        }
    }

    /// Norm of `stream + update`; returns the normed value and the sum.
    fn norm(
        &mut self,
        node: &str,
        stream: &str,
        update: Option<&str>,
        weight: (&str, &[f32]),
    ) -> Result<(String, String)> {
        let core = self.recipe.core;
        let Some(update) = update else {
            let normed = rms_norm(&mut self.b, core, node, stream, weight, self.config.rms_norm_eps)?;
            return Ok((normed, stream.to_owned()));
        };
        let weight = vector(&mut self.b, core, weight.0, weight.1)?;
        let (normed, sum) = (format!("{node}/output_0"), format!("{node}/output_3"));
        self.b.node(
            MICROSOFT,
            node,
            "SkipSimplifiedLayerNormalization",
            &[stream, update, &weight],
            &[&normed, "", "", &sum],
            vec![Attribute::float("epsilon", self.config.rms_norm_eps as f32)],
        );
        Ok((normed, sum))
    }

    fn tap(&mut self, layer: usize, group: Group, value: &str, width: usize) {
        if self.recipe.taps {
            let name = Tap { layer, group }.name();
            self.b.node("", &format!("/{name}"), "Identity", &[value], &[&name], vec![]);
            let dims = [Dim::Any("batch_size"), Dim::Any("sequence_length"), Dim::Of(width)];
            self.b.output(&name, self.recipe.core.data_type(), &dims);
        }
    }

    /// The linear `module` (such as `self_attn.q_proj`) of `layer`, with the plan's scales folded in.
    fn project(&mut self, layer: usize, module: &str, group: Group, x: &str) -> Result<String> {
        let name = format!("model.layers.{layer}.{module}.weight");
        let mut weight = self.weights.matrix(&name)?;
        let mut bias = self.weights.vector_if_present(&format!("model.layers.{layer}.{module}.bias"))?;
        self.plan.fold(self.config, layer, module, &mut weight, bias.as_deref_mut());
        let node = format!(
            "/model/layers.{layer}/{}",
            module.replace("self_attn.", "attn/").replace("mlp.", "mlp/")
        );
        let parts = Linear {
            node: &node,
            name: &name,
            weight: &weight,
            bias: bias.as_deref(),
            format: self.recipe.format,
            core: self.recipe.core,
            precise: self.plan.precise(layer, group),
        };
        linear(&mut self.b, x, &parts)
    }

    fn norm_weight(&self, layer: usize, norm: &str, group: Group) -> Result<(String, Vec<f32>)> {
        let name = format!("model.layers.{layer}.{norm}.weight");
        let mut weight = self.weights.vector(&name)?;
        self.plan.fold_norm(layer, group, &mut weight);
        Ok((name, weight))
    }

    /// Per-head RMSNorm of queries or keys (Qwen3).
    fn head_norm(&mut self, layer: usize, part: &str, x: &str, heads: usize) -> Result<String> {
        let Some(weight) =
            self.weights.vector_if_present(&format!("model.layers.{layer}.self_attn.{part}_norm.weight"))?
        else {
            return Ok(x.to_owned());
        };
        let node = format!("/model/layers.{layer}/attn/{part}_norm");
        let split = self.b.shape(&[0, 0, heads as i64, self.config.head_dim as i64])?;
        let flat = self.b.shape(&[0, 0, (heads * self.config.head_dim) as i64])?;
        let x = self.b.op(&format!("{node}/split"), "Reshape", &[x, &split], vec![]);
        let name = format!("model.layers.{layer}.self_attn.{part}_norm.weight");
        let x =
            rms_norm(&mut self.b, self.recipe.core, &node, &x, (&name, &weight), self.config.rms_norm_eps)?;
        Ok(self.b.op(&format!("{node}/flat"), "Reshape", &[&x, &flat], vec![]))
    }

    fn layer(
        &mut self,
        layer: usize,
        rotary: &Rotary,
        mask: &Mask,
        stream: &str,
        update: Option<&str>,
    ) -> Result<(String, Option<String>)> {
        let config = self.config;
        let node = format!("/model/layers.{layer}");
        let (name, weight) = self.norm_weight(layer, "input_layernorm", Group::AttentionIn)?;
        let (x, stream) = self.norm(&format!("{node}/input_layernorm"), stream, update, (&name, &weight))?;
        self.tap(layer, Group::AttentionIn, &x, config.hidden_size);
        let query = self.project(layer, "self_attn.q_proj", Group::AttentionIn, &x)?;
        let key = self.project(layer, "self_attn.k_proj", Group::AttentionIn, &x)?;
        let value = self.project(layer, "self_attn.v_proj", Group::AttentionIn, &x)?;
        let mut query = self.head_norm(layer, "q", &query, config.heads)?;
        let mut key = self.head_norm(layer, "k", &key, config.kv_heads)?;
        if config.rotated_layers[layer] {
            query = rotary.apply(&mut self.b, &format!("{node}/attn/q_rotary"), &query);
            key = rotary.apply(&mut self.b, &format!("{node}/attn/k_rotary"), &key);
        }
        let mixed = mask.attend(&mut self.b, config, layer, &Qkv { query, key, value })?;
        self.tap(layer, Group::AttentionOut, &mixed, config.heads * config.head_dim);
        let update = self.project(layer, "self_attn.o_proj", Group::AttentionOut, &mixed)?;
        self.feed_forward(layer, &stream, &update)
    }

    fn feed_forward(&mut self, layer: usize, stream: &str, update: &str) -> Result<(String, Option<String>)> {
        let node = format!("/model/layers.{layer}");
        let (name, weight) = self.norm_weight(layer, "post_attention_layernorm", Group::FeedForwardIn)?;
        let (x, stream) =
            self.norm(&format!("{node}/post_attention_layernorm"), stream, Some(update), (&name, &weight))?;
        self.tap(layer, Group::FeedForwardIn, &x, self.config.hidden_size);
        let gate = self.project(layer, "mlp.gate_proj", Group::FeedForwardIn, &x)?;
        let up = self.project(layer, "mlp.up_proj", Group::FeedForwardIn, &x)?;
        let sigmoid = self.b.op(&format!("{node}/mlp/Sigmoid"), "Sigmoid", &[&gate], vec![]);
        let gate = self.b.op(&format!("{node}/mlp/silu"), "Mul", &[&gate, &sigmoid], vec![]);
        let inner = self.b.op(&format!("{node}/mlp/Mul"), "Mul", &[&gate, &up], vec![]);
        self.tap(layer, Group::FeedForwardOut, &inner, self.config.intermediate_size);
        let update = self.project(layer, "mlp.down_proj", Group::FeedForwardOut, &inner)?;
        Ok((stream, Some(update)))
    }

    fn head(&mut self, name: &str, stream: &str, update: Option<&str>) -> Result<()> {
        let norm = self.weights.vector("model.norm.weight")?;
        let (x, _) = self.norm("/model/norm", stream, update, ("model.norm.weight", &norm))?;
        let weight = self.weights.matrix(name)?;
        let bias = self.weights.vector_if_present("lm_head.bias")?;
        let parts = Linear {
            node: "/lm_head",
            name,
            weight: &weight,
            bias: bias.as_deref(),
            format: self.recipe.format,
            core: self.recipe.core,
            precise: Plan::precise_head(),
        };
        let logits = linear(&mut self.b, &x, &parts)?;
        let (op, attributes) = match self.recipe.core {
            Core::F32 => ("Identity", vec![]),
            Core::F16 => ("Cast", vec![Attribute::int("to", DataType::Float as i64)]),
        };
        self.b.node("", "/lm_head/logits", op, &[&logits], &["logits"], attributes);
        Ok(())
    }
}
