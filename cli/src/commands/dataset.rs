//! Datasets.

use std::path::PathBuf;

use anneal_domain::id::DatasetId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::{
    Page,
    hub::{self, Place},
};
use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Upload a file; every row is checked.
    Upload(Upload),
    /// Import a dataset of the hub; every row is checked.
    Import(Import),
    /// List datasets.
    List {
        /// `pretrain`, `sft`, `preference` or `evaluation`.
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Show a dataset.
    Show {
        /// The dataset.
        dataset: DatasetId,
    },
    /// Its first rows.
    Preview {
        /// The dataset.
        dataset: DatasetId,
        /// How many.
        #[arg(long, default_value_t = 5)]
        limit: u32,
    },
    /// Delete a dataset.
    Delete {
        /// The dataset.
        dataset: DatasetId,
    },
}

/// A file, and what is known of it.
#[derive(Debug, Args)]
pub(crate) struct Upload {
    /// The file.
    file: PathBuf,
    /// Its name; that of the file when absent.
    #[arg(long)]
    name: Option<String>,
    /// `pretrain`, `sft`, `preference` or `evaluation`; found out when absent.
    #[arg(long)]
    kind: Option<String>,
    /// Such as `jsonl`; found out when absent.
    #[arg(long)]
    format: Option<String>,
    /// Leave out rows that are broken instead of refusing the file.
    #[arg(long)]
    skip_invalid: bool,
    /// Add a version to this dataset.
    #[arg(long, conflicts_with_all = ["name", "builtin"])]
    dataset: Option<DatasetId>,
    /// Register it as one of the platform's own (admins of the first workspace only).
    #[arg(long)]
    builtin: bool,
}

/// A dataset of the hub, and what is known of it.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Its repository on the hub.
    #[arg(long, value_name = "ORG/NAME")]
    hub: String,
    #[command(flatten)]
    place: Place,
    /// Its name here; the repository's when absent.
    #[arg(long)]
    name: Option<String>,
    /// Its configuration: the folder its files lie in.
    #[arg(long)]
    config: Option<String>,
    /// Only this split.
    #[arg(long)]
    split: Option<String>,
    /// `pretrain`, `sft`, `preference` or `evaluation`; found out when absent.
    #[arg(long)]
    kind: Option<String>,
    /// Such as `parquet`; found out when absent.
    #[arg(long)]
    format: Option<String>,
    /// Leave out rows that are broken instead of refusing the files.
    #[arg(long)]
    skip_invalid: bool,
    /// Register it as one of the platform's own (admins of the first workspace only).
    #[arg(long)]
    builtin: bool,
}

pub(crate) async fn run(command: DatasetCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        DatasetCommand::Upload(given) => upload(given, api, output).await,
        DatasetCommand::Import(given) => {
            let Import { hub: repo, place, name, config, split, kind, format, skip_invalid, builtin } = given;
            let more = json!({ "name": name, "config": config, "split": split, "dataset_kind": kind,
                               "format": format, "skip_invalid": skip_invalid, "builtin": builtin });
            hub::import(api, output, &place.request("dataset", &repo, more), "datasets").await
        }
        DatasetCommand::List { kind, page } => {
            let mut query = page.query();
            query.extend(kind.map(|kind| ("kind", kind)));
            output.list(
                &api.get("datasets", &query).await?,
                &["id", "name", "kind", "format", "version", "rows", "size_bytes", "created_at"],
            )
        }
        DatasetCommand::Show { dataset } => output.show(&api.get(&format!("datasets/{dataset}"), &[]).await?),
        DatasetCommand::Preview { dataset, limit } => {
            let query = [("limit", limit.to_string())];
            output.value(&api.get(&format!("datasets/{dataset}/preview"), &query).await?)
        }
        DatasetCommand::Delete { dataset } => {
            api.delete(&format!("datasets/{dataset}")).await?;
            output.done(&format!("deleted {dataset}"))
        }
    }
}

async fn upload(given: Upload, api: &Api, output: &Output) -> Result<(), Failure> {
    let request = api.request(Method::POST, "datasets").query(&given.query());
    output.show(&api.upload(request, &given.file).await?)
}

impl Upload {
    /// As query parameters; what was not given is not sent.
    fn query(&self) -> Vec<(&'static str, String)> {
        let text = |os: Option<&std::ffi::OsStr>| os.map(|os| os.to_string_lossy().into_owned());
        let name = self.name.clone().or_else(|| text(self.file.file_stem()));
        let given = [
            ("name", name.filter(|_| self.dataset.is_none())),
            ("filename", text(self.file.file_name())),
            ("kind", self.kind.clone()),
            ("format", self.format.clone()),
            ("dataset", self.dataset.map(|dataset| dataset.to_string())),
            ("skip_invalid", self.skip_invalid.then(|| true.to_string())),
            ("builtin", self.builtin.then(|| true.to_string())),
        ];
        given.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(dataset: Option<DatasetId>, builtin: bool) -> Upload {
        let file = PathBuf::from("data/questions.jsonl");
        Upload { file, name: None, kind: None, format: None, skip_invalid: false, dataset, builtin }
    }

    #[test]
    fn a_new_dataset_is_named_after_its_file_and_a_version_is_not() {
        let query = upload(None, true).query();
        let pair = |key, value: &str| (key, value.to_owned());
        let name = [pair("name", "questions"), pair("filename", "questions.jsonl"), pair("builtin", "true")];
        assert_eq!(query, name);
        let dataset = DatasetId::new();
        let query = upload(Some(dataset), false).query();
        assert_eq!(query, [pair("filename", "questions.jsonl"), pair("dataset", &dataset.to_string())]);
    }
}
