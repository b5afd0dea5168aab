//! The spec, read and checked, before any work.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use anneal_contracts::engine::{CompilerSpec, ModelInput, Quantization, Target};

use super::{
    error::{Error, Result},
    graph::{Core, Format, Recipe},
};

/// Inputs that share a scale in an 8-bit artifact: the fastest block of ONNX Runtime's AVX2 kernels, and a fine one.
pub(crate) const BLOCK: usize = 32;

/// A checked spec.
#[derive(Debug)]
pub struct Job {
    pub(crate) spec: CompilerSpec,
    pub(crate) threads: usize,
    /// Everything unfinished; removed at the end.
    pub(crate) work: PathBuf,
}

impl Job {
    /// Reads a spec file.
    ///
    /// # Errors
    /// [`Error::Spec`] naming the field: unknown keys, combinations that are not valid, inputs that do not exist.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::spec("spec", format!("{}: {error}", path.display())))?;
        let spec: CompilerSpec = serde_json::from_str(&text).map_err(|error| {
            Error::spec("spec", format!("{} line {}: {error}", path.display(), error.line()))
        })?;
        Self::new(spec)
    }

    /// Checks a spec.
    pub fn new(spec: CompilerSpec) -> Result<Self> {
        check_model(&spec.model)?;
        match (spec.quantization, &spec.calibration) {
            (Quantization::Int8, None) => {
                return Err(Error::spec("calibration", "`int8` needs a calibration dataset"));
            }
            (Quantization::Fp16, Some(_)) => {
                return Err(Error::spec("calibration", "`fp16` takes no calibration dataset; leave it out"));
            }
            _ => {}
        }
        if let Some(calibration) = &spec.calibration {
            check_path("calibration.dataset", &calibration.dataset)?;
            if calibration.samples == 0 {
                return Err(Error::spec("calibration.samples", "must be at least 1"));
            }
            if calibration.sequence_length < 16 {
                return Err(Error::spec("calibration.sequence_length", "must be at least 16 tokens"));
            }
        }
        if let Some(validation) = &spec.validation {
            if let Some(dataset) = &validation.dataset {
                check_path("validation.dataset", dataset)?;
            }
            let ratio = validation.budget.perplexity_ratio;
            if !(ratio.is_finite() && ratio > 0.0) {
                return Err(Error::spec(
                    "validation.budget.perplexity_ratio",
                    "must be a positive number, such as 1.02",
                ));
            }
        }
        if spec.output_dir.is_empty() {
            return Err(Error::spec("output_dir", "must name a folder"));
        }
        let threads = match spec.threads {
            0 => thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads.min(1024),
        };
        let work = Path::new(&spec.output_dir).join("work");
        Ok(Self { spec, threads, work })
    }

    /// Where the published folder goes.
    pub(crate) fn compiled_dir(&self) -> PathBuf {
        Path::new(&self.spec.output_dir).join("compiled")
    }

    pub(crate) fn validation_path(&self) -> PathBuf {
        Path::new(&self.spec.output_dir).join("validation.json")
    }

    /// The graph to write.
    pub(crate) fn recipe(&self) -> Recipe {
        let format = match self.spec.quantization {
            Quantization::Int8 => Format::Int8 { block: BLOCK },
            Quantization::Fp16 => Format::F16,
        };
        // CPUs compute single precision faster than half; CUDA's grouped attention takes no bias, plain operators do.
        let (core, fused_attention) = match self.spec.target {
            Target::OnnxruntimeCpu => (Core::F32, true),
            Target::OnnxruntimeCuda => (Core::F16, false),
        };
        Recipe { core, format, fused_attention, taps: false }
    }
}

fn check_model(model: &ModelInput) -> Result<()> {
    match model {
        ModelInput::Path(path) => check_path("model", path),
        ModelInput::Adapted(adapted) => {
            check_path("model.base", &adapted.base)?;
            check_path("model.adapter", &adapted.adapter)
        }
    }
}

fn check_path(field: &str, path: &str) -> Result<()> {
    match fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::spec(field, format!("{path}: {error}"))),
    }
}
