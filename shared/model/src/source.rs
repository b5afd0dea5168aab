//! A model on disk: a Hugging Face folder, a GGUF file, or a folder that holds one GGUF file.

mod table;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::chat::ChatTemplate;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::json_file;
use crate::tokenizer::Tokenizer;
use crate::weights::{ShardedWeights, refuse_pickle};

pub(crate) use table::StoredTable;

const CONFIG_LIMIT_BYTES: u64 = 16 << 20;

/// An opened model. Opening checks configuration and headers; tensors are read when asked for.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    config: ModelConfig,
    format: Arc<Format>,
    values: Option<GivenValues>,
    /// In place of the model's own.
    tokenizer: Option<Tokenizer>,
}

#[derive(Debug)]
enum Format {
    Folder(ShardedWeights),
    /// A folder whose weights, if it has any, are not looked at.
    Architecture,
    Gguf(Box<Gguf>),
}

/// Values of a tensor by name and shape.
type Give = dyn Fn(&str, &[usize]) -> Result<Vec<f32>> + Send + Sync;

/// Values from elsewhere, in place of the stored ones.
struct GivenValues {
    shapes: HashMap<String, Vec<usize>>,
    give: Box<Give>,
}

impl fmt::Debug for GivenValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenValues").finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let source = Self::find(path.as_ref(), true)?;
        source.check_shapes()?;
        Ok(source)
    }

    /// Opens a model's configuration, tokenizer and chat template. It need not have weights; [`Self::with_values`] gives it some.
    pub fn open_architecture(path: impl AsRef<Path>) -> Result<Self> {
        Self::find(path.as_ref(), false)
    }

    /// The same model with the values that `give` has for a tensor's Hugging Face name and shape, in row-major order.
    #[must_use]
    pub fn with_values(
        mut self,
        give: impl Fn(&str, &[usize]) -> Result<Vec<f32>> + Send + Sync + 'static,
    ) -> Self {
        let shapes = self.config.tensor_shapes().into_iter().collect();
        self.values = Some(GivenValues { shapes, give: Box::new(give) });
        self
    }

    fn find(path: &Path, weights: bool) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !metadata.is_dir() {
            refuse_pickle(path)?;
            return Self::open_gguf(path);
        }
        if path.join("config.json").is_file() {
            return Self::open_folder(path, weights);
        }
        match gguf_files(path)?.as_slice() {
            [one] => Self::open_gguf(one),
            [] => Err(Error::malformed(path, "neither config.json nor a .gguf file")),
            several => Err(Error::malformed(path, format!("{} .gguf files; name one", several.len()))),
        }
    }

    fn open_folder(path: &Path, weights: bool) -> Result<Self> {
        let value: serde_json::Value = json_file::read(&path.join("config.json"), CONFIG_LIMIT_BYTES)?;
        let mut config = ModelConfig::from_huggingface(&value)?;
        let format = if weights { Format::Folder(ShardedWeights::open(path)?) } else { Format::Architecture };
        adopt_generation_config(path, &mut config)?;
        Ok(Self { path: path.to_owned(), config, format: Arc::new(format), values: None, tokenizer: None })
    }

    fn open_gguf(path: &Path) -> Result<Self> {
        let gguf = Gguf::open(path)?;
        let config = ModelConfig::from_gguf(&gguf)?;
        let format = Format::Gguf(Box::new(gguf));
        Ok(Self { path: path.to_owned(), config, format: Arc::new(format), values: None, tokenizer: None })
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
        match &*self.format {
            Format::Folder(_) | Format::Architecture => {
                Tokenizer::from_folder(&self.path, Some(&self.config))
            }
            Format::Gguf(gguf) => Tokenizer::from_gguf(gguf),
        }
    }

    /// The model's chat template, if it has one.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>> {
        if self.tokenizer.is_some() {
            return Ok(None);
        }
        match &*self.format {
            Format::Folder(_) | Format::Architecture => ChatTemplate::from_folder(&self.path),
            Format::Gguf(gguf) => ChatTemplate::from_gguf(gguf),
        }
    }

    /// Names of the tensors, as Hugging Face calls them.
    pub fn tensor_names(&self) -> Vec<String> {
        match (&self.values, &*self.format) {
            (Some(values), _) => values.shapes.keys().cloned().collect(),
            (None, Format::Folder(weights)) => weights.names(),
            (None, Format::Architecture) => Vec::new(),
            (None, Format::Gguf(gguf)) => gguf.huggingface_names(),
        }
    }

    /// Shape of a tensor by its Hugging Face name.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match (&self.values, &*self.format) {
            (Some(values), _) => values.shapes.get(name).cloned(),
            (None, Format::Folder(weights)) => weights.info(name).map(|info| info.shape.clone()),
            (None, Format::Architecture) => None,
            (None, Format::Gguf(gguf)) => gguf.huggingface_shape(name),
        }
    }

    /// A tensor by its Hugging Face name, in f32 on the CPU: dequantised, rows of q and k in Hugging Face's order.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let missing = || Error::malformed(&self.path, format!("tensor `{name}` is missing"));
        let (shape, values) = match (&self.values, &*self.format) {
            (Some(values), _) => {
                let shape = values.shapes.get(name).cloned().ok_or_else(missing)?;
                let given = (values.give)(name, &shape)?;
                (shape, given)
            }
            (None, Format::Folder(weights)) => weights.read_f32(name).ok_or_else(missing)??,
            (None, Format::Architecture) => return Err(missing()),
            (None, Format::Gguf(gguf)) => gguf.huggingface_tensor(name, &self.config)?.ok_or_else(missing)?,
        };
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// A matrix whose rows can be read from its file one by one, by its Hugging Face name; `None` where they cannot.
    pub(crate) fn table(&self, name: &str) -> Option<StoredTable> {
        let shape = self.shape(name).filter(|_| self.values.is_none())?;
        StoredTable::new(&self.format, name, &shape)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::formula::write_tiny_folder;

    #[test]
    fn an_architecture_needs_no_weights_and_takes_given_ones() {
        let folder = tempfile::tempdir().unwrap();
        write_tiny_folder(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        assert!(Source::open(folder.path()).unwrap_err().to_string().contains("no model.safetensors"));
        let source = Source::open_architecture(folder.path()).unwrap();
        assert!(source.tokenizer().is_ok() && source.chat_template().unwrap().is_some());
        let name = "model.norm.weight";
        assert!(source.tensor(name).unwrap_err().to_string().contains(name));
        let source = source.with_values(|_, shape| Ok(vec![2.0; shape.iter().product()]));
        assert_eq!(source.tensor(name).unwrap().to_vec1::<f32>().unwrap(), [2.0; 32]);
        assert_eq!(source.shape(name), Some(vec![32]));
        assert_eq!(source.tensor_names().len(), source.config().tensor_shapes().len());
        assert!(source.tensor("lm_head.weight").is_err());
    }
}
