//! The worker service around the compilation engine: from a claimed task to the engine's spec, and from its output to what is
//! published.

use std::{io, path::PathBuf};

use anneal_contracts::{
    engine::{Adapted, Budget, Calibration, CompilerSpec, ModelInput, Validation},
    event::Failure,
    rpc::ClaimedTask,
};
use anneal_domain::spec::{CompilationSpec, TaskKind, TaskSpec};
use anneal_worker::{Ended, Folders, Program, Publication, WorkerConfig, Workload, unsupported};
use serde_json::Value;

/// Calibration sequences, and tokens of each.
const CALIBRATION: (usize, usize) = (128, 512);

/// Compilation tasks.
#[derive(Debug)]
pub struct Compilation {
    program: Program,
}

impl Compilation {
    /// Runs this very program as the engine.
    pub fn new(config: &WorkerConfig) -> io::Result<Self> {
        Ok(Self { program: Program::current(config)? })
    }
}

impl Workload for Compilation {
    fn kind(&self) -> TaskKind {
        TaskKind::Compilation
    }

    fn program(&self) -> Program {
        self.program.clone()
    }

    fn engine_spec(&self, task: &ClaimedTask, folders: &Folders) -> Result<Value, Failure> {
        let TaskSpec::Compilation(spec) = &task.spec else {
            return Err(unsupported("spec.kind", "this worker compiles"));
        };
        write(spec, folders)
    }

    fn publications(&self, _task: &ClaimedTask, ended: &Ended<'_>) -> Vec<Publication> {
        if ended.stopped {
            return Vec::new();
        }
        match ended.figures.get("compiled_dir").and_then(Value::as_str) {
            Some(folder) => vec![Publication { role: "compiled", folder: PathBuf::from(folder) }],
            // Refused: only the report of why is left.
            None => vec![Publication { role: "validation", folder: ended.output.to_owned() }],
        }
    }
}

fn write(spec: &CompilationSpec, folders: &Folders) -> Result<Value, Failure> {
    let base = folders.input("model")?;
    let model = if folders.inputs.contains_key("adapter") {
        ModelInput::Adapted(Adapted { base, adapter: folders.input("adapter")? })
    } else {
        ModelInput::Path(base)
    };
    let calibration = match spec.calibration {
        None => None,
        Some(_) => Some(Calibration {
            dataset: folders.input("calibration")?,
            samples: CALIBRATION.0,
            sequence_length: CALIBRATION.1,
        }),
    };
    let dataset = spec.validation_dataset.map(|_| folders.input("validation")).transpose()?;
    let engine = CompilerSpec {
        model,
        quantization: spec.quantization,
        target: spec.target,
        calibration,
        validation: Some(Validation {
            dataset,
            budget: Budget { perplexity_ratio: spec.max_perplexity_ratio },
        }),
        threads: folders.threads,
        output_dir: folders.output.to_string_lossy().into_owned(),
    };
    Ok(serde_json::to_value(engine).expect("a spec of numbers, text and lists is always JSON"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calibration_and_budget_reach_the_engine() {
        let spec: CompilationSpec = serde_json::from_value(json!({
            "model_source": "trained", "model": "model-00000000000000000000000000000001", "quantization": "int8",
            "calibration": "c4", "max_perplexity_ratio": 1.1
        }))
        .unwrap();
        let roles = ["model", "calibration"];
        let inputs = roles.iter().map(|role| ((*role).to_owned(), format!("/in/{role}").into())).collect();
        let folders = Folders { inputs, output: "/out".into(), resume_from: None, threads: 1 };
        let written = write(&spec, &folders).unwrap();
        assert_eq!(written["model"], "/in/model");
        assert_eq!(written["calibration"]["dataset"], "/in/calibration");
        assert_eq!(written["validation"]["budget"]["perplexity_ratio"], 1.1);
        serde_json::from_value::<CompilerSpec>(written).unwrap();
    }
}
