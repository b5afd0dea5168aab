//! Publishing what an engine made.

use anneal_artifacts::{ArtifactError, ObjectStore, Prefix};
use anneal_contracts::event::{Artifact, Failure};

use crate::{Publication, WorkerError};

/// Stores each folder under this epoch's own prefix; only the finish that names them makes them the task's.
pub(crate) async fn publish(
    store: &ObjectStore,
    prefix: &Prefix,
    epoch: u64,
    publications: Vec<Publication>,
) -> Result<Vec<Artifact>, WorkerError> {
    let mut artifacts = Vec::with_capacity(publications.len());
    for Publication { role, folder } in publications {
        if !folder.is_dir() {
            return Err(WorkerError::Unrunnable(Failure {
                code: "missing_output".to_owned(),
                field: None,
                message: format!("the engine said it was done but its {role} folder is not there"),
            }));
        }
        let target = prefix.artifact(epoch, role).map_err(ArtifactError::from)?;
        let stored = store.put_folder(&target, &folder).await?;
        artifacts.push(Artifact {
            role: role.to_owned(),
            prefix: target.to_string(),
            manifest_sha256: stored.manifest_sha256,
            size_bytes: stored.size_bytes,
        });
    }
    Ok(artifacts)
}
