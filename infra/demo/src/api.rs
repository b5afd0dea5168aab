//! A small client of the public API; every refusal becomes an error that says what the platform said.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

/// The public API with an admin's key.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl Api {
    /// An API at `url`.
    pub(crate) fn new(url: &str, key: &str) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(600)).build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), key: key.to_owned() })
    }

    /// `GET path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        json(self.request(Method::GET, path)).await
    }

    /// Every item of a list, page by page; `path` may have a query.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = self.request(Method::GET, path).query(&[("limit", "100")]);
            let request =
                request.query(&cursor.map(|cursor| ("cursor", cursor)).into_iter().collect::<Vec<_>>());
            let mut page = json(request).await?;
            match page["data"].take() {
                Value::Array(data) => items.extend(data),
                _ => bail!("{path} answered no list: {page}"),
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || page["has_more"] != true {
                return Ok(items);
            }
        }
    }

    /// `DELETE path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        json(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(self.request(Method::POST, path).json(body)).await
    }

    /// `POST path` with a file as its body.
    pub(crate) async fn post_file(&self, path: &str, query: &[(&str, &str)], file: &Path) -> Result<Value> {
        json(self.request(Method::POST, path).query(query).body(body_of(file).await?)).await
    }

    /// `PUT path` with a file as its body.
    pub(crate) async fn put_file(&self, path: &str, file: &Path) -> Result<Value> {
        json(self.request(Method::PUT, path).body(body_of(file).await?)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }
}

async fn body_of(file: &Path) -> Result<reqwest::Body> {
    let file =
        tokio::fs::File::open(file).await.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::with_capacity(file, 1 << 18)))
}

async fn json(request: RequestBuilder) -> Result<Value> {
    let response: Response = request.send().await?;
    let (status, url) = (response.status(), response.url().path().to_owned());
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("{url} answered no JSON: {text}"))
}
