//! A training's checkpoints and their evaluations as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    http::time,
    tasks::{CheckpointRow, WantedEvaluation},
};

/// A committed checkpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checkpoint {
    id: String,
    /// After this step.
    step: i64,
    /// Of which attempt at the task.
    epoch: i64,
    /// Where it lies in the object store.
    prefix: String,
    manifest_sha256: String,
    size_bytes: i64,
    /// Whether its validation was the best one.
    best: bool,
    created_at: String,
}

impl From<CheckpointRow> for Checkpoint {
    fn from(row: CheckpointRow) -> Self {
        Self {
            id: row.id,
            step: row.step,
            epoch: row.epoch,
            prefix: row.prefix,
            manifest_sha256: row.manifest_sha256,
            size_bytes: row.size_bytes,
            best: row.best != 0,
            created_at: time(row.created_at_ms),
        }
    }
}

/// The evaluation of a checkpoint, or of the model before the first step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckpointScore {
    step: i64,
    /// Absent before the first step.
    checkpoint: Option<String>,
    state: CheckpointScoreState,
    /// The task that it is, once it is one.
    evaluation: Option<String>,
    failure: Option<String>,
}

/// How far the evaluation of a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CheckpointScoreState {
    /// It waits to be made.
    Wanted,
    /// It is a task of its own.
    Made,
    /// Its scores are among the training's metrics.
    Scored,
    /// It has no scores.
    Failed,
    /// It is not made any more.
    Withdrawn,
}

impl CheckpointScoreState {
    fn parse(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "wanted" => Self::Wanted,
            "made" => Self::Made,
            "scored" => Self::Scored,
            "failed" => Self::Failed,
            "withdrawn" => Self::Withdrawn,
            _ => return Err(Error::stored("state of a checkpoint's evaluation")),
        })
    }
}

impl TryFrom<WantedEvaluation> for CheckpointScore {
    type Error = Error;

    fn try_from(row: WantedEvaluation) -> Result<Self, Error> {
        let state = CheckpointScoreState::parse(&row.state)?;
        let is_made = !matches!(state, CheckpointScoreState::Wanted | CheckpointScoreState::Withdrawn);
        Ok(Self {
            step: row.step,
            checkpoint: row.checkpoint,
            state,
            evaluation: is_made.then_some(row.task),
            failure: row.failure,
        })
    }
}
