//! Imports from a hub: asked for, and waited for.

use std::time::Duration;

use anneal_domain::id::ImportId;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::{client::Api, failure::Failure, output::Output};

/// How often a running import is asked how far it is.
const PERIOD: Duration = Duration::from_millis(500);

/// What of a repository on the hub is wanted; the repository itself is the command's `--hub`.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A branch, a tag or a commit; `main` when absent.
    #[arg(long, requires = "hub")]
    revision: Option<String>,
    /// A file of the repository to take, and no other; may be given several times.
    #[arg(long = "file", requires = "hub", value_name = "PATH")]
    files: Vec<String>,
}

impl Place {
    /// The request for it; `more` are fields of the kind's own, left out where they are null.
    pub(crate) fn request(&self, kind: &str, hub: &str, more: Value) -> Value {
        let mut request = json!({ "kind": kind, "hub": hub, "revision": self.revision, "files": self.files });
        if let (Some(fields), Value::Object(more)) = (request.as_object_mut(), more) {
            fields.extend(more);
            fields.retain(|_, value| !value.is_null());
        }
        request
    }
}

/// Asks for an import and stays until its model or dataset is there, which is shown.
pub(crate) async fn import(api: &Api, output: &Output, request: &Value, shown: &str) -> Result<(), Failure> {
    let mut import = api.post("imports", request).await?;
    let id = import["id"].as_str().and_then(|id| id.parse::<ImportId>().ok());
    let id = id.ok_or_else(|| Failure::Failed("the server gave the import no id".to_owned()))?;
    let bar = ProgressBar::no_length();
    let template = "{msg:24!} {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} ETA {eta}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(request["hub"].as_str().unwrap_or_default().to_owned());
    loop {
        match import["state"].as_str() {
            Some("done") => break,
            Some("failed") => {
                bar.finish_and_clear();
                let why = import["failure"].as_str().unwrap_or("it failed").to_owned();
                return Err(Failure::Failed(why));
            }
            _ => {}
        }
        bar.set_length(import["total_bytes"].as_u64().unwrap_or_default());
        bar.set_position(import["done_bytes"].as_u64().unwrap_or_default());
        tokio::time::sleep(PERIOD).await;
        import = api.get(&format!("imports/{id}"), &[]).await?;
    }
    bar.finish_and_clear();
    let made = import["resource"].as_str().unwrap_or_default();
    output.show(&api.get(&format!("{shown}/{made}"), &[]).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_given_is_not_sent() {
        let place = Place { revision: None, files: Vec::new() };
        let request = place.request("dataset", "a/b", json!({ "config": "main", "split": null }));
        assert_eq!(request, json!({ "kind": "dataset", "hub": "a/b", "files": [], "config": "main" }));
    }
}
