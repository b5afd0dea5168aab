//! The worker service around the training engine: from a claimed task to the engine's spec, and from its output to what is
//! published.

mod engine_spec;

use std::{io, path::PathBuf};

use anneal_contracts::{engine::Method, event::Failure, rpc::ClaimedTask};
use anneal_domain::spec::{TaskKind, TaskSpec};
use anneal_worker::{Ended, Folders, Program, Publication, WorkerConfig, Workload, unsupported};
use serde_json::Value;

/// Training tasks.
#[derive(Debug)]
pub struct Training {
    program: Program,
}

impl Training {
    /// Runs this very program as the engine.
    pub fn new(config: &WorkerConfig) -> io::Result<Self> {
        Ok(Self { program: Program::current(config)? })
    }
}

impl Workload for Training {
    fn kind(&self) -> TaskKind {
        TaskKind::Training
    }

    fn program(&self) -> Program {
        self.program.clone()
    }

    fn engine_spec(&self, task: &ClaimedTask, folders: &Folders) -> Result<Value, Failure> {
        let TaskSpec::Training(spec) = &task.spec else {
            return Err(unsupported("spec.kind", "this worker trains"));
        };
        engine_spec::write(spec, folders)
    }

    /// Each point of a curve is a checkpoint that was scored.
    fn wants_checkpoint(&self, task: &ClaimedTask, step: u64) -> bool {
        matches!(&task.spec, TaskSpec::Training(spec) if spec.checkpoint_evaluation.is_some() && spec.is_save_step(step))
    }

    fn publications(&self, task: &ClaimedTask, ended: &Ended<'_>) -> Vec<Publication> {
        let TaskSpec::Training(spec) = &task.spec else { return Vec::new() };
        let (role, figure) =
            if spec.method == Method::Full { ("model", "model_dir") } else { ("adapter", "adapter_dir") };
        // A training that was stopped leaves its newest checkpoint, which is a loadable folder of the same shape.
        let result = if ended.stopped {
            ended.checkpoint.map(PathBuf::from)
        } else {
            ended.figures.get(figure).and_then(Value::as_str).map(PathBuf::from)
        };
        let mut publications: Vec<Publication> =
            result.into_iter().map(|folder| Publication { role, folder }).collect();
        let tensorboard = ended.output.join("tensorboard");
        if tensorboard.is_dir() {
            publications.push(Publication { role: "tensorboard", folder: tensorboard });
        }
        publications
    }
}
