//! The model to compile, opened; an adapter is merged into its base first.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anneal_contracts::engine::ModelInput;
use anneal_model::{ModelConfig, Source, save::StoredType};

use super::{
    error::{Error, Result},
    graph::Recipe,
    weights::Weights,
};

/// What ONNX Runtime's fused attention wants a head's width to be a multiple of.
const HEAD_MULTIPLE: usize = 8;

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

/// Refuses a model whose heads the attention of its graphs does not take. Calibration runs the fused one for every target.
pub(crate) fn fits(recipe: &Recipe, calibrated: bool, config: &ModelConfig) -> Result<()> {
    let width = config.head_dim;
    if (!recipe.fused_attention && !calibrated) || width.is_multiple_of(HEAD_MULTIPLE) {
        return Ok(());
    }
    let other = if calibrated { "" } else { ", or compile it for `onnxruntime-cuda` at `fp16`" };
    let why = format!(
        "its heads are {width} wide: ONNX Runtime's attention on the CPU takes multiples of {HEAD_MULTIPLE}; choose another \
         model{other}"
    );
    Err(Error::spec("model", why))
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
