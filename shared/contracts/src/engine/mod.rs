//! The contract between a worker and its engine: a spec file in, JSON lines out.
//!
//! An engine is a plain program, `anneal-<engine> run SPEC.json`. It reads local paths, writes under `output_dir`,
//! prints one [`Line`] a line on standard output and human text on standard error. This module owns the
//! spelling of both; it knows nothing of tasks, queues or storage.

mod compiler;
mod evaluator;
mod exit;
mod line;
mod model_input;
mod trainer;

pub use anneal_domain::spec::{TokenizerOptions, TrainTokenizer};
pub use compiler::{Budget, Calibration, CompilerSpec, Quantization, Target, Validation};
pub use evaluator::{Backend, EvaluationTask, EvaluatorSpec, TrainingData};
pub use exit::ExitKind;
pub use line::{Level, Line, StageState};
pub use model_input::{Adapted, ModelInput};
pub use trainer::{
    Dpo, DpoLoss, Export, LoraSpec, LossOn, Method, OptimizerSpec, Parallel, Precision, Schedule,
    TargetModules, TrainerSpec, TrainingKind, Zero,
};
