//! Opens the model that a spec names: tokenizer and template at once, weights only when a row is to be scored.

use std::io::Read;
use std::path::{Path, PathBuf};

use anneal_contracts::engine::{Backend, EvaluatorSpec, ModelInput};
use anneal_model::{ChatTemplate, Compute, Decoder, LoadOptions, Source, Tokenizer};
use candle_core::Device;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Scorer;
use super::candle::Candle;
use super::encode::Encoder;
use super::onnxruntime::OnnxRuntime;
use crate::engine::error::{Error, Result};

/// Context length of a compiled model that states none.
const CONTEXT_LENGTH: usize = 2048;
/// Bytes of a file that are read at a time for its digest.
const DIGEST_BYTES: usize = 1 << 20;
/// Extensions of files that decide the scores.
const DECIDING_EXTENSIONS: [&str; 6] = ["safetensors", "gguf", "onnx", "data", "jinja", "model"];
/// Other files that do.
const DECIDING_FILES: [&str; 12] = [
    "adapter_config.json",
    "added_tokens.json",
    "chat_template.json",
    "config.json",
    "genai_config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
];

/// An opened model.
pub struct Model {
    /// Text to ids.
    pub encoder: Encoder,
    /// The model's chat template.
    pub template: Option<ChatTemplate>,
    /// `candle` or `onnxruntime`.
    pub backend: &'static str,
    weights: Weights,
    scorer: Option<Box<dyn Scorer>>,
    batch_tokens: Option<usize>,
}

enum Weights {
    Decoder { source: Box<Source>, adapter: Option<PathBuf>, compute: Compute, device: Device },
    Compiled { folder: PathBuf, eos_ids: Vec<u32>, threads: usize },
}

impl Model {
    /// Opens the model of a spec.
    pub fn open(spec: &EvaluatorSpec) -> Result<Self> {
        let compute = match spec.precision.as_str() {
            "fp32" => Compute::F32,
            "bf16" => Compute::Bf16,
            other => return Err(Error::spec("precision", format!("{other:?} is not fp32 or bf16"))),
        };
        if spec.max_length.is_some_and(|length| length < 2) {
            return Err(Error::spec("max_length", "a context holds at least 2 tokens"));
        }
        let (base, adapter) = match &spec.model {
            ModelInput::Path(path) => (PathBuf::from(path), None),
            ModelInput::Adapted(adapted) => {
                (PathBuf::from(&adapted.base), Some(PathBuf::from(&adapted.adapter)))
            }
        };
        let compiled = base.join("model.onnx").is_file();
        match (spec.backend, compiled) {
            (Backend::Onnxruntime, false) => Err(Error::spec(
                "backend",
                format!("{} is not a compiled folder (no model.onnx)", base.display()),
            )),
            (Backend::Candle, true) => {
                Err(Error::spec("backend", "a compiled folder runs on onnxruntime only"))
            }
            (_, true) if adapter.is_some() => Err(Error::spec("model", "a compiled folder takes no adapter")),
            (_, true) if !matches!(spec.device.as_str(), "auto" | "cpu") => {
                Err(Error::spec("device", "a compiled folder runs on the CPU only: `auto` or `cpu`"))
            }
            (_, true) => Self::compiled(spec, base),
            (_, false) => Self::decoder(spec, &base, adapter, compute),
        }
    }

    fn decoder(
        spec: &EvaluatorSpec,
        base: &Path,
        adapter: Option<PathBuf>,
        compute: Compute,
    ) -> Result<Self> {
        let device =
            anneal_kernels::device(&spec.device).map_err(|error| Error::spec("device", error.to_string()))?;
        let source = Source::open(base).map_err(failed)?;
        let own = source.config().context_length();
        Ok(Self {
            encoder: encoder(source.tokenizer().map_err(failed)?, spec, own)?,
            template: source.chat_template().map_err(failed)?,
            backend: "candle",
            weights: Weights::Decoder { source: Box::new(source), adapter, compute, device },
            scorer: None,
            batch_tokens: spec.batch_tokens,
        })
    }

