//! The folder of a checkpoint that an evaluation scores.

use anneal_contracts::rpc::InputFolder;
use anneal_domain::{
    FieldError,
    id::{CheckpointId, ModelId, TaskId, WorkspaceId},
    spec::{Method, TaskSpec},
};
use anneal_store::Sql;

use super::checkpoint;
use crate::{Error, store::TaskRow};

/// The checkpoint of a training that began from `base`: a whole `model`, or an `adapter` of it.
pub(super) async fn folder(
    db: &impl Sql,
    workspace: WorkspaceId,
    task: TaskId,
    id: CheckpointId,
    base: ModelId,
) -> Result<Result<InputFolder, FieldError>, Error> {
    let wrong = |field: &str, why: String| Ok(Err(FieldError::new(field, why)));
    let training = match TaskRow::find_in(db, workspace, task).await {
        Err(Error::NotFound(_)) => {
            return wrong("spec.from_task", format!("there is no task {task} in this workspace"));
        }
        row => row?.spec()?,
    };
    let TaskSpec::Training(training) = training else {
        return wrong(
            "spec.from_task",
            format!("{task} is no training: it leaves no checkpoints of a model"),
        );
    };
    if training.model != base {
        return wrong("spec.model", format!("{task} was trained from {}", training.model));
    }
    let kept = checkpoint::of_task(db, task).await?;
    let Some(kept) = kept.into_iter().find(|kept| kept.id == id.to_string() && kept.rejected == 0) else {
        return wrong("spec.checkpoint", format!("{task} keeps no usable checkpoint {id}"));
    };
    let role = if training.method == Method::Full { "model" } else { "adapter" };
    Ok(Ok(InputFolder { role: role.to_owned(), prefix: kept.prefix, manifest_sha256: kept.manifest_sha256 }))
}
