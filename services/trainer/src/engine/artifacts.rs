//! The trained model on disk: a Hugging Face folder, or a PEFT adapter.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anneal_contracts::engine::{Method, TrainerSpec};
use anneal_model::{
    Source,
    save::{FolderParts, StoredType},
    save_adapter, save_hf_folder,
};
use candle_core::Tensor;

use super::{Error, Result, session::Session};

/// Where the result lies.
pub(crate) struct Artifacts {
    pub(crate) model_dir: Option<PathBuf>,
    pub(crate) adapter_dir: Option<PathBuf>,
}

/// Writes the result of a run under its output folder.
pub(crate) fn save_result(session: &Session, source: &Source) -> Result<Artifacts> {
    let adapter = session.plan.spec.method != Method::Full;
    let folder = session.plan.output_dir.join(if adapter { "adapter" } else { "model" });
    save(session, source, &folder)?;
    let [model_dir, adapter_dir] = if adapter { [None, Some(folder)] } else { [Some(folder), None] };
    Ok(Artifacts { model_dir, adapter_dir })
}

/// The file of the trained weights in a folder that [`save`] wrote.
pub(crate) fn weights_file(method: Method) -> &'static str {
    if method == Method::Full { "model.safetensors" } else { "adapter_model.safetensors" }
}

/// What an adapter names as its base.
fn base_name(spec: &TrainerSpec) -> &str {
    spec.model_name.as_deref().unwrap_or(&spec.model)
}

/// Writes the trained weights to `folder`: the whole model in fp32, or the adapter.
pub(crate) fn save(session: &Session, source: &Source, folder: &Path) -> Result<()> {
    let save = || -> anneal_model::Result<()> {
        if session.plan.spec.method != Method::Full {
            return save_adapter(&session.decoder, folder, base_name(&session.plan.spec));
        }
        let tokenizer = source.tokenizer()?;
        let template = source.chat_template()?;
        let tensors: HashMap<String, Tensor> = session.decoder.full_tensors()?.into_iter().collect();
        let parts = FolderParts {
            config: session.decoder.config(),
            tokenizer: &tokenizer,
            chat_template: template.as_ref(),
            stored: StoredType::F32,
        };
        save_hf_folder(folder, parts, |name| {
            let missing = || anneal_model::Error::Argument(format!("the model has no tensor `{name}`"));
            tensors.get(name).cloned().ok_or_else(missing)
        })
    };
    save().map_err(Error::model("output_dir"))
}
