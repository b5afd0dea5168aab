//! The model to compile, opened; an adapter is merged into its base first.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anneal_contracts::engine::ModelInput;
use anneal_model::{Source, save::StoredType};

use super::{
    error::{Error, Result},
    weights::Weights,
};

/// Opens the model; a merged one is written under `work`.
pub(crate) fn open(input: &ModelInput, work: &Path) -> Result<Weights> {
    match input {
        ModelInput::Path(path) => Ok(Weights::new(Source::open(path)?)),
        ModelInput::Adapted(adapted) => {
            let base = Source::open(&adapted.base)?;
            let merged = work.join("merged");
            anneal_model::merge_adapter(&base, Path::new(&adapted.adapter), &merged, StoredType::F32)?;
            Ok(Weights::new(Source::open(&merged)?))
        }
    }
}

/// Bytes of the weight files of a path, or of a base and its adapter.
pub(crate) fn stored_bytes(input: &ModelInput) -> Result<u64> {
    match input {
        ModelInput::Path(path) => weight_bytes(Path::new(path)),
        ModelInput::Adapted(adapted) => {
            Ok(weight_bytes(Path::new(&adapted.base))? + weight_bytes(Path::new(&adapted.adapter))?)
        }
    }
}

/// Bytes of the files that hold tensors: weights, graphs and their external data.
pub(crate) fn weight_bytes(path: &Path) -> Result<u64> {
    let size = |path: &PathBuf| Ok(fs::metadata(path).map_err(|source| Error::file(path, source))?.len());
    if path.is_file() {
        return size(&path.to_owned());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path).map_err(|source| Error::file(path, source))? {
        let path = entry.map_err(|source| Error::file(path, source))?.path();
        let holds_tensors = path.extension().is_some_and(|extension| {
            ["safetensors", "gguf", "onnx", "data"].iter().any(|known| extension == *known)
        });
        if holds_tensors {
            bytes += size(&path)?;
        }
    }
    Ok(bytes)
}
