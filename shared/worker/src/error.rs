//! What can go wrong around an engine. Each answers one question: is the task worth another try?

use std::{io, path::PathBuf};

use anneal_artifacts::ArtifactError;
use anneal_bus::{BusError, RequestError};
use anneal_contracts::event::Failure;

/// A task could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The lease is gone: everything is dropped, nothing is reported.
    #[error("the lease is lost")]
    LeaseLost,
    /// task-api refused.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The broker failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// An object could not be fetched or stored.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A local file or folder.
    #[error("local path {path}")]
    Local {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The engine cannot be started.
    #[error("the engine {program} cannot be started")]
    Start {
        /// Its path.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The task as claimed cannot be run.
    #[error("{}", .0.message)]
    Unrunnable(Failure),
}

impl WorkerError {
    pub(crate) fn local(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local { path, source }
    }

    /// What the task's owner is told.
    pub(crate) fn failure(&self) -> Failure {
        let (code, message) = match self {
            Self::Unrunnable(failure) => return failure.clone(),
            Self::Artifact(ArtifactError::NotFound(key)) => {
                ("missing_object", format!("a stored file is missing: {key}"))
            }
            Self::Artifact(ArtifactError::Corrupt { key, .. }) => {
                ("corrupt_object", format!("a stored file is corrupt: {key}"))
            }
            other => ("worker_failed", chain(other)),
        };
        Failure { code: code.to_owned(), field: None, message }
    }

    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Unrunnable(_) | Self::LeaseLost => false,
            Self::Artifact(error) => !matches!(error, ArtifactError::NotFound(_) | ArtifactError::Key(_)),
            Self::Request(error) => error.is_retryable(),
            Self::Bus(_) | Self::Local { .. } | Self::Start { .. } => true,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
