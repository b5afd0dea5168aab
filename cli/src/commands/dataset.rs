//! Datasets.

use std::path::PathBuf;

use anneal_domain::id::DatasetId;
use clap::Subcommand;
use reqwest::Method;

use super::Page;
use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Upload a file; every row is checked.
    Upload {
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
        #[arg(long)]
        dataset: Option<DatasetId>,
    },
    /// List datasets.
    List {
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

pub(crate) async fn run(command: DatasetCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        DatasetCommand::Upload { file, name, kind, format, skip_invalid, dataset } => {
            let text = |os: Option<&std::ffi::OsStr>| os.map(|os| os.to_string_lossy().into_owned());
            let mut query = vec![("skip_invalid", skip_invalid.to_string())];
            let filename = text(file.file_name());
            let given = [
                ("name", name.or_else(|| text(file.file_stem()))),
                ("filename", filename),
                ("kind", kind),
                ("format", format),
                ("dataset", dataset.map(|dataset| dataset.to_string())),
            ];
            query.extend(given.into_iter().filter_map(|(key, value)| Some((key, value?))));
            let request = api.request(Method::POST, "datasets").query(&query);
            output.show(&api.upload(request, &file).await?)
        }
        DatasetCommand::List { page } => output.list(
            &api.get("datasets", &page.query()).await?,
            &["id", "name", "kind", "format", "version", "rows", "size_bytes", "created_at"],
        ),
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
