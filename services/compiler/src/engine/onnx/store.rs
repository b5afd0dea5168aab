//! Where a model's tensors are kept: in the model file, or (protobuf stops at 2 GB) in a file beside it.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::proto::{DataType, Entry, Tensor};
use crate::engine::error::{Error, Result};

/// Name of the external file, as the tools that read it write it.
const DATA_FILE: &str = "model.onnx.data";
/// Offsets are multiples of the page size so that the file can be mapped.
const ALIGNMENT: u64 = 4096;
/// Smaller tensors stay in the model: shapes and scalars are read at load time.
const SMALL_BYTES: usize = 1024;
/// From this size on the tensors go to the external file (protobuf's limit is 2^31 − 1 for the whole message).
pub(crate) const INLINE_LIMIT_BYTES: u64 = 1_900_000_000;

/// Takes tensors' bytes, hands back their messages.
pub(crate) enum TensorStore {
    /// In the model file.
    Inline,
    /// In [`DATA_FILE`].
    External { file: BufWriter<File>, path: PathBuf, offset: u64 },
}

impl TensorStore {
    /// A store in `folder` for about `expected_bytes` of tensors.
    pub(crate) fn for_size(folder: &Path, expected_bytes: u64, inline_limit_bytes: u64) -> Result<Self> {
        if expected_bytes <= inline_limit_bytes {
            return Ok(Self::Inline);
        }
        let path = folder.join(DATA_FILE);
        let file = File::create(&path).map_err(|source| Error::file(&path, source))?;
        Ok(Self::External { file: BufWriter::new(file), path, offset: 0 })
    }

    /// Keeps `bytes` (little endian, of `dims`).
    pub(crate) fn put(&mut self, name: &str, kind: DataType, dims: &[i64], bytes: Vec<u8>) -> Result<Tensor> {
        let mut tensor = Tensor {
            dims: dims.to_vec(),
            data_type: kind as i32,
            name: name.to_owned(),
            ..Tensor::default()
        };
        match self {
            Self::External { file, path, offset } if bytes.len() > SMALL_BYTES => {
                let padding = offset.next_multiple_of(ALIGNMENT) - *offset;
                let written =
                    file.write_all(&vec![0; padding as usize]).and_then(|()| file.write_all(&bytes));
                written.map_err(|source| Error::file(path, source))?;
                *offset += padding;
                let entry = |key: &str, value: String| Entry { key: key.to_owned(), value };
                tensor.external_data = vec![
                    entry("location", DATA_FILE.to_owned()),
                    entry("offset", offset.to_string()),
                    entry("length", bytes.len().to_string()),
                ];
                tensor.data_location = 1;
                *offset += bytes.len() as u64;
            }
            _ => tensor.raw_data = Some(bytes),
        }
        Ok(tensor)
    }

    /// Writes what is buffered.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Inline => Ok(()),
            Self::External { mut file, path, .. } => {
                file.flush().map_err(|source| Error::file(&path, source))
            }
        }
    }
}
