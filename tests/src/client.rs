//! A client of the public API for tests: what is not answered as expected fails the test with the answer's text.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// The public API with a key.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    /// An API at `url`.
    pub fn new(url: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { http, url: url.to_owned(), key: key.to_owned() }
    }

    /// The same API with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// A request of any shape.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// `GET`, or what went wrong.
    pub async fn try_get(&self, path: &str) -> Result<Value, String> {
        let (status, body) = send(self.request(Method::GET, path)).await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
    }

    /// `GET` that succeeds.
    pub async fn get(&self, path: &str) -> Value {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// `POST`: status and answer.
    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        send(self.request(Method::POST, path).json(body))
            .await
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// `POST` that succeeds.
    pub async fn create(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert!(status.is_success(), "POST {path}: {status}: {answer}");
        answer
    }

    /// Uploads a dataset's bytes.
    pub async fn dataset(&self, name: &str, kind: &str, bytes: String) -> String {
        let path = format!("/api/v1/datasets?name={name}&kind={kind}&filename={name}.jsonl");
        let (status, answer) = send(self.request(Method::POST, &path).body(bytes)).await.unwrap();
        assert!(status.is_success(), "dataset {name}: {status}: {answer}");
        id_of(&answer)
    }

    /// Imports every file of a folder as a model.
    pub async fn model(&self, name: &str, folder: &std::path::Path) -> String {
        let id = id_of(&self.create("/api/v1/models", &json!({"name": name, "source": "builtin"})).await);
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let file = entry.file_name().into_string().unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            let path = format!("/api/v1/models/{id}/files/{file}");
            let (status, answer) = send(self.request(Method::PUT, &path).body(bytes)).await.unwrap();
            assert!(status.is_success(), "{file}: {status}: {answer}");
        }
        self.create(&format!("/api/v1/models/{id}/complete"), &json!({})).await;
        id
    }

    /// Launches a task.
    pub async fn launch(&self, name: &str, spec: Value) -> String {
        id_of(&self.create("/api/v1/tasks", &json!({"name": name, "spec": spec})).await)
    }

    /// A task as it is now.
    pub async fn task(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/tasks/{id}")).await
    }

    /// Waits until a task has reached one of these states; fails on any other end.
    pub async fn reaches(&self, id: &str, states: &[&str], deadline: Duration) -> Value {
        let wait = async {
            loop {
                // The API itself may be down for a moment in a fault test.
                if let Ok(task) = self.try_get(&format!("/api/v1/tasks/{id}")).await {
                    let state = task["state"].as_str().unwrap().to_owned();
                    if states.contains(&state.as_str()) {
                        return task;
                    }
                    let ended = ["succeeded", "failed", "stopped", "cancelled"].contains(&state.as_str());
                    assert!(!ended, "task {id} ended {state} instead of {states:?}: {task}");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(deadline, wait).await {
            Ok(task) => task,
            Err(elapsed) => {
                panic!("task {id} is not {states:?} after {deadline:?} ({elapsed}): {}", self.task(id).await)
            }
        }
    }

    /// The loss at every step, by step, as exact bits.
    pub async fn losses(&self, id: &str) -> Vec<(u64, u64)> {
        let metrics = self.get(&format!("/api/v1/tasks/{id}/metrics?names=loss")).await;
        let points = metrics["series"]["loss"].as_array().cloned().unwrap_or_default();
        points
            .iter()
            .map(|point| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap().to_bits()))
            .collect()
    }
}

/// The `id` of an answer.
pub fn id_of(answer: &Value) -> String {
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

async fn send(request: RequestBuilder) -> Result<(StatusCode, Value), String> {
    let response = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| error.to_string())?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
