//! What is asked of a hub, and the rules of it.

use anneal_datasets::{Format, Kind};
use anneal_domain::{FieldError, Name, field_error::FieldErrors};
use anneal_hub::{Repo, Revision};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest list of files.
const MOST_FILES: usize = 256;

/// A model or a dataset to import from the hub that the platform is connected to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HubImport {
    /// `model` or `dataset`.
    pub(crate) kind: ImportKind,
    /// The repository, as `organisation/name`.
    pub(crate) hub: String,
    /// A branch, a tag or a commit; `main` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
    /// These files and no others; chosen by their names when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<String>,
    /// Its name here; the repository's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The platform's own, for every workspace: admins of the first workspace only.
    #[serde(default)]
    pub(crate) builtin: bool,
    /// A dataset's configuration: the folder its files lie in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<String>,
    /// Only this split of a dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<String>,
    /// A dataset's kind: `pretrain`, `sft`, `preference` or `evaluation`; detected when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataset_kind: Option<String>,
    /// A dataset's format; detected when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<String>,
    /// Leave invalid rows of a dataset out instead of refusing it.
    #[serde(default)]
    pub(crate) skip_invalid: bool,
}

/// What an import makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImportKind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
}

impl HubImport {
    /// Every field that breaks a rule.
    pub(crate) fn validate(&self) -> Vec<FieldError> {
        let mut errors = FieldErrors::default();
        let told = |wrong: Option<String>, field: &str, errors: &mut FieldErrors| {
            errors.require(wrong.is_none(), field, wrong.unwrap_or_default());
        };
        told(self.repo().err().map(|error| error.to_string()), "hub", &mut errors);
        told(self.revision().err().map(|error| error.to_string()), "revision", &mut errors);
        told(self.name().err().map(|error| error.to_string()), "name", &mut errors);
        told(self.kind_of_rows().err(), "dataset_kind", &mut errors);
        told(self.format_of_rows().err(), "format", &mut errors);
        errors.require(self.files.len() <= MOST_FILES, "files", "at most 256 files");
        if self.kind == ImportKind::Model {
            for (given, field) in [
                (self.config.is_some(), "config"),
                (self.split.is_some(), "split"),
                (self.dataset_kind.is_some(), "dataset_kind"),
                (self.format.is_some(), "format"),
                (self.skip_invalid, "skip_invalid"),
            ] {
                errors.require(!given, field, "belongs to a dataset only");
            }
        }
        errors.into_vec()
    }

    /// The repository.
    pub(crate) fn repo(&self) -> Result<Repo, anneal_hub::HubError> {
        self.hub.parse()
    }

    /// The revision.
    pub(crate) fn revision(&self) -> Result<Revision, anneal_hub::HubError> {
        self.revision.as_deref().map_or_else(|| Ok(Revision::default()), str::parse)
    }

    /// Its name here.
    pub(crate) fn name(&self) -> Result<Name, anneal_domain::name::InvalidName> {
        let own = || self.hub.rsplit('/').next().unwrap_or(&self.hub).to_owned();
        Name::try_from(self.name.clone().unwrap_or_else(own))
    }

    /// The kind of a dataset's rows.
    pub(crate) fn kind_of_rows(&self) -> Result<Option<Kind>, String> {
        self.dataset_kind.as_deref().map(str::parse).transpose()
    }

    /// The format of a dataset's files.
    pub(crate) fn format_of_rows(&self) -> Result<Option<Format>, String> {
        self.format.as_deref().map(str::parse).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_wrong_field_is_named() {
        let fields = |value| -> Vec<String> {
            let import: HubImport = serde_json::from_value(value).unwrap();
            import.validate().into_iter().map(|error| error.field).collect()
        };
        assert!(fields(json!({"kind": "dataset", "hub": "openai/gsm8k", "config": "main"})).is_empty());
        assert_eq!(
            fields(
                json!({"kind": "model", "hub": "../etc/passwd", "revision": "a b", "name": "\n", "split": "test"})
            ),
            ["hub", "revision", "name", "split"]
        );
        assert_eq!(
            fields(json!({"kind": "dataset", "hub": "a/b", "dataset_kind": "x", "format": "y"})),
            ["dataset_kind", "format"]
        );
    }
}
