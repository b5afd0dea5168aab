//! Files to and from the server, with a progress bar.

use std::path::Path;

use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::{Api, checked, json};
use crate::failure::Failure;

const PIECE: usize = 1 << 20;

impl Api {
    /// Sends a file as the body.
    pub(crate) async fn upload(&self, request: RequestBuilder, file: &Path) -> Result<Value, Failure> {
        let opened = tokio::fs::File::open(file)
            .await
            .map_err(|error| Failure::Invalid(format!("{}: {error}", file.display())))?;
        let size = opened.metadata().await?.len();
        let bar = bar(size, &name(file));
        let counted = bar.clone();
        let pieces = ReaderStream::with_capacity(opened, PIECE)
            .inspect(move |piece| counted.inc(piece.as_ref().map_or(0, |piece| piece.len() as u64)));
        let body = reqwest::Body::wrap_stream(pieces);
        let request =
            request.header("Content-Length", size).header("Content-Type", "application/octet-stream");
        let answer = checked(request.body(body)).await;
        bar.finish_and_clear();
        json(answer?).await
    }

    /// Receives a file; an existing one is replaced only when the whole has come.
    pub(crate) async fn download(&self, path: &str, to: &Path) -> Result<(), Failure> {
        let response = checked(self.request(Method::GET, path)).await?;
        let partial = to.with_file_name(format!(".{}.part", name(to)));
        let received = receive(response, &partial, &name(to)).await;
        if received.is_err() {
            tokio::fs::remove_file(&partial).await.ok();
        }
        received?;
        Ok(tokio::fs::rename(&partial, to).await?)
    }
}

async fn receive(mut response: Response, to: &Path, name: &str) -> Result<(), Failure> {
    let bar = bar(response.content_length().unwrap_or_default(), name);
    let mut file = tokio::fs::File::create(to).await?;
    while let Some(piece) = response.chunk().await? {
        bar.inc(piece.len() as u64);
        file.write_all(&piece).await?;
    }
    file.sync_all().await?;
    bar.finish_and_clear();
    Ok(())
}

fn bar(size: u64, name: &str) -> ProgressBar {
    let bar = if size > 0 { ProgressBar::new(size) } else { ProgressBar::no_length() };
    let template = "{msg:24!} {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} ETA {eta}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name.to_owned());
    bar
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
}
