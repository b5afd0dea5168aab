//! One safetensors file: an 8-byte length, a JSON header, the bytes of the tensors end to end.
//!
//! Stricter than the reference reader: duplicate names are refused, and the tensors must cover the data exactly, without
//! overlap, gap or trailing bytes. Only the header is held; tensors are read when asked for.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::{Element, refuse_pickle};
use crate::error::{Error, Result};

/// Longest header read. The largest public models need about a tenth of it.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
const READ_CHUNK_BYTES: usize = 1 << 20;

/// Where a tensor lies and what it holds.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// Element type.
    pub element: Element,
    /// The file's own name of the element type.
    pub dtype: String,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    start: u64,
    end: u64,
}

/// An open, checked safetensors file.
#[derive(Debug)]
pub struct SafeTensors {
    path: PathBuf,
    file: File,
    data_start: u64,
    tensors: HashMap<String, TensorInfo>,
    order: Vec<String>,
    metadata: HashMap<String, String>,
}

impl SafeTensors {
    /// Opens a file and checks its header against its length.
    pub fn open(path: &Path) -> Result<Self> {
        refuse_pickle(path)?;
        let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
        let file_bytes = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let fail = |reason: String| Error::malformed(path, reason);
        if file_bytes < 8 {
            return Err(fail(format!("{file_bytes} bytes is too short for a safetensors file")));
        }
        let mut length = [0_u8; 8];
        file.read_exact(&mut length).map_err(|e| Error::io(path, e))?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(fail(format!(
                "a header of {header_bytes} bytes; at most {MAX_HEADER_BYTES} are read"
            )));
        }
        if header_bytes > file_bytes - 8 {
            return Err(fail(format!("a header of {header_bytes} bytes in a file of {file_bytes}")));
        }
        let mut header = vec![0_u8; header_bytes as usize];
        file.read_exact(&mut header).map_err(|e| Error::io(path, e))?;
        let header: Header = serde_json::from_slice(&header).map_err(|e| fail(format!("header: {e}")))?;
        let data_start = 8 + header_bytes;
        let tensors = check(header.tensors, file_bytes - data_start).map_err(fail)?;
        let order = tensors.iter().map(|(name, _)| name.clone()).collect();
        let tensors = tensors.into_iter().collect();
        Ok(Self { path: path.to_owned(), file, data_start, tensors, order, metadata: header.metadata })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names in the order of their bytes.
    pub fn names(&self) -> &[String] {
        &self.order
    }

    /// The header's `__metadata__`.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// What the header says of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// Shape and values of a tensor, converted to f32.
    pub fn read_f32(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let info = self.known(name)?;
        let mut values = vec![0_f32; info.shape.iter().product()];
        self.read_span(name, 0, &mut values)?;
        Ok((info.shape.clone(), values))
    }

    /// As many values of a tensor as `out` has room for, from the one numbered `first` on, converted to f32.
    pub fn read_span(&self, name: &str, first: usize, out: &mut [f32]) -> Result<()> {
        let info = self.known(name)?;
        let count = info.shape.iter().product::<usize>();
        if first.checked_add(out.len()).is_none_or(|end| end > count) {
            return Err(Error::Argument(format!(
                "{} values from {first} on of `{name}`, which has {count}",
                out.len()
            )));
        }
        let width = info.element.bytes();
        let mut raw = vec![0_u8; READ_CHUNK_BYTES.min(out.len() * width)];
        let per_chunk = (READ_CHUNK_BYTES / width).max(1);
        let mut offset = self.data_start + info.start + (first * width) as u64;
        for chunk in out.chunks_mut(per_chunk) {
            let raw = &mut raw[..chunk.len() * width];
            self.file.read_exact_at(raw, offset).map_err(|e| Error::io(&self.path, e))?;
            info.element.convert(raw, chunk).ok_or_else(|| {
                Error::Unsupported(format!("tensor `{name}` of type {} as a weight", info.dtype))
            })?;
            offset += raw.len() as u64;
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors.get(name).ok_or_else(|| Error::malformed(&self.path, format!("no tensor `{name}`")))
    }
}

/// The parsed header, in file order, with duplicates refused.
struct Header {
    tensors: Vec<(String, Entry)>,
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
        use serde::de::Error as _;
        let mut header = Header { tensors: Vec::new(), metadata: HashMap::new() };
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("`{name}` occurs twice")));
            }
            if name == "__metadata__" {
                header.metadata = map.next_value()?;
            } else {
                let entry = map
                    .next_value::<Entry>()
                    .map_err(|e| A::Error::custom(format!("tensor `{name}`: {e}")))?;
                header.tensors.push((name, entry));
            }
        }
        Ok(header)
    }
}

/// Checks types, sizes and the exact covering of `data_bytes`; returns the tensors in the order of their bytes.
fn check(
    entries: Vec<(String, Entry)>,
    data_bytes: u64,
) -> std::result::Result<Vec<(String, TensorInfo)>, String> {
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let element = Element::from_safetensors(&entry.dtype)
            .ok_or_else(|| format!("tensor `{name}`: unknown type `{}`", entry.dtype))?;
        let bytes = entry
            .shape
            .iter()
            .try_fold(element.bytes() as u64, |product, &n| product.checked_mul(n))
            .ok_or_else(|| format!("tensor `{name}`: shape {:?} overflows", entry.shape))?;
        let [start, end] = entry.data_offsets;
        if start > end || end > data_bytes {
            return Err(format!("tensor `{name}`: bytes {start}..{end} of {data_bytes}"));
        }
        if end - start != bytes {
            return Err(format!(
                "tensor `{name}`: shape {:?} of {} takes {bytes} bytes, the file gives {}",
                entry.shape,
                entry.dtype,
                end - start
            ));
        }
        let shape = entry.shape.iter().map(|&n| n as usize).collect();
        tensors.push((name, TensorInfo { element, dtype: entry.dtype, shape, start, end }));
    }
    tensors.sort_by_key(|(_, t)| (t.start, t.end));
    let mut covered = 0;
    for (name, tensor) in &tensors {
        if tensor.start < covered {
            return Err(format!("tensor `{name}` overlaps the one before it"));
        }
        if tensor.start > covered {
            return Err(format!("{} unused bytes before tensor `{name}`", tensor.start - covered));
        }
        covered = tensor.end;
    }
    if covered != data_bytes {
        return Err(format!("{} bytes after the last tensor", data_bytes - covered));
    }
    Ok(tensors)
}
