//! Names of repositories and revisions. What a caller sends can form no other path of the hub.

use std::{fmt, str::FromStr};

use crate::HubError;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepoKind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
}

impl RepoKind {
    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// Its part of the hub's API.
    pub(crate) const fn api(self) -> &'static str {
        match self {
            Self::Model => "api/models",
            Self::Dataset => "api/datasets",
        }
    }

    /// What comes before the repository's name where its files lie.
    pub(crate) const fn root(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }
}

/// A repository's name: `organisation/name`, or a name alone as the oldest ones have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo(String);

/// Characters of the longest name.
const LONGEST: usize = 96;

impl Repo {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for Repo {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.contains("..")
                && !part.starts_with(['.', '-'])
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let sound = text.len() <= LONGEST && text.split('/').count() <= 2 && text.split('/').all(is_part);
        if sound { Ok(Self(text.to_owned())) } else { Err(HubError::InvalidRepo(shown(text))) }
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// As it stands in a path: one segment.
    pub(crate) fn segment(&self) -> String {
        self.0.replace('/', "%2F")
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for Revision {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
        let sound = (1..=200).contains(&text.len())
            && text.bytes().all(plain)
            && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(".."));
        if sound { Ok(Self(text.to_owned())) } else { Err(HubError::InvalidRevision(shown(text))) }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A caller's text, as far as it is shown back.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn names_form_no_other_path() {
        for good in ["gpt2", "org/name", "HuggingFaceTB/SmolLM2-135M", "a/b.c_d"] {
            assert_eq!(good.parse::<Repo>().unwrap().as_str(), good);
        }
        for bad in
            ["", "/", "a/", "a/b/c", "../x", "a/..", "a b/c", "a/b?x=1", "a/b#c", "https://x/y", "a/%2e%2e"]
        {
            assert!(bad.parse::<Repo>().is_err(), "{bad}");
        }
        assert_eq!("refs/convert/parquet".parse::<Revision>().unwrap().segment(), "refs%2Fconvert%2Fparquet");
        for bad in ["", "..", "a/../b", "/main", "main/", "a b", "x?y"] {
            assert!(bad.parse::<Revision>().is_err(), "{bad}");
        }
    }
}
