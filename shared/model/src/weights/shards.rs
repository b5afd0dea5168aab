//! The safetensors files of a folder: one `model.safetensors`, or shards named by `model.safetensors.index.json`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path};

use serde::Deserialize;

use super::safetensors::TensorInfo;
use super::{SafeTensors, refuse_pickle};
use crate::error::{Error, Result};
use crate::json_file;

const INDEX_LIMIT_BYTES: u64 = 32 << 20;
const MAX_SHARDS: usize = 10_000;

/// Weights of a folder, whichever way they are split.
#[derive(Debug)]
pub struct ShardedWeights {
    files: Vec<SafeTensors>,
    home: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl ShardedWeights {
    /// Opens a folder's weights. Pickled weights are refused by name.
    pub fn open(folder: &Path) -> Result<Self> {
        let (single, index) = (folder.join("model.safetensors"), folder.join("model.safetensors.index.json"));
        if single.is_file() {
            return Self::from_files(vec![SafeTensors::open(&single)?]);
        }
        if index.is_file() {
            return Self::from_index(folder, &index);
        }
        for name in ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin", "consolidated.00.pth"]
        {
            let path = folder.join(name);
            if path.exists() {
                refuse_pickle(&path)?;
                return Err(Error::malformed(&path, "pickled weights; convert them to safetensors"));
            }
        }
        Err(Error::malformed(
            folder,
            "no model.safetensors, no model.safetensors.index.json and no .gguf file",
        ))
    }

    /// Opens one file.
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::from_files(vec![SafeTensors::open(path)?])
    }

    fn from_index(folder: &Path, index_path: &Path) -> Result<Self> {
        let index: Index = json_file::read(index_path, INDEX_LIMIT_BYTES)?;
        let mut names: Vec<&String> = index.weight_map.values().collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() || names.len() > MAX_SHARDS {
            return Err(Error::malformed(index_path, format!("{} shards", names.len())));
        }
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let mut parts = Path::new(name).components();
            let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
            if !plain {
                return Err(Error::malformed(index_path, format!("shard `{name}` is not a plain file name")));
            }
            files.push(SafeTensors::open(&folder.join(name))?);
        }
        let weights = Self::from_files(files)?;
        for (tensor, file) in &index.weight_map {
            let found = weights.home.get(tensor).map(|&at| weights.files[at].path());
            if found != Some(folder.join(file).as_path()) {
                return Err(Error::malformed(index_path, format!("tensor `{tensor}` is not in `{file}`")));
            }
        }
        Ok(weights)
    }

    fn from_files(files: Vec<SafeTensors>) -> Result<Self> {
        let mut home = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            for name in file.names() {
                if home.insert(name.clone(), at).is_some() {
                    return Err(Error::malformed(file.path(), format!("tensor `{name}` is in two shards")));
                }
            }
        }
        Ok(Self { files, home })
    }

    /// Names in byte order of the names.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.home.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// What the headers say of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.home.get(name).and_then(|&at| self.files[at].info(name))
    }

    /// Shape and values of a tensor, converted to f32; `None` when there is no such tensor.
    pub fn read_f32(&self, name: &str) -> Option<Result<(Vec<usize>, Vec<f32>)>> {
        self.home.get(name).map(|&at| self.files[at].read_f32(name))
    }

    /// As many values of a tensor as `out` has room for, from the one numbered `first` on.
    pub fn read_span(&self, name: &str, first: usize, out: &mut [f32]) -> Option<Result<()>> {
        self.home.get(name).map(|&at| self.files[at].read_span(name, first, out))
    }
}
