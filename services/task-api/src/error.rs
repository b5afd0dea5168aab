//! What can go wrong in task-api, for every layer: it becomes problem JSON over HTTP and a refusal over the broker.

use anneal_artifacts::ArtifactError;
use anneal_bus::RequestError;
use anneal_contracts::rpc::Refusal;
use anneal_domain::FieldError;
use sea_orm::DbErr;

/// A request could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] anneal_store::Error),
    /// A stored value does not read back.
    #[error("stored {0} is unusable")]
    Stored(&'static str),
    /// The object store failed.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// Another service did not answer, or said no.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// There is no such thing in the caller's workspace.
    #[error("no such {0} in this workspace")]
    NotFound(&'static str),
    /// The thing's state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Fields break rules.
    #[error("{} field(s) cannot be accepted", .0.len())]
    Invalid(Vec<FieldError>),
    /// Rows of an uploaded dataset cannot be used.
    #[error("{invalid_count} row(s) cannot be used: correct them, or upload with `skip_invalid=true`")]
    InvalidRows {
        /// How many.
        invalid_count: u64,
        /// The first of them.
        errors: Vec<anneal_datasets::RowError>,
    },
    /// The request cannot be understood at all.
    #[error("{0}")]
    Malformed(String),
    /// The body is larger than the route takes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// The body stands still.
    #[error("nothing more of the body came for too long: send the request again")]
    Slow,
    /// No key, or one that opens nothing.
    #[error("give a valid API key as `Authorization: Bearer …`")]
    Unauthorized,
    /// The key's role is not enough.
    #[error("this needs the role `{0}`")]
    Forbidden(&'static str),
    /// The workspace cannot pay for it.
    #[error("{0}")]
    InsufficientBalance(String),
    /// The caller's lease is not the current one.
    #[error("another lease holds this task")]
    Fenced,
    /// Something we need is away for the moment.
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::NotFound(what)
    }

    pub(crate) fn stored(what: &'static str) -> Self {
        Self::Stored(what)
    }

    pub(crate) fn conflict(why: impl Into<String>) -> Self {
        Self::Conflict(why.into())
    }

    /// One wrong field.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// A stable code for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Store(_) | Self::Artifacts(_) | Self::Request(_) | Self::Unavailable(_) => "unavailable",
            Self::Stored(_) => "internal",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Invalid(_) => "invalid_fields",
            Self::InvalidRows { .. } => "invalid_rows",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::Slow => "request_timeout",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::InsufficientBalance(_) => "insufficient_balance",
            Self::Fenced => "fenced",
        }
    }

    /// Whether the same request may succeed later with nothing changed.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Artifacts(error) => error.is_retryable(),
            Self::Request(error) => error.is_retryable(),
            Self::Unavailable(_) => true,
            _ => false,
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl From<anneal_artifacts::KeyError> for Error {
    fn from(error: anneal_artifacts::KeyError) -> Self {
        Self::field("path", error.to_string())
    }
}

impl From<anneal_domain::task::TransitionError> for Error {
    fn from(error: anneal_domain::task::TransitionError) -> Self {
        Self::Conflict(format!("a {} task cannot {}", error.from.as_str(), error.what))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Fenced) {
            return Self::fenced();
        }
        if matches!(error, Error::Store(_) | Error::Stored(_)) {
            tracing::error!(%error, "a request over the broker failed");
        }
        let message = match &error {
            Error::Store(_) => "the database failed; try again".to_owned(),
            other => other.to_string(),
        };
        Self { code: error.code().to_owned(), message, retryable: error.is_retryable() }
    }
}
