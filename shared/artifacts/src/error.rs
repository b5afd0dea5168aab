//! What can go wrong with stored objects.

use std::{io, path::PathBuf};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::{Key, KeyError};

/// An object or folder could not be stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// There is no such object.
    #[error("object `{0}` does not exist")]
    NotFound(Key),
    /// What was fetched is not what was stored: it must not be used.
    #[error("object `{key}` is corrupt: {reason}")]
    Corrupt {
        /// Which object.
        key: Key,
        /// What does not match.
        reason: String,
    },
    /// A name in a manifest, or of a local file, cannot form a key or a path.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A local file cannot be read or written.
    #[error("local file {path}")]
    Local {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A local folder holds something that is no regular file or folder.
    #[error("{0} is neither a regular file nor a folder")]
    NotAFile(PathBuf),
    /// The bytes to be stored could not be produced.
    #[error("the bytes to store could not be read")]
    Source(#[source] io::Error),
    /// The store refused or failed, after retries.
    #[error("the object store failed to {what}: {reason}")]
    Store {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        reason: String,
        /// Whether asking again later may help.
        retryable: bool,
    },
}

impl ArtifactError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store { retryable: true, .. })
    }

    pub(crate) fn local(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local { path, source }
    }

    pub(crate) fn store<E, R>(what: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        move |error| {
            let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
            let refused = code.as_deref().is_some_and(|code| {
                matches!(
                    code,
                    "AccessDenied"
                        | "InvalidAccessKeyId"
                        | "SignatureDoesNotMatch"
                        | "NoSuchBucket"
                        | "EntityTooLarge"
                )
            });
            Self::Store { what, reason: chain(&error, code.as_deref()), retryable: !refused }
        }
    }
}

/// The error with its causes: the SDK's own text is only `service error` or `dispatch failure`.
fn chain(error: &dyn std::error::Error, code: Option<&str>) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    match code {
        Some(code) if !text.contains(code) => format!("{code}: {text}"),
        _ => text,
    }
}