    fn compiled(spec: &EvaluatorSpec, folder: PathBuf) -> Result<Self> {
        let config = genai_config(&folder)?;
        let length =
            config["model"]["context_length"].as_u64().map_or(CONTEXT_LENGTH, |length| length as usize);
        let tokenizer = Tokenizer::from_folder(&folder, None).map_err(failed)?;
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let mut eos_ids: Vec<u32> = match &config["model"]["eos_token_id"] {
            Value::Array(ids) => ids.iter().filter_map(id).collect(),
            one => id(one).into_iter().collect(),
        };
        eos_ids.extend(tokenizer.eos_id());
        Ok(Self {
            encoder: encoder(tokenizer, spec, length)?,
            template: ChatTemplate::from_folder(&folder).map_err(failed)?,
            backend: "onnxruntime",
            weights: Weights::Compiled { folder, eos_ids, threads: threads(spec) },
            scorer: None,
            batch_tokens: spec.batch_tokens,
        })
    }

    /// Whether the weights are there.
    pub fn is_loaded(&self) -> bool {
        self.scorer.is_some()
    }

    /// The model at work; its weights are loaded the first time.
    ///
    /// # Panics
    /// Never: what was not there is loaded first.
    pub fn scorer(&mut self) -> Result<&mut dyn Scorer> {
        if self.scorer.is_none() {
            self.scorer = Some(self.load()?);
        }
        Ok(self.scorer.as_mut().expect("loaded just above").as_mut())
    }

    fn load(&self) -> Result<Box<dyn Scorer>> {
        let tokenizer = self.encoder.tokenizer().clone();
        match &self.weights {
            Weights::Decoder { source, adapter, compute, device } => {
                let options = LoadOptions {
                    compute: *compute,
                    adapter: adapter.clone(),
                    device: device.clone(),
                    ..LoadOptions::default()
                };
                let load = || {
                    let decoder = Decoder::load(source, &options)?;
                    decoder.prepare_output()?;
                    Ok::<_, anneal_model::Error>(decoder)
                };
                let decoder = anneal_kernels::in_pool(load).map_err(failed)?;
                Ok(Box::new(Candle::new(decoder, tokenizer, self.batch_tokens)))
            }
            Weights::Compiled { folder, eos_ids, threads } => {
                let library = anneal_onnx::find_library(None).map_err(failed)?;
                anneal_onnx::init(&library).map_err(failed)?;
                let options = anneal_onnx::Options { threads: *threads, ..anneal_onnx::Options::default() };
                let session = anneal_onnx::Session::open(folder, &options).map_err(failed)?;
                Ok(Box::new(OnnxRuntime::new(session, tokenizer, eos_ids.clone())))
            }
        }
    }
}

fn encoder(tokenizer: Tokenizer, spec: &EvaluatorSpec, own: usize) -> Result<Encoder> {
    Encoder::new(tokenizer, spec.max_length.unwrap_or(own)).map_err(Error::Model)
}

/// The spec's threads; 0 takes all.
fn threads(spec: &EvaluatorSpec) -> usize {
    let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if spec.threads == 0 { all() } else { spec.threads }
}

fn genai_config(folder: &Path) -> Result<Value> {
    let path = folder.join("genai_config.json");
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    serde_json::from_str(&text).map_err(|error| Error::Model(format!("{}: {error}", path.display())))
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Model(error.to_string())
}

/// A digest of what decides the scores: names, sizes and bytes of the model's files, wherever they lie.
pub fn identity(model: &ModelInput) -> Result<String> {
    let paths = match model {
        ModelInput::Path(path) => vec![path],
        ModelInput::Adapted(adapted) => vec![&adapted.base, &adapted.adapter],
    };
    let mut digest = Sha256::new();
    for path in paths {
        for file in files(Path::new(path))? {
            digest_file(&file, &mut digest).map_err(Error::io(&file))?;
        }
    }
    Ok(hex(&digest.finalize()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io(path))? {
        let file = entry.map_err(Error::io(path))?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let extension =
            Path::new(&name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let decides = DECIDING_EXTENSIONS.contains(&extension) || DECIDING_FILES.contains(&name.as_str());
        if file.is_file() && decides {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn digest_file(path: &Path, digest: &mut Sha256) -> std::io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    digest.update(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
    digest.update(bytes.to_le_bytes());
    let mut part = vec![0; DIGEST_BYTES];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(()),
            read => digest.update(&part[..read]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_byte_in_the_middle_of_the_weights_is_another_model() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        let digest = || identity(&ModelInput::Path(folder.path().display().to_string())).unwrap();
        let mut bytes = vec![0; 3 * DIGEST_BYTES];
        std::fs::write(&file, &bytes).unwrap();
        let before = digest();
        std::fs::write(folder.path().join("README.md"), "about").unwrap();
        assert_eq!(digest(), before);
        bytes[DIGEST_BYTES + 77] = 1;
        std::fs::write(&file, &bytes).unwrap();
        assert_ne!(digest(), before);
    }
}
