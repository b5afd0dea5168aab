//! A model on disk: a Hugging Face folder, a GGUF file, or a folder that holds one GGUF file.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use crate::chat::ChatTemplate;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::json_file;
use crate::tokenizer::Tokenizer;
use crate::weights::{ShardedWeights, refuse_pickle};

const CONFIG_LIMIT_BYTES: u64 = 16 << 20;

/// An opened model. Opening checks configuration and headers; tensors are read when asked for.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    config: ModelConfig,
    format: Format,
    /// In place of the model's own.
    tokenizer: Option<Tokenizer>,
}

#[derive(Debug)]
enum Format {
    Folder(ShardedWeights),
    Gguf(Box<Gguf>),
}

impl Source {
    /// Opens a model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !metadata.is_dir() {
            refuse_pickle(path)?;
            return Self::open_gguf(path);
        }
        if path.join("config.json").is_file() {
            return Self::open_folder(path);
        }
        match gguf_files(path)?.as_slice() {
            [one] => Self::open_gguf(one),
            [] => Err(Error::malformed(path, "neither config.json nor a .gguf file")),
            several => Err(Error::malformed(path, format!("{} .gguf files; name one", several.len()))),
        }
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let value: serde_json::Value = json_file::read(&path.join("config.json"), CONFIG_LIMIT_BYTES)?;
        let mut config = ModelConfig::from_huggingface(&value)?;
        let weights = ShardedWeights::open(path)?;
        adopt_generation_config(path, &mut config)?;
        let source = Self { path: path.to_owned(), config, format: Format::Folder(weights), tokenizer: None };
        source.check_shapes()?;
        Ok(source)
    }

    fn open_gguf(path: &Path) -> Result<Self> {
        let gguf = Gguf::open(path)?;
        let config = ModelConfig::from_gguf(&gguf)?;
        let source =
            Self { path: path.to_owned(), config, format: Format::Gguf(Box::new(gguf)), tokenizer: None };
        source.check_shapes()?;
        Ok(source)
    }

    /// Every tensor of the configuration must be there with its shape.
    fn check_shapes(&self) -> Result<()> {
        for (name, shape) in self.config.tensor_shapes() {
            let found = self
                .shape(&name)
                .ok_or_else(|| Error::malformed(&self.path, format!("tensor `{name}` is missing")))?;
            if found != shape {
                return Err(Error::malformed(
                    &self.path,
                    format!("tensor `{name}` has shape {found:?}, the configuration says {shape:?}"),
                ));
            }
        }
        Ok(())
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sizes and switches.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The same architecture with another tokenizer, to be trained from nothing: the number of rows of the embedding and the
    /// special tokens' ids are the tokenizer's, and there is no chat template. The stored weights no longer fit.
    #[must_use]
    pub fn with_tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.config.vocab_size = tokenizer.vocab_size();
        self.config.bos_token_id = tokenizer.bos_id();
        self.config.eos_token_ids = tokenizer.eos_id().into_iter().collect();
        self.config.pad_token_id = tokenizer.pad_id();
        self.tokenizer = Some(tokenizer);
        self
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        if let Some(tokenizer) = &self.tokenizer {
            return Ok(tokenizer.clone());
        }
        match &self.format {
            Format::Folder(_) => Tokenizer::from_folder(&self.path, Some(&self.config)),
            Format::Gguf(gguf) => Tokenizer::from_gguf(gguf),
        }
    }

    /// The model's chat template, if it has one.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>> {
        if self.tokenizer.is_some() {
            return Ok(None);
        }
        match &self.format {
            Format::Folder(_) => ChatTemplate::from_folder(&self.path),
            Format::Gguf(gguf) => ChatTemplate::from_gguf(gguf),
        }
    }

    /// Names of the tensors, as Hugging Face calls them.
    pub fn tensor_names(&self) -> Vec<String> {
        match &self.format {
            Format::Folder(weights) => weights.names(),
            Format::Gguf(gguf) => gguf.huggingface_names(),
        }
    }

    /// Shape of a tensor by its Hugging Face name.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match &self.format {
            Format::Folder(weights) => weights.info(name).map(|info| info.shape.clone()),
            Format::Gguf(gguf) => gguf.huggingface_shape(name),
        }
    }

    /// A tensor by its Hugging Face name, in f32 on the CPU: dequantised, rows of q and k in Hugging Face's order.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let missing = || Error::malformed(&self.path, format!("tensor `{name}` is missing"));
        let (shape, values) = match &self.format {
            Format::Folder(weights) => weights.read_f32(name).ok_or_else(missing)??,
            Format::Gguf(gguf) => gguf.huggingface_tensor(name, &self.config)?.ok_or_else(missing)?,
        };
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

fn gguf_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// `generation_config.json` has the last word on the ids that end a generation.
fn adopt_generation_config(folder: &Path, config: &mut ModelConfig) -> Result<()> {
    let path = folder.join("generation_config.json");
    if !path.is_file() {
        return Ok(());
    }
    let value: serde_json::Value = json_file::read(&path, CONFIG_LIMIT_BYTES)?;
    let id = |v: &serde_json::Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
    let ids: Vec<u32> = match value.get("eos_token_id") {
        Some(serde_json::Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    };
    if !ids.is_empty() {
        config.eos_token_ids = ids;
    }
    config.bos_token_id = config.bos_token_id.or(value.get("bos_token_id").and_then(id));
    config.pad_token_id = config.pad_token_id.or(value.get("pad_token_id").and_then(id));
    Ok(())
}
