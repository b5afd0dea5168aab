//! Writing a safetensors file tensor by tensor, without holding a second copy of the model.

use std::collections::HashMap;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use candle_core::Tensor;
use half::{bf16, f16};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoredType {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bfloat16.
    Bf16,
    /// Rounded to half precision.
    F16,
}

impl StoredType {
    /// transformers' name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    fn safetensors(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
        }
    }

    fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Bf16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
            Self::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
        }
    }
}

/// Writes tensors given by name and shape, asking `tensor` for the values of one at a time. The file appears under its
/// name only when it is whole.
pub fn write_safetensors(
    path: &Path,
    shapes: &[(String, Vec<usize>)],
    stored: StoredType,
    metadata: &HashMap<String, String, impl std::hash::BuildHasher>,
    mut tensor: impl FnMut(&str) -> Result<Tensor>,
) -> Result<()> {
    let partial = path.with_extension("safetensors.partial");
    let io = |e| Error::io(&partial, e);
    let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(&partial).map_err(io)?);
    let mut sorted: Vec<&(String, Vec<usize>)> = shapes.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    file.write_all(&header(&sorted, stored, metadata)).map_err(io)?;
    for (name, shape) in sorted {
        let values = tensor(name)?;
        if values.dims() != shape.as_slice() {
            return Err(Error::Argument(format!("`{name}` has shape {:?}, not {shape:?}", values.dims())));
        }
        let values = values.flatten_all()?.to_vec1::<f32>()?;
        for chunk in values.chunks(1 << 18) {
            file.write_all(&stored.encode(chunk)).map_err(io)?;
        }
    }
    let file = file.into_inner().map_err(|e| Error::io(&partial, e.into_error()))?;
    file.sync_all().map_err(io)?;
    std::fs::rename(&partial, path).map_err(|e| Error::io(path, e))
}

fn header(
    sorted: &[&(String, Vec<usize>)],
    stored: StoredType,
    metadata: &HashMap<String, String, impl std::hash::BuildHasher>,
) -> Vec<u8> {
    let mut fields = Map::new();
    let mut notes = Map::from_iter([("format".to_owned(), json!("pt"))]);
    notes.extend(metadata.iter().map(|(key, value)| (key.clone(), json!(value))));
    fields.insert("__metadata__".to_owned(), Value::Object(notes));
    let mut offset = 0;
    for (name, shape) in sorted {
        let end = offset + shape.iter().product::<usize>() * stored.bytes();
        fields.insert(
            name.clone(),
            json!({"dtype": stored.safetensors(), "shape": shape, "data_offsets": [offset, end]}),
        );
        offset = end;
    }
    let mut text = Value::Object(fields).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    bytes
}
