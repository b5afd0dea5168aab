//! A hub on loopback that speaks as much of the Hugging Face HTTP API as an import asks of it, and misbehaves on request.
#![allow(clippy::unwrap_used, reason = "for tests only: a failed unwrap is a failed test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use anneal_runtime::{CancellationToken, tasks};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The token that opens what is private or gated.
pub const TOKEN: &str = "hf_0123456789";
/// The commit that every revision names.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Files of more bytes than this are kept as large ones, under their SHA-256.
const LARGE: usize = 256;
/// Files on one page of a listing.
const PAGE: usize = 2;

/// What the hub has, and how it behaves.
#[derive(Debug, Default)]
pub struct Content {
    /// Repositories by `models/org/name` or `datasets/org/name`.
    pub repos: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Repositories whose terms nobody accepted.
    pub gated: Vec<String>,
    /// Repositories that only the token opens.
    pub private: Vec<String>,
    /// Transfers that are still to be cut after this many bytes.
    pub cuts: Vec<usize>,
    /// Files whose bytes are not those that are described.
    pub swapped: Vec<String>,
    /// Requests that came: path, and the range that was asked for.
    pub seen: Vec<(String, Option<String>)>,
}

/// A hub that runs until it is dropped.
#[derive(Debug)]
pub struct FakeHub {
    /// Where it is.
    pub endpoint: String,
    /// What it has.
    pub content: Arc<Mutex<Content>>,
    stop: CancellationToken,
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl FakeHub {
    /// Starts one with nothing in it.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let content: Arc<Mutex<Content>> = Arc::default();
        let (shared, own) = (content.clone(), endpoint.clone());
        let stop = CancellationToken::new();
        let ended = stop.clone();
        tasks::spawn("hub", async move {
            loop {
                let accepted = tokio::select! {
                    () = ended.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((socket, _)) = accepted else { return };
                // One request a connection; a client that goes away in between is none of our business.
                drop(answer(socket, &shared, &own).await);
            }
        });
        Self { endpoint, content, stop }
    }

    /// Puts a file into a repository such as `models/org/name`.
    ///
    /// # Panics
    /// When a panic of the server poisoned its content.
    pub fn put(&self, repo: &str, path: &str, bytes: impl Into<Vec<u8>>) {
        let mut content = self.content.lock().unwrap();
        content.repos.entry(repo.to_owned()).or_default().insert(path.to_owned(), bytes.into());
    }

    /// Ranges that were asked for of paths with this ending.
    ///
    /// # Panics
    /// When a panic of the server poisoned its content.
    pub fn ranges(&self, ending: &str) -> Vec<Option<String>> {
        let content = self.content.lock().unwrap();
        content
            .seen
            .iter()
            .filter(|(path, _)| path.ends_with(ending))
            .map(|(_, range)| range.clone())
            .collect()
    }
}

/// An answer: status, headers, and the body with the place where it is cut.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
}

impl Answer {
    fn error(status: u16, code: &str) -> Self {
        Self { status, headers: vec![("X-Error-Code", code.to_owned())], body: Vec::new(), cut: None }
    }

    fn json(value: &Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: value.to_string().into_bytes(), cut: None }
    }
}

async fn answer(mut socket: TcpStream, content: &Mutex<Content>, endpoint: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
    let header = |name: &str| {
        let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let token = header("authorization").is_some_and(|value| value == format!("Bearer {TOKEN}"));
    let answer = {
        let mut content = content.lock().unwrap();
        content.seen.push((path.clone(), header("range")));
        content.answer(&path, header("range").as_deref(), token, endpoint)
    };
    let mut head = format!(
        "HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head = head + name + ": " + value + "\r\n";
    }
    socket.write_all(format!("{head}\r\n").as_bytes()).await?;
    let end = answer.cut.unwrap_or(answer.body.len()).min(answer.body.len());
    socket.write_all(&answer.body[..end]).await?;
    socket.shutdown().await
}

impl Content {
    fn answer(&mut self, path: &str, range: Option<&str>, token: bool, endpoint: &str) -> Answer {
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        let place = place.trim_start_matches('/').replace("%2F", "/");
        let (repo, rest) = if let Some(place) = place.strip_prefix("api/") {
            split(place, &["/revision/", "/tree/"])
        } else {
            let (repo, rest) = split(&place, &["/resolve/"]);
            (if repo.starts_with("datasets/") { repo } else { format!("models/{repo}") }, rest)
        };
        if self.private.contains(&repo) && !token || !self.repos.contains_key(&repo) {
            return Answer::error(401, "RepoNotFound");
        }
        if place.contains("/revision/") {
            let known = ["main", COMMIT, "refs/convert/parquet"].contains(&rest.as_str());
            return if known {
                Answer::json(&json!({ "sha": COMMIT }))
            } else {
                Answer::error(404, "RevisionNotFound")
            };
        }
        if self.gated.contains(&repo) && !place.contains("/tree/") {
            return Answer::error(403, "GatedRepo");
        }
        if place.contains("/tree/") {
            self.tree(&repo, query, endpoint)
        } else {
            self.file(&repo, &rest, range)
        }
    }

    fn tree(&self, repo: &str, query: &str, endpoint: &str) -> Answer {
        let from = query.split("cursor=").nth(1).and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let files = &self.repos[repo];
        let entries: Vec<Value> =
            files.iter().skip(from).take(PAGE).map(|(path, bytes)| entry(path, bytes)).collect();
        let mut answer = Answer::json(&json!(entries));
        if from + PAGE < files.len() {
            let next = format!("{endpoint}/api/{repo}/tree/{COMMIT}?recursive=true&cursor={}", from + PAGE);
            answer.headers.push(("Link", format!("<{next}>; rel=\"next\"")));
        }
        answer
    }

    fn file(&mut self, repo: &str, rest: &str, range: Option<&str>) -> Answer {
        let path = decoded(rest.split_once('/').map_or("", |(_, path)| path));
        let Some(bytes) = self.repos[repo].get(&path) else { return Answer::error(404, "EntryNotFound") };
        let mut bytes = bytes.clone();
        if self.swapped.contains(&path) {
            bytes.reverse();
        }
        let mut answer = Answer { status: 200, headers: Vec::new(), body: bytes, cut: None };
        let from =
            range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        if let Some(from) = from {
            let whole = answer.body.len();
            answer.status = 206;
            answer
                .headers
                .push(("Content-Range", format!("bytes {from}-{}/{whole}", whole.saturating_sub(1))));
            answer.body = answer.body.split_off(from.min(whole));
        }
        if answer.body.len() > LARGE {
            answer.cut = self.cuts.pop();
        }
        answer
    }
}

/// A path without its escapes.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(part.len().min(2));
        bytes.extend(u8::from_str_radix(code, 16));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn split(place: &str, marks: &[&str]) -> (String, String) {
    let found = marks.iter().find_map(|mark| place.split_once(mark));
    found.map_or((place.to_owned(), String::new()), |(repo, rest)| (repo.to_owned(), rest.to_owned()))
}

fn entry(path: &str, bytes: &[u8]) -> Value {
    let mut git = Sha1::new();
    git.update(format!("blob {}\0", bytes.len()));
    git.update(bytes);
    let oid = hex::encode(git.finalize());
    if bytes.len() <= LARGE {
        return json!({ "type": "file", "path": path, "size": bytes.len(), "oid": oid });
    }
    let sha256 = hex::encode(Sha256::digest(bytes));
    json!({ "type": "file", "path": path, "size": bytes.len(), "oid": oid,
            "lfs": { "oid": sha256, "size": bytes.len(), "pointerSize": 134 } })
}
