//! Two evaluations held against each other: their results are fetched, compared away from the requests, and forgotten.

use std::path::Path;

use anneal_artifacts::{ArtifactError, Manifest, Prefix};
use anneal_comparison::{Comparison, Evaluation};

use super::benchmark_of;
use crate::{App, Error};

/// Bytes of one evaluation's results and samples; they lie on the disk while they are compared.
const LARGEST: u64 = 8 << 30;

/// Compares what two published folders hold.
pub(crate) async fn compare(app: &App, a: &Prefix, b: &Prefix) -> Result<Comparison, Error> {
    let turn = app.comparing.clone().acquire_owned().await;
    let turn = turn.map_err(|_| Error::Unavailable("the service is stopping".to_owned()))?;
    let folder = app.work.upload();
    let folder =
        folder.map_err(|error| Error::Unavailable(format!("no place for the comparison: {error}")))?;
    let places = [folder.path().join("a"), folder.path().join("b")];
    for (prefix, place) in [a, b].into_iter().zip(&places) {
        fetch(app, prefix, place).await?;
    }
    let compared = tokio::task::spawn_blocking(move || {
        // A caller that leaves ends neither the work nor what it needs.
        let _held = (turn, folder);
        let [a, b] = places;
        anneal_comparison::compare(&Evaluation::read(&a)?, &Evaluation::read(&b)?)
    });
    let compared = compared.await.map_err(|error| {
        tracing::error!(%error, "a comparison broke off");
        Error::stored("evaluation")
    })?;
    Ok(compared?)
}

/// Fetches results and samples; the rest of the folder is not compared.
async fn fetch(app: &App, folder: &Prefix, local: &Path) -> Result<(), Error> {
    let Manifest { mut files } = app.objects.manifest(folder, None).await?;
    files.retain(|file| file.path == "results.json" || benchmark_of(&file.path).is_some());
    let bytes = files.iter().map(|file| file.size_bytes).fold(0, u64::saturating_add);
    if bytes > LARGEST {
        return Err(Error::conflict(format!(
            "an evaluation of {bytes} bytes is too large to be compared here: download both, and let \
             `anneal-evaluator compare` do it"
        )));
    }
    tokio::fs::create_dir_all(local)
        .await
        .map_err(|source| Error::from(ArtifactError::Local { path: local.to_owned(), source }))?;
    for file in &files {
        app.objects.get_to_file(&file.key(folder)?, &file.stored(), &local.join(&file.path)).await?;
    }
    Ok(())
}

impl From<anneal_comparison::Error> for Error {
    fn from(error: anneal_comparison::Error) -> Self {
        use anneal_comparison::Error as Why;
        match error {
            Why::NoCommonTask { .. } => Self::field("with", error.to_string()),
            Why::TooMany { .. } => Self::conflict(error.to_string()),
            Why::Read { .. } | Why::Form { .. } => {
                tracing::error!(%error, "published results cannot be compared");
                Self::stored("evaluation")
            }
        }
    }
}
