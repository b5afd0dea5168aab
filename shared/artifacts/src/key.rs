//! Object keys: `<workspace>/<kind>/<id>/…`, built from typed ids and checked names only.

use std::fmt;

use anneal_domain::id::{CheckpointId, DatasetId, ModelId, RequestId, TaskId, WorkspaceId};
use serde::{Deserialize, Serialize};

/// Longest file name part of a key.
const LONGEST_NAME: usize = 255;
/// Longest key S3 stores.
const LONGEST_KEY: usize = 1024;

/// Text that cannot form a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name an object: use relative paths of plain names")]
pub struct KeyError(String);

impl KeyError {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.chars().take(200).collect())
    }
}

/// The key of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// What the keys of a folder begin with, without the `/` at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

impl Prefix {
    /// Everything of a workspace.
    pub fn workspace(workspace: WorkspaceId) -> Self {
        Self(workspace.to_string())
    }

    /// Everything of a task.
    pub fn task(workspace: WorkspaceId, task: TaskId) -> Self {
        Self(format!("{workspace}/task/{task}"))
    }

    /// A dataset's files.
    pub fn dataset(workspace: WorkspaceId, dataset: DatasetId) -> Self {
        Self(format!("{workspace}/dataset/{dataset}"))
    }

    /// An imported model's files.
    pub fn model(workspace: WorkspaceId, model: ModelId) -> Self {
        Self(format!("{workspace}/model/{model}"))
    }

    /// One upload of a task's checkpoint; `upload` makes it unique, so that nothing is ever written over.
    #[must_use]
    pub fn checkpoint(&self, checkpoint: CheckpointId, upload: RequestId) -> Self {
        Self(format!("{}/checkpoint/{checkpoint}/{upload}", self.0))
    }

    /// What a task published under one lease epoch, by role such as `model` or `results`.
    pub fn artifact(&self, epoch: u64, role: &str) -> Result<Self, KeyError> {
        self.join(&format!("artifact/{epoch}/{role}"))
    }

    /// The log of a task's stage, without its ending (`.jsonl`, `.log`).
    #[must_use]
    pub fn stage_log(&self, epoch: u64, place: u64, stage: &str) -> Self {
        let safe: String = stage
            .chars()
            .take(64)
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
            .collect();
        Self(format!("{}/log/{epoch}/{place:03}-{safe}", self.0))
    }

    /// A folder below this one.
    pub fn join(&self, path: &str) -> Result<Self, KeyError> {
        check(path)?;
        checked(format!("{}/{path}", self.0)).map(Self)
    }

    /// A file below this folder; `path` is relative, of plain names.
    pub fn file(&self, path: &str) -> Result<Key, KeyError> {
        check(path)?;
        checked(format!("{}/{path}", self.0)).map(Key)
    }

    /// The same text with an ending such as `.jsonl`, as a key.
    pub fn with_ending(&self, ending: &str) -> Result<Key, KeyError> {
        Key::try_from(format!("{}{ending}", self.0))
    }

    /// Reads back what [`Prefix::as_str`] gave.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Self::try_from(text.to_owned())
    }

    /// What it is a part of: `<workspace>/<kind>/<id>`.
    pub(crate) fn thing(&self) -> &str {
        thing(&self.0)
    }

    /// Whether everything under it belongs to the workspace.
    pub fn belongs_to(&self, workspace: WorkspaceId) -> bool {
        self.0.split('/').next() == Some(workspace.to_string().as_str())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first three parts of a key.
fn thing(text: &str) -> &str {
    text.match_indices('/').nth(2).map_or(text, |(end, _)| &text[..end])
}

impl Key {
    pub(crate) fn thing(&self) -> &str {
        thing(&self.0)
    }

    /// Whether it is the prefix's own or lies below it.
    pub fn is_below(&self, prefix: &Prefix) -> bool {
        self.0.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A relative path of plain names: no empty, `.` or `..` part, no backslash, no control characters.
pub(crate) fn check(path: &str) -> Result<(), KeyError> {
    let plain = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && name.len() <= LONGEST_NAME
            && !name.chars().any(|c| c.is_control() || c == '\\')
    };
    if path.split('/').all(plain) { Ok(()) } else { Err(KeyError::of(path)) }
}

fn checked(text: String) -> Result<String, KeyError> {
    check(&text)?;
    if text.len() <= LONGEST_KEY { Ok(text) } else { Err(KeyError::of(&text)) }
}

macro_rules! text_forms {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = KeyError;

            fn try_from(text: String) -> Result<Self, KeyError> {
                checked(text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_forms!(Key);
text_forms!(Prefix);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_its_folder_is_refused() {
        let prefix = Prefix::task(WorkspaceId::from_u128(1), TaskId::from_u128(2));
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\nb", "a\0"] {
            assert!(prefix.file(bad).is_err(), "{bad:?} was accepted");
            assert!(Key::try_from(bad.to_owned()).is_err(), "{bad:?} was accepted");
        }
        let key = prefix.file("tensorboard/事件.out").unwrap();
        assert!(key.as_str().ends_with("/tensorboard/事件.out"));
        assert!(prefix.belongs_to(WorkspaceId::from_u128(1)));
        assert!(!prefix.belongs_to(WorkspaceId::from_u128(3)));
        assert_eq!(Prefix::parse(prefix.as_str()).unwrap(), prefix);
    }

    #[test]
    fn a_manifest_leads_to_objects_of_its_own_thing_only() {
        let root = Prefix::model(WorkspaceId::from_u128(1), ModelId::from_u128(2));
        let folder = root.join("manifest/one").unwrap();
        let file = |object: Option<Key>| crate::ManifestFile {
            path: "a.gguf".to_owned(),
            size_bytes: 1,
            sha256: "00".to_owned(),
            object,
        };
        assert_eq!(file(None).key(&folder).unwrap(), folder.file("a.gguf").unwrap());
        let own = root.file("file/two/a.gguf").unwrap();
        assert_eq!(file(Some(own.clone())).key(&folder).unwrap(), own);
        let other = Prefix::model(WorkspaceId::from_u128(1), ModelId::from_u128(3)).file("a.gguf").unwrap();
        assert!(file(Some(other)).key(&folder).is_err());
        assert!(own.is_below(&root) && own.is_below(&root.join("file/two").unwrap()));
        assert!(!own.is_below(&root.join("file/tw").unwrap()));
    }

    #[test]
    fn a_stage_name_cannot_form_a_path() {
        let prefix = Prefix::task(WorkspaceId::from_u128(1), TaskId::from_u128(2));
        assert!(prefix.stage_log(3, 1, "../../x y").as_str().ends_with("/log/3/001-______x_y"));
    }
}
