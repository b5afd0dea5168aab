//! A GGUF file: header, metadata, table of tensors.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cursor::{Cursor, Parsed};
use super::quant::GgmlType;
use super::value::Value;
use crate::error::{Error, Result};

const READ_CHUNK_BYTES: usize = 4 << 20;
const MAX_ALIGNMENT: u64 = 1 << 20;

/// An open, checked GGUF file.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    file: File,
    metadata: HashMap<String, Value>,
    tensors: HashMap<String, GgufTensor>,
    data_start: u64,
}

/// An entry of the table of tensors.
#[derive(Debug, Clone)]
pub struct GgufTensor {
    /// Block format.
    pub ggml_type: GgmlType,
    /// Sizes, outermost first (the file's order reversed).
    pub shape: Vec<usize>,
    offset: u64,
    bytes: u64,
}

impl Gguf {
    /// Opens a file; checks all counts, lengths, types and offsets.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let reader = file.try_clone().map_err(|e| Error::io(path, e))?;
        let mut cursor = Cursor::new(reader, length);
        let parsed = parse(&mut cursor, length).map_err(|reason| Error::malformed(path, reason))?;
        let (metadata, tensors, data_start) = parsed;
        Ok(Self { path: path.to_owned(), file, metadata, tensors, data_start })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// Metadata that must be there as text.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.get(key)
            .ok_or_else(|| Error::config(key, "missing"))?
            .as_str()
            .ok_or_else(|| Error::config(key, "not a text"))
    }

    /// All metadata keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    /// Names of the tensors as the file has them.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// An entry of the table of tensors, by the file's own name.
    pub fn tensor(&self, name: &str) -> Option<&GgufTensor> {
        self.tensors.get(name)
    }

    /// The values of a tensor, dequantised to f32, by the file's own name.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.known(name)?;
        let mut values = vec![0_f32; tensor.shape.iter().product()];
        self.read_span(name, 0, &mut values)?;
        Ok(values)
    }

    /// As many values of a tensor as `out` has room for, from the one numbered `first` on; both whole blocks.
    pub fn read_span(&self, name: &str, first: usize, out: &mut [f32]) -> Result<()> {
        let tensor = self.known(name)?;
        let (block, block_bytes) = (tensor.ggml_type.block(), tensor.ggml_type.block_bytes());
        let count = tensor.shape.iter().product::<usize>();
        let inside = first.checked_add(out.len()).is_some_and(|end| end <= count);
        if !inside || !first.is_multiple_of(block) || !out.len().is_multiple_of(block) {
            return Err(Error::Argument(format!(
                "{} values from {first} on of `{name}`, which has {count} in blocks of {block}",
                out.len()
            )));
        }
        let from = self.data_start + tensor.offset + (first / block * block_bytes) as u64;
        let blocks_per_chunk = READ_CHUNK_BYTES / block_bytes;
        out.par_chunks_mut(blocks_per_chunk * block).enumerate().try_for_each(|(index, chunk)| {
            let mut raw = vec![0_u8; chunk.len() / block * block_bytes];
            let offset = from + (index * blocks_per_chunk * block_bytes) as u64;
            self.file.read_exact_at(&mut raw, offset).map_err(|e| Error::io(&self.path, e))?;
            tensor.ggml_type.dequantize(&raw, chunk);
            Ok::<(), Error>(())
        })
    }

    fn known(&self, name: &str) -> Result<&GgufTensor> {
        self.tensors.get(name).ok_or_else(|| Error::malformed(&self.path, format!("no tensor `{name}`")))
    }
}

type Contents = (HashMap<String, Value>, HashMap<String, GgufTensor>, u64);

fn parse(cursor: &mut Cursor, length: u64) -> Parsed<Contents> {
    if cursor.bytes::<4>()? != *b"GGUF" {
        return Err("not a GGUF file".to_owned());
    }
    match cursor.u32()? {
        2 | 3 => {}
        version if version.swap_bytes() <= 3 => return Err("a big-endian GGUF file".to_owned()),
        version => return Err(format!("GGUF version {version}; versions 2 and 3 are read")),
    }
    let tensor_count = cursor.count("tensors", 8 + 4 + 8 + 4 + 8)?;
    let value_count = cursor.count("metadata values", 8 + 4 + 1)?;
    let mut metadata = HashMap::new();
    for _ in 0..value_count {
        let key = cursor.string()?;
        let value = Value::read(cursor).map_err(|e| format!("metadata `{key}`: {e}"))?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("metadata `{key}` occurs twice"));
        }
    }
    let alignment = match metadata.get("general.alignment") {
        None => 32,
        Some(value) => value
            .as_u64()
            .filter(|a| a.is_power_of_two() && *a <= MAX_ALIGNMENT)
            .ok_or_else(|| "`general.alignment` is not a power of two".to_owned())?,
    };
    let mut tensors = HashMap::new();
    for _ in 0..tensor_count {
        let name = cursor.string()?;
        let tensor = read_tensor(cursor).map_err(|e| format!("tensor `{name}`: {e}"))?;
        if tensor.offset % alignment != 0 {
            return Err(format!("tensor `{name}`: offset {} is not aligned to {alignment}", tensor.offset));
        }
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(format!("tensor `{name}` occurs twice"));
        }
    }
    let data_start = cursor.position().next_multiple_of(alignment);
    check_extents(&tensors, length.saturating_sub(data_start))?;
    Ok((metadata, tensors, data_start))
}

fn read_tensor(cursor: &mut Cursor) -> Parsed<GgufTensor> {
    let rank = cursor.u32()?;
    if rank == 0 || rank > 4 {
        return Err(format!("{rank} dimensions"));
    }
    let mut dims = Vec::new();
    for _ in 0..rank {
        dims.push(cursor.u64()?);
    }
    let ggml_type = GgmlType::from_code(cursor.u32()?)?;
    let offset = cursor.u64()?;
    let elements = dims
        .iter()
        .try_fold(1_u64, |product, &n| product.checked_mul(n))
        .filter(|&n| n > 0 && n <= 1 << 48)
        .ok_or_else(|| format!("shape {dims:?} is empty or overflows"))?;
    let block = ggml_type.block() as u64;
    if dims[0] % block != 0 {
        return Err(format!("rows of {} are not whole {} blocks of {block}", dims[0], ggml_type.name()));
    }
    let bytes = elements / block * ggml_type.block_bytes() as u64;
    let shape = dims.iter().rev().map(|&n| n as usize).collect();
    Ok(GgufTensor { ggml_type, shape, offset, bytes })
}

/// Tensors lie inside the data and do not overlap.
fn check_extents(tensors: &HashMap<String, GgufTensor>, data_bytes: u64) -> Parsed<()> {
    let mut extents: Vec<(u64, u64, &str)> = Vec::new();
    for (name, tensor) in tensors {
        let end = tensor.offset.checked_add(tensor.bytes).filter(|&end| end <= data_bytes);
        let end = end.ok_or_else(|| {
            format!(
                "tensor `{name}`: {} bytes at {} pass the end of the {data_bytes} bytes of data",
                tensor.bytes, tensor.offset
            )
        })?;
        extents.push((tensor.offset, end, name));
    }
    extents.sort_unstable();
    for pair in extents.windows(2) {
        if pair[1].0 < pair[0].1 {
            return Err(format!("tensors `{}` and `{}` overlap", pair[0].2, pair[1].2));
        }
    }
    Ok(())
}
