//! A client of the HTTP API.

mod sse;
mod transfer;

use reqwest::{Method, RequestBuilder, Response, header::ACCEPT};
use serde_json::Value;

pub(crate) use sse::Events;

use crate::{failure::Failure, settings::Resolved};

/// The HTTP API of one server, with one key.
pub(crate) struct Api {
    http: reqwest::Client,
    server: String,
    key: String,
}

impl Api {
    /// Nothing is sent before the first request.
    pub(crate) fn new(connection: &Resolved) -> Result<Self, Failure> {
        // A second call in one process finds the provider in place, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http =
            reqwest::Client::builder().user_agent(concat!("anneal/", env!("CARGO_PKG_VERSION"))).build()?;
        Ok(Self { http, server: connection.server.clone(), key: connection.key.clone() })
    }

    /// A request to a path below `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1/{path}", self.server)).bearer_auth(&self.key)
    }

    /// A request to a path of the OpenAI-compatible API.
    pub(crate) fn openai(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}/v1/{path}", self.server)).bearer_auth(&self.key)
    }

    /// `GET path?query`.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        json(checked(self.request(Method::GET, path).query(query)).await?).await
    }

    /// `POST path` with a JSON body, once however often the network stumbles.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).header("Idempotency-Key", fresh_key()?).json(body);
        json(checked(request).await?).await
    }

    /// `PATCH path` with a JSON body.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        json(checked(self.request(Method::PATCH, path).json(body)).await?).await
    }

    /// `DELETE path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        checked(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// A stream of events.
    pub(crate) async fn events(&self, request: RequestBuilder) -> Result<Events, Failure> {
        Ok(Events::new(checked(request.header(ACCEPT, "text/event-stream")).await?))
    }
}

/// Sends; a refusal is a [`Failure`] that says what the API said.
pub(crate) async fn checked(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(Failure::from_answer(status.as_u16(), &body))
}

/// The body as JSON; nothing is `null`.
pub(crate) async fn json(response: Response) -> Result<Value, Failure> {
    let body = response.bytes().await?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body)
        .map_err(|error| Failure::Failed(format!("the server sent no JSON: {error}")))
}

fn fresh_key() -> Result<String, Failure> {
    use std::io::Read;
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}
