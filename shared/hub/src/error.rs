//! What can go wrong between us and the hub, each in words that say what to do.

use std::path::PathBuf;

/// Nothing usable came from the hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The settings name no hub.
    #[error("this platform is connected to no hub: its settings name none")]
    NotConfigured,
    /// Not a repository's name.
    #[error("`{0}` is no repository of a hub: give `organisation/name`")]
    InvalidRepo(String),
    /// Not a revision's name.
    #[error("`{0}` is no revision: give a branch, a tag or a commit")]
    InvalidRevision(String),
    /// The hub knows no such repository, or does not show it to us.
    #[error(
        "the hub shows no {kind} `{repo}`: the name is wrong, or it is private and the platform's token may not read it"
    )]
    UnknownRepo {
        /// `model` or `dataset`.
        kind: &'static str,
        /// The repository.
        repo: String,
    },
    /// The repository has no such revision.
    #[error("`{repo}` has no revision `{revision}`")]
    UnknownRevision {
        /// The repository.
        repo: String,
        /// What was asked for.
        revision: String,
    },
    /// Its terms must be accepted first.
    #[error(
        "`{0}` is gated: accept its terms on the hub with the account of the platform's token, and give that token"
    )]
    Gated(String),
    /// The token is no good.
    #[error("the hub refuses the platform's token")]
    BadToken,
    /// Nothing in it can be used.
    #[error("`{repo}`: {why}")]
    Unusable {
        /// The repository.
        repo: String,
        /// Why, and what to do.
        why: String,
    },
    /// The hub cannot be reached, or breaks off.
    #[error("the hub cannot be reached: {0}")]
    Unreachable(String),
    /// The hub answers with a failure.
    #[error("the hub answers {status} to `{path}`")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// What was asked.
        path: String,
    },
    /// The hub's answer cannot be understood.
    #[error("the hub's answer to `{path}` cannot be understood: {why}")]
    Malformed {
        /// What was asked.
        path: String,
        /// Why.
        why: String,
    },
    /// A file is not what the hub says it is.
    #[error("`{path}` came with another {what} than the hub names: {came} instead of {named}")]
    Corrupt {
        /// The file.
        path: String,
        /// `size`, `sha256` or `git hash`.
        what: &'static str,
        /// What came.
        came: String,
        /// What was to come.
        named: String,
    },
    /// The disk does not take it.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The local file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl HubError {
    /// Whether the same request may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Corrupt { .. } | Self::Disk { .. } => true,
            Self::Failed { status, .. } => *status == 408 || *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

impl From<reqwest::Error> for HubError {
    fn from(error: reqwest::Error) -> Self {
        // The innermost cause is the telling one, and no error may carry a signed address.
        let error = error.without_url();
        let mut why = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        Self::Unreachable(why)
    }
}
