//! Causal grouped-query attention over past and new keys, exact for any `attention_mask` and `position_ids`.
//!
//! Padding is masked by an additive bias rather than by sequence lengths, because tools pad on the left
//! (transformers' generation) and on the right (onnxruntime-genai).

use anneal_model::ModelConfig;

use super::{Core, Recipe, linear::cast};
use crate::engine::{
    error::Result,
    onnx::{Attribute, DataType, GraphBuilder, MICROSOFT},
};

/// Queries, keys and values of a layer, `[batch, sequence, heads · head_dim]`, rotated.
pub(super) struct Qkv {
    pub(super) query: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// Values that every layer shares, computed once from the mask.
pub(super) enum Mask {
    /// For `GroupQueryAttention`.
    Fused { lengths: String, total: String, bias: String },
    /// For plain operators: the bias holds the causal part too.
    Plain { bias: String },
}

/// Large enough to leave nothing after the softmax, small enough to be added to a score in the core's precision.
const fn masked(core: Core) -> f32 {
    match core {
        Core::F32 => -1e30,
        Core::F16 => -30_000.0,
    }
}

fn constant(b: &mut GraphBuilder, core: Core, name: &str, value: f32) -> Result<String> {
    match core {
        Core::F32 => b.floats(name, &[], &[value]),
        Core::F16 => b.halves(name, &[], &[value]),
    }
}

impl Mask {
    pub(super) fn new(b: &mut GraphBuilder, recipe: &Recipe) -> Result<Self> {
        let at = |name: &str| format!("/model/mask/{name}");
        let one = b.integers("one", &[], &[1])?;
        let (first, last) = (b.shape(&[0])?, b.shape(&[1])?);
        let mask_shape = b.op(&at("Shape"), "Shape", &["attention_mask"], vec![]);
        let ids_shape = b.op(&at("ids/Shape"), "Shape", &["input_ids"], vec![]);
        let total = b.op(&at("total"), "Gather", &[&mask_shape, &one], vec![]);
        let batch = b.op(&at("batch"), "Gather", &[&mask_shape, &first], vec![]);
        let sequence = b.op(&at("sequence"), "Gather", &[&ids_shape, &last], vec![]);
        // (1 - mask) · lowest, as [batch, 1, 1, total]
        let kept = cast(b, &at("Cast"), "attention_mask", recipe.core.data_type());
        let (unit, low) = (
            constant(b, recipe.core, "unit", 1.0)?,
            constant(b, recipe.core, "masked", masked(recipe.core))?,
        );
        let dropped = b.op(&at("Sub"), "Sub", &[&unit, &kept], vec![]);
        let bias = b.op(&at("Mul"), "Mul", &[&dropped, &low], vec![]);
        let axes = b.shape(&[1, 2])?;
        let bias = b.op(&at("Unsqueeze"), "Unsqueeze", &[&bias, &axes], vec![]);
        if recipe.fused_attention {
            let ones = b.shape(&[1])?;
            let total_1 = b.op(&at("total_1"), "Gather", &[&mask_shape, &last], vec![]);
            let wide = b.op(
                &at("wide"),
                "Concat",
                &[&batch, &ones, &sequence, &total_1],
                vec![Attribute::int("axis", 0)],
            );
            let bias = b.op(&at("Expand"), "Expand", &[&bias, &wide], vec![]);
            let length = b.op(&at("length"), "Sub", &[&total, &one], vec![]);
            let lengths = b.op(&at("lengths"), "Expand", &[&length, &batch], vec![]);
            let lengths = cast(b, &at("lengths/Cast"), &lengths, DataType::Int32);
            let total = cast(b, &at("total/Cast"), &total, DataType::Int32);
            return Ok(Self::Fused { lengths, total, bias });
        }
        // key position > query position is masked too
        let length = b.op(&at("length"), "Gather", &[&ids_shape, &one], vec![]);
        let past = b.op(&at("past"), "Sub", &[&total, &length], vec![]);
        let zero = b.integers("zero", &[], &[0])?;
        let keys = b.op(&at("keys"), "Range", &[&zero, &total, &one], vec![]);
        let queries = b.op(&at("queries"), "Range", &[&past, &total, &one], vec![]);
        let queries = b.op(&at("queries/Unsqueeze"), "Unsqueeze", &[&queries, &last], vec![]);
        let ahead = b.op(&at("Greater"), "Greater", &[&keys, &queries], vec![]);
        let bias = b.op(&at("Where"), "Where", &[&ahead, &low, &bias], vec![]);
        Ok(Self::Plain { bias })
    }

