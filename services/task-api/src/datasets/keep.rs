//! Checked files become a version of a dataset: stored as a folder of their own, beside those of the version before that stay.

use anneal_artifacts::{ManifestFile, ObjectStore, Prefix};
use anneal_domain::{
    Name,
    id::{DatasetId, RequestId, WorkspaceId},
};
use serde_json::Value;

use super::{Checked, DatasetRow, NewVersion, StoredFile, Wanted};
use crate::{
    Error,
    store::{from_json, to_json},
};

/// Rows of a preview, and row errors, that are kept of all files together.
const KEPT_ROWS: usize = 20;
const KEPT_ERRORS: usize = 50;

/// A version as it is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The dataset that gets another version; none makes a new one.
    pub(crate) known: Option<DatasetRow>,
    /// The name of a new one.
    pub(crate) name: Option<Name>,
    pub(crate) wanted: Wanted,
    pub(crate) builtin: bool,
    /// The one file is this split; those of the other splits stay.
    pub(crate) split: Option<String>,
    /// The name of a single file.
    pub(crate) file_name: String,
}

impl Plan {
    /// The name of a single file: its own, or that of its split with its own ending.
    pub(crate) fn stored_name(&self) -> String {
        let ending = self.file_name.split_once('.').map(|(_, ending)| ending);
        match (&self.split, ending) {
            (Some(split), Some(ending)) => format!("{split}.{ending}"),
            (Some(split), None) => split.clone(),
            (None, _) => self.file_name.clone(),
        }
    }

    /// Files of the version before that stay beside the new ones.
    fn kept(&self) -> Result<Vec<StoredFile>, Error> {
        let (Some(known), Some(split)) = (&self.known, &self.split) else { return Ok(Vec::new()) };
        let is_replaced = |file: &StoredFile| {
            file.path.split_once('.').map_or(file.path.as_str(), |(stem, _)| stem) == split
        };
        Ok(known.files()?.into_iter().filter(|file| !is_replaced(file)).collect())
    }
}

/// Stores the files; the version is written by whoever commits it.
pub(crate) async fn keep(
    objects: &ObjectStore,
    workspace: WorkspaceId,
    plan: Plan,
    checked: Vec<Checked>,
) -> Result<NewVersion, Error> {
    let dataset = match &plan.known {
        Some(row) => row.id.parse().map_err(|_| Error::stored("dataset id"))?,
        None => DatasetId::new(),
    };
    let version = plan.known.as_ref().map_or(1, |row| row.version + 1);
    // An object never changes: two uploads at once never share a folder.
    let unique = RequestId::new();
    let prefix = Prefix::dataset(workspace, dataset).join(&format!("{version}/{unique}"))?;
    let mut files = plan.kept()?;
    let mut entries = kept_entries(objects, &plan, &files).await?;
    let (mut preview, mut errors) = (Vec::new(), Vec::new());
    for file in &checked {
        let stored = objects.put_file(&prefix.file(&file.path)?, &file.local).await?;
        files.push(StoredFile::new(file, &stored));
        entries.push(ManifestFile {
            path: file.path.clone(),
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
            object: None,
        });
        preview.extend(values(&file.report.preview)?);
        errors.extend(values(&file.report.first_errors)?);
    }
    if let Some(known) = plan.known.as_ref().filter(|_| plan.split.is_some()) {
        preview.extend(from_json::<Vec<Value>>(&known.preview, "preview")?);
        errors.extend(from_json::<Vec<Value>>(&known.errors, "row errors")?);
    }
    preview.truncate(KEPT_ROWS);
    errors.truncate(KEPT_ERRORS);
    let folder = objects.put_manifest(&prefix, entries).await?;
    let report = checked.into_iter().next().map(|file| file.report).ok_or(Error::stored("upload"))?;
    Ok(NewVersion {
        workspace,
        dataset,
        name: plan.name,
        builtin: plan.builtin,
        version,
        kind: report.kind.name().to_owned(),
        layout: report.layout.name().to_owned(),
        evidence: report.evidence,
        files,
        preview,
        errors,
        prefix: prefix.as_str().to_owned(),
        manifest_sha256: folder.manifest_sha256,
    })
}

/// The manifest's entries of files that stay: their objects lie where they were stored first.
async fn kept_entries(
    objects: &ObjectStore,
    plan: &Plan,
    kept: &[StoredFile],
) -> Result<Vec<ManifestFile>, Error> {
    let Some(known) = plan.known.as_ref().filter(|_| !kept.is_empty()) else { return Ok(Vec::new()) };
    let (prefix, kind) = (known.prefix()?, plan.wanted.kind);
    if kind.is_some_and(|kind| kind.name() != known.kind) {
        return Err(Error::field("kind", format!("the dataset's other splits are {}", known.kind)));
    }
    let manifest = objects.manifest(&prefix, Some(&known.manifest_sha256)).await?;
    let stays = |file: &ManifestFile| kept.iter().any(|kept| kept.path == file.path);
    let entry = |file: ManifestFile| -> Result<ManifestFile, Error> {
        let object = Some(file.key(&prefix)?);
        Ok(ManifestFile { object, ..file })
    };
    manifest.files.into_iter().filter(stays).map(entry).collect()
}

fn values<T: serde::Serialize>(rows: &[T]) -> Result<Vec<Value>, Error> {
    from_json(&to_json(rows)?, "rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_gives_its_name() {
        let named = |split: Option<&str>, file_name: &str| {
            let plan = Plan {
                known: None,
                name: None,
                wanted: Wanted::default(),
                builtin: false,
                split: split.map(str::to_owned),
                file_name: file_name.to_owned(),
            };
            plan.stored_name()
        };
        assert_eq!(named(Some("train"), "gsm8k.jsonl.gz"), "train.jsonl.gz");
        assert_eq!(named(Some("train"), "data"), "train");
        assert_eq!(named(None, "rows.csv"), "rows.csv");
    }
}
