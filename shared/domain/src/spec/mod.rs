//! What a user asks for: the three kinds of task specification, and the rules each field obeys.
//!
//! A specification is checked as a whole, and every wrong field is named at once. What only the platform knows (whether
//! a dataset exists, whether its kind fits) is checked where that knowledge lives, not here.

mod benchmark;
mod checkpoint_evaluation;
mod compilation;
mod evaluation;
mod evaluation_dataset;
mod model_reference;
mod pool;
mod schema;
mod tokenizer;
mod training;
mod user_task;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use benchmark::{benchmark_name, is_benchmark};
pub use checkpoint_evaluation::CheckpointEvaluation;
pub use compilation::{CalibrationSource, CompilationSpec, Quantization, Target};
pub use evaluation::{EvaluationSpec, FREE_DATASETS};
pub use evaluation_dataset::{EvaluationDataset, MOST_ROWS};
pub use model_reference::{ModelReference, OfTask};
pub use pool::{ModelSource, Pool};
pub use tokenizer::{TokenizerOptions, TrainTokenizer};
pub use training::{
    AdapterOptions, AllLinear, DpoLoss, DpoOptions, Export, FullOptions, LINEAR_NAMES, LossOn, Method,
    Precision, Schedule, Split, TargetModules, TrainingKind, TrainingSpec, Zero, default_learning_rate,
};

use crate::{FieldError, field_error::FieldErrors};

/// The kind of a task; each has workers and a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Makes a model from data.
    Training,
    /// Scores a model on benchmarks.
    Evaluation,
    /// Quantises a model and exports it for a runtime.
    Compilation,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Training, Self::Evaluation, Self::Compilation];

    /// The name used in subjects, paths and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Evaluation => "evaluation",
            Self::Compilation => "compilation",
        }
    }
}

/// A task specification of any kind; the `kind` key names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TaskSpec {
    /// Train a model.
    Training(Box<TrainingSpec>),
    /// Evaluate a model.
    Evaluation(EvaluationSpec),
    /// Compile a model.
    Compilation(CompilationSpec),
}

impl TaskSpec {
    /// Its kind.
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Training(_) => TaskKind::Training,
            Self::Evaluation(_) => TaskKind::Evaluation,
            Self::Compilation(_) => TaskKind::Compilation,
        }
    }

    /// The pool it runs in.
    pub const fn pool(&self) -> Pool {
        match self {
            Self::Training(spec) => spec.pool,
            Self::Evaluation(spec) => spec.pool,
            Self::Compilation(spec) => spec.pool,
        }
    }

    /// Every field that breaks a rule; empty when the specification is sound.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = FieldErrors::default();
        match self {
            Self::Training(spec) => spec.check(&mut errors),
            Self::Evaluation(spec) => spec.check(&mut errors),
            Self::Compilation(spec) => spec.check(&mut errors),
        }
        errors.into_vec()
    }
}