    /// Attention of `layer`; returns `[batch, sequence, heads · head_dim]` and writes the layer's caches.
    pub(super) fn attend(
        &self,
        b: &mut GraphBuilder,
        config: &ModelConfig,
        layer: usize,
        qkv: &Qkv,
    ) -> Result<String> {
        let node = format!("/model/layers.{layer}/attn");
        let (past_key, past_value) =
            (format!("past_key_values.{layer}.key"), format!("past_key_values.{layer}.value"));
        let (key, value) = (format!("present.{layer}.key"), format!("present.{layer}.value"));
        match self {
            Self::Fused { lengths, total, bias } => {
                let output = format!("{node}/GroupQueryAttention/output_0");
                let inputs = [
                    qkv.query.as_str(),
                    &qkv.key,
                    &qkv.value,
                    &past_key,
                    &past_value,
                    lengths,
                    total,
                    "",
                    "",
                    "",
                    bias,
                ];
                let attributes = vec![
                    Attribute::int("num_heads", config.heads as i64),
                    Attribute::int("kv_num_heads", config.kv_heads as i64),
                    Attribute::float("scale", scale(config)),
                ];
                let name = format!("{node}/GroupQueryAttention");
                b.node(
                    MICROSOFT,
                    &name,
                    "GroupQueryAttention",
                    &inputs,
                    &[&output, &key, &value],
                    attributes,
                );
                Ok(output)
            }
            Self::Plain { bias } => {
                let query =
                    split_heads(b, &format!("{node}/query"), &qkv.query, config.heads, config.head_dim)?;
                for (new, past, present) in [(&qkv.key, &past_key, &key), (&qkv.value, &past_value, &value)] {
                    let split =
                        split_heads(b, &format!("{present}/new"), new, config.kv_heads, config.head_dim)?;
                    let name = format!("{present}/Concat");
                    b.node("", &name, "Concat", &[past, &split], &[present], vec![Attribute::int("axis", 2)]);
                }
                plain(b, config, &node, [&query, &key, &value], bias)
            }
        }
    }
}

fn scale(config: &ModelConfig) -> f32 {
    (1.0 / (config.head_dim as f64).sqrt()) as f32
}

/// `[batch, sequence, heads · width]` to `[batch, heads, sequence, width]`.
fn split_heads(b: &mut GraphBuilder, node: &str, x: &str, heads: usize, width: usize) -> Result<String> {
    let shape = b.shape(&[0, 0, heads as i64, width as i64])?;
    let split = b.op(&format!("{node}/Reshape"), "Reshape", &[x, &shape], vec![]);
    Ok(b.op(
        &format!("{node}/Transpose"),
        "Transpose",
        &[&split],
        vec![Attribute::ints("perm", &[0, 2, 1, 3])],
    ))
}

/// Softmax(q kᵀ · scale + bias) v with the query heads of a group side by side: keys are never repeated.
fn plain(
    b: &mut GraphBuilder,
    config: &ModelConfig,
    node: &str,
    qkv: [&str; 3],
    bias: &str,
) -> Result<String> {
    let at = |name: &str| format!("{node}/{name}");
    let (groups, group) = (config.kv_heads as i64, (config.heads / config.kv_heads) as i64);
    let grouped = b.shape(&[0, groups, group, -1, config.head_dim as i64])?;
    let query = b.op(&at("query/group"), "Reshape", &[qkv[0], &grouped], vec![]);
    let axis = b.shape(&[2])?;
    let key = b.op(&at("key/Unsqueeze"), "Unsqueeze", &[qkv[1], &axis], vec![]);
    let value = b.op(&at("value/Unsqueeze"), "Unsqueeze", &[qkv[2], &axis], vec![]);
    let bias = b.op(&at("bias/Unsqueeze"), "Unsqueeze", &[bias, &axis], vec![]);
    let turn = vec![Attribute::ints("perm", &[0, 1, 2, 4, 3])];
    let key = b.op(&at("key/Transpose"), "Transpose", &[&key], turn);
    let scores = b.op(&at("scores"), "MatMul", &[&query, &key], vec![]);
    let scale_node = b.op(&at("scale"), "CastLike", &["attention_scale", &scores], vec![]);
    let scores = b.op(&at("scaled"), "Mul", &[&scores, &scale_node], vec![]);
    b.floats("attention_scale", &[], &[scale(config)])?;
    let scores = b.op(&at("biased"), "Add", &[&scores, &bias], vec![]);
    let weights = b.op(&at("Softmax"), "Softmax", &[&scores], vec![Attribute::int("axis", -1)]);
    let mixed = b.op(&at("mixed"), "MatMul", &[&weights, &value], vec![]);
    let merge = b.shape(&[0, config.heads as i64, -1, config.head_dim as i64])?;
    let mixed = b.op(&at("merge"), "Reshape", &[&mixed, &merge], vec![]);
    let mixed =
        b.op(&at("mixed/Transpose"), "Transpose", &[&mixed], vec![Attribute::ints("perm", &[0, 2, 1, 3])]);
    let flat = b.shape(&[0, 0, (config.heads * config.head_dim) as i64])?;
    Ok(b.op(&at("output"), "Reshape", &[&mixed, &flat], vec![]))
}
