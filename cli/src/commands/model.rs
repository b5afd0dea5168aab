//! Models.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anneal_domain::id::{ModelId, TaskId};
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Page,
    hub::{self, Place},
};
use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Import a Hugging Face folder (safetensors) or a GGUF file, from this machine or from the hub.
    Import {
        /// The folder or file.
        #[arg(required_unless_present = "hub", conflicts_with_all = ["hub", "revision", "files"])]
        path: Option<PathBuf>,
        /// Its repository on the hub.
        #[arg(long, value_name = "ORG/NAME")]
        hub: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Its name; that of the folder or file when absent.
        #[arg(long)]
        name: Option<String>,
        /// For everyone (`builtin`, admins only) or for this workspace.
        #[arg(long, value_enum, default_value_t = Source::Imported)]
        source: Source,
    },
    /// List models.
    List {
        /// `builtin`, `imported`, `trained` or `compiled`.
        #[arg(long)]
        source: Option<String>,
        /// Made by this task.
        #[arg(long)]
        task: Option<TaskId>,
        #[command(flatten)]
        page: Page,
    },
    /// Show a model.
    Show {
        /// The model.
        model: ModelId,
    },
    /// Where it comes from: each model with the task that made it and the evaluations that scored it.
    Lineage {
        /// The model.
        model: ModelId,
    },
    /// Download it as a zip.
    Download {
        /// The model.
        model: ModelId,
        /// Where to; `<id>.zip` when absent.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Delete a model.
    Delete {
        /// The model.
        model: ModelId,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Source {
    Builtin,
    Imported,
}

pub(crate) async fn run(command: ModelCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        ModelCommand::Import { path: Some(path), name, source, .. } => {
            import(api, output, &path, name, source).await
        }
        ModelCommand::Import { path: None, hub: repo, place, name, source } => {
            let repo = repo.unwrap_or_default();
            let more = json!({ "name": name, "builtin": matches!(source, Source::Builtin) });
            hub::import(api, output, &place.request("model", &repo, more), "models").await
        }
        ModelCommand::List { source, task, page } => {
            let mut query = page.query();
            query.extend(source.map(|source| ("source", source)));
            query.extend(task.map(|task| ("task", task.to_string())));
            output.list(
                &api.get("models", &query).await?,
                &["id", "name", "source", "format", "state", "architecture", "size_bytes", "created_at"],
            )
        }
        ModelCommand::Show { model } => output.show(&api.get(&format!("models/{model}"), &[]).await?),
        ModelCommand::Lineage { model } => {
            output.show(&api.get(&format!("models/{model}/lineage"), &[]).await?)
        }
        ModelCommand::Download { model, output: to } => {
            let to = to.unwrap_or_else(|| PathBuf::from(format!("{model}.zip")));
            api.download(&format!("models/{model}/archive"), &to).await?;
            output.done(&format!("wrote {}", to.display()))
        }
        ModelCommand::Delete { model } => {
            api.delete(&format!("models/{model}")).await?;
            output.done(&format!("deleted {model}"))
        }
    }
}

async fn import(
    api: &Api,
    output: &Output,
    path: &Path,
    name: Option<String>,
    source: Source,
) -> Result<(), Failure> {
    let Files { sent: files, left_out } = files(path)?;
    if !left_out.is_empty() {
        writeln!(std::io::stderr(), "anneal: not sent: {}", left_out.join(", "))?;
    }
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    let name = name.or_else(|| stem.map(|stem| stem.to_string_lossy().into_owned()));
    let source = match source {
        Source::Builtin => "builtin",
        Source::Imported => "imported",
    };
    let model = api.post("models", &json!({ "name": name, "source": source })).await?;
    let id = model["id"].as_str().and_then(|id| id.parse::<ModelId>().ok());
    let id = id.ok_or_else(|| Failure::Failed("the server gave the model no id".to_owned()))?;
    let sent = send(api, id, &files).await;
    if sent.is_err() {
        // A half-sent model is of no use; that it could not be removed is not what went wrong.
        api.delete(&format!("models/{id}")).await.ok();
    }
    output.show(&sent?)
}

async fn send(api: &Api, model: ModelId, files: &[(String, PathBuf)]) -> Result<Value, Failure> {
    for (name, file) in files {
        api.upload(api.request(Method::PUT, &format!("models/{model}/files/{name}")), file).await?;
    }
    api.post(&format!("models/{model}/complete"), &json!({})).await
}

/// What is sent of a folder, by name, and what is not, with the reason.
#[derive(Debug, Default)]
struct Files {
    sent: Vec<(String, PathBuf)>,
    left_out: Vec<String>,
}

/// Of a folder its own files with plain names; a file by itself.
fn files(path: &Path) -> Result<Files, Failure> {
    let invalid = |error: std::io::Error| Failure::Invalid(format!("{}: {error}", path.display()));
    let mut paths = if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(invalid)?;
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(invalid)?
    } else {
        vec![path.to_owned()]
    };
    paths.sort();
    let mut files = Files::default();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match refusal(&name, &path) {
            Some(why) => files.left_out.push(format!("{name:?} ({why})")),
            None => files.sent.push((name, path)),
        }
    }
    if files.sent.is_empty() {
        let left_out = files.left_out.join(", ");
        return Err(Failure::Invalid(format!("{} has no model files: {left_out}", path.display())));
    }
    Ok(files)
}

fn refusal(name: &str, path: &Path) -> Option<&'static str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.starts_with('.') {
        Some("hidden")
    } else if path.is_dir() {
        Some("a folder: a model's files lie side by side")
    } else if !path.is_file() {
        Some("no file")
    } else if !name.bytes().all(is_plain) {
        Some("its name is not of letters, digits, `.`, `_` and `-`")
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sent_of_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "model-1.safetensors", ".gitattributes", "odd name.txt"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(folder.path().join("onnx")).unwrap();
        let files = files(folder.path()).unwrap();
        let sent: Vec<_> = files.sent.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(sent, ["config.json", "model-1.safetensors"]);
        for (place, name) in ["\".gitattributes\"", "\"odd name.txt\"", "\"onnx\""].iter().enumerate() {
            assert!(files.left_out[place].starts_with(name), "{:?}", files.left_out);
        }
        assert!(super::files(&folder.path().join("onnx")).is_err());
        assert!(super::files(&folder.path().join("missing")).is_err());
    }
}
