//! Matrices in the graph: products `x Wᵀ`, and the embedding's rows.

use super::{Core, Format};
use crate::engine::{
    error::Result,
    onnx::{Attribute, DataType, GraphBuilder},
    quantize::{Precise, quantize_rows},
    weights::Matrix,
};

/// What a product needs besides its input.
pub(super) struct Linear<'a> {
    /// Node prefix, such as `/model/layers.0/attn/q_proj`.
    pub(super) node: &'a str,
    /// Name of the constant: the matrix's Hugging Face name.
    pub(super) name: &'a str,
    pub(super) weight: &'a Matrix,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) format: Format,
    pub(super) core: Core,
    /// Whether activations stay floating point inside an 8-bit product.
    pub(super) precise: Precise,
}

fn floats(b: &mut GraphBuilder, core: Core, name: &str, dims: &[usize], values: &[f32]) -> Result<String> {
    match core {
        Core::F32 => b.floats(name, dims, values),
        Core::F16 => b.halves(name, dims, values),
    }
}

/// A vector in the precision of the core.
pub(super) fn vector(b: &mut GraphBuilder, core: Core, name: &str, values: &[f32]) -> Result<String> {
    floats(b, core, name, &[values.len()], values)
}

/// A cast node.
pub(super) fn cast(b: &mut GraphBuilder, node: &str, input: &str, to: DataType) -> String {
    b.op(node, "Cast", &[input], vec![Attribute::int("to", to as i64)])
}

/// Names of the quantised codes `[rows, blocks, block]` and scales `[rows, blocks]` of a matrix.
fn int8_constants(
    b: &mut GraphBuilder,
    core: Core,
    name: &str,
    weight: &Matrix,
    block: usize,
) -> Result<(String, String)> {
    let (codes_name, scales_name) = (format!("{name}_Q8"), format!("{name}_scales"));
    let quantized = quantize_rows(&weight.values, weight.columns, block);
    let blocks = weight.columns.div_ceil(block);
    let codes = b.bytes(&codes_name, &[weight.rows, blocks, block], quantized.codes)?;
    let scales = floats(b, core, &scales_name, &[weight.rows, blocks], &quantized.scales)?;
    Ok((codes, scales))
}

/// `x Wᵀ + bias`.
pub(super) fn linear(b: &mut GraphBuilder, x: &str, parts: &Linear) -> Result<String> {
    let Linear { node, name, weight, core, .. } = *parts;
    let bias = match parts.bias {
        Some(values) => Some(vector(b, core, &format!("{}.bias", name.trim_end_matches(".weight")), values)?),
        None => None,
    };
    if let Format::Int8 { block } = parts.format {
        let (codes, scales) = int8_constants(b, core, name, weight, block)?;
        let attributes = vec![
            Attribute::int("K", weight.columns as i64),
            Attribute::int("N", weight.rows as i64),
            Attribute::int("bits", 8),
            Attribute::int("block_size", block as i64),
            Attribute::int("accuracy_level", parts.precise.accuracy_level()),
        ];
        let mut inputs = vec![x, codes.as_str(), scales.as_str()];
        if let Some(bias) = &bias {
            inputs.extend(["", "", bias]);
        }
        return Ok(b.ms(&format!("{node}/MatMul_Q8"), "MatMulNBits", &inputs, attributes));
    }
    let stored = stored(b, node, name, weight, parts.format, core)?;
    let product =
        b.ms(&format!("{node}/MatMul"), "FusedMatMul", &[x, &stored], vec![Attribute::int("transB", 1)]);
    Ok(match bias {
        Some(bias) => b.op(&format!("{node}/Add"), "Add", &[&product, &bias], vec![]),
        None => product,
    })
}

/// A floating-point matrix as the core reads it.
fn stored(
    b: &mut GraphBuilder,
    node: &str,
    name: &str,
    weight: &Matrix,
    format: Format,
    core: Core,
) -> Result<String> {
    let dims = [weight.rows, weight.columns];
    match (format, core) {
        (Format::F16, Core::F32) => {
            let half = b.halves(name, &dims, &weight.values)?;
            Ok(cast(b, &format!("{node}/Cast"), &half, DataType::Float))
        }
        (_, core) => floats(b, core, name, &dims, &weight.values),
    }
}

/// Rows of the embedding; 8-bit codes are shared with a tied output matrix.
pub(super) fn embedding(
    b: &mut GraphBuilder,
    ids: &str,
    weight: &Matrix,
    shared_name: &str,
    format: Format,
    core: Core,
) -> Result<String> {
    let node = "/model/embed_tokens";
    match format {
        Format::Int8 { block } if weight.columns.is_multiple_of(block) => {
            let (codes, scales) = int8_constants(b, core, shared_name, weight, block)?;
            let shape = b.shape(&[weight.rows as i64, weight.columns as i64])?;
            let table = b.op(&format!("{node}/Reshape"), "Reshape", &[&codes, &shape], vec![]);
            let attributes = vec![
                Attribute::int("bits", 8),
                Attribute::int("block_size", block as i64),
                Attribute::int("gather_axis", 0),
                Attribute::int("quantize_axis", 1),
            ];
            Ok(b.ms(
                &format!("{node}/Gather_Q8"),
                "GatherBlockQuantized",
                &[&table, ids, &scales],
                attributes,
            ))
        }
        Format::F32 if core == Core::F32 => {
            let table =
                b.floats("model.embed_tokens.weight", &[weight.rows, weight.columns], &weight.values)?;
            Ok(b.op(&format!("{node}/Gather"), "Gather", &[&table, ids], vec![]))
        }
        _ => {
            let table =
                b.halves("model.embed_tokens.weight", &[weight.rows, weight.columns], &weight.values)?;
            let rows = b.op(&format!("{node}/Gather"), "Gather", &[&table, ids], vec![]);
            Ok(if core == Core::F32 {
                cast(b, &format!("{node}/Cast"), &rows, DataType::Float)
            } else {
                rows
            })
        }
    }
}
