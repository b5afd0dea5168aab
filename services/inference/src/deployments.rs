//! The registry of loaded models: load, unload, find, list.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use anneal_onnx::Options;
use anneal_runtime::clock::SharedClock;

use crate::{error::ApiError, model::Deployment};

/// How models are loaded.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `libonnxruntime.so`; found in the parts folder when `None`.
    pub onnxruntime: Option<PathBuf>,
    /// Threads of one model; 0 takes all.
    pub threads: usize,
    /// Whether threads wait actively between operators.
    pub spinning: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { onnxruntime: None, threads: 0, spinning: true }
    }
}

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// ONNX Runtime is missing, or refuses the model.
    #[error(transparent)]
    Onnx(#[from] anneal_onnx::Error),
    /// Tokenizer, template or configuration cannot be used.
    #[error(transparent)]
    Model(#[from] anneal_model::Error),
    /// A file of the folder cannot be read.
    #[error("{0}")]
    Folder(String),
}

/// A model in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The name that requests give.
    pub name: String,
    /// When it was loaded, in Unix seconds.
    pub created: i64,
}

/// Loaded models by name. Cheap to clone; clones share the models.
#[derive(Clone)]
pub struct Deployments {
    models: Arc<RwLock<BTreeMap<String, Arc<Deployment>>>>,
    settings: Settings,
    clock: SharedClock,
}

impl Deployments {
    /// An empty registry; nothing is loaded, not even ONNX Runtime.
    pub fn new(settings: Settings, clock: SharedClock) -> Self {
        Self { models: Arc::default(), settings, clock }
    }

    /// Loads the compiled folder as `model_id`, replacing what has that name once it is ready. Blocks while it loads:
    /// call it on a blocking thread.
    pub fn load(&self, model_id: &str, folder: &Path) -> Result<(), LoadError> {
        anneal_onnx::init(&anneal_onnx::find_library(self.settings.onnxruntime.as_deref())?)?;
        let mut options = Options { spinning: self.settings.spinning, ..Options::default() };
        if self.settings.threads > 0 {
            options.threads = self.settings.threads;
        }
        let created = self.clock.unix_ms() / 1000;
        let deployment = Arc::new(Deployment::open(model_id, folder, &options, created)?);
        self.models.write().unwrap_or_else(PoisonError::into_inner).insert(model_id.to_owned(), deployment);
        Ok(())
    }

    /// Forgets a model; true when there was one. An answer that is being made is finished.
    pub fn unload(&self, model_id: &str) -> bool {
        self.models.write().unwrap_or_else(PoisonError::into_inner).remove(model_id).is_some()
    }

    /// All loaded models, by name.
    pub fn list(&self) -> Vec<Served> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.values().map(|model| Served { name: model.name.clone(), created: model.created }).collect()
    }

    /// Seconds since 1970, for answers.
    pub(crate) fn now(&self) -> i64 {
        self.clock.unix_ms() / 1000
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Deployment>, ApiError> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.get(name).cloned().ok_or_else(|| ApiError::no_model(name))
    }
}
