//! What a repository holds at a revision: the commit it names now, and the files of that commit.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode, header::LINK};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{HubConfig, HubError, Repo, RepoKind, Revision};

/// Pages of a listing that are asked for; a thousand files stand on each.
const MOST_PAGES: usize = 100;
const CONNECT: Duration = Duration::from_secs(15);

/// A hub.
#[derive(Clone, Debug)]
pub struct Hub {
    http: reqwest::Client,
    config: HubConfig,
}

/// A repository at one commit.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it holds.
    pub kind: RepoKind,
    /// Its name.
    pub repo: Repo,
    /// The commit: whoever asks again by it gets the same files, whatever was pushed meanwhile.
    pub commit: Revision,
    /// Its files, by path.
    pub files: Vec<RemoteFile>,
}

/// A file of a repository, as the hub describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the repository.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// The SHA-256 of a large file's bytes.
    pub sha256: Option<String>,
    /// The git hash of a file that git itself keeps.
    pub git_sha1: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
}

#[derive(Deserialize)]
struct Entry {
    r#type: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Hub {
    /// A client; nothing is sent before the first request.
    ///
    /// # Errors
    /// The settings name no hub.
    pub fn new(config: &HubConfig) -> Result<Self, HubError> {
        let endpoint = config.endpoint.trim_end_matches('/');
        if endpoint.is_empty() {
            return Err(HubError::NotConfigured);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("anneal/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(Duration::from_millis(config.idle_ms.max(100)))
            .build()?;
        Ok(Self { http, config: HubConfig { endpoint: endpoint.to_owned(), ..config.clone() } })
    }

    /// What a repository holds at a revision.
    ///
    /// # Errors
    /// The repository or the revision is unknown or not shown to us, or the hub cannot be reached.
    pub async fn snapshot(
        &self,
        kind: RepoKind,
        repo: &Repo,
        revision: &Revision,
    ) -> Result<Snapshot, HubError> {
        let root = format!("{}/{repo}", kind.api());
        let asked = Asked { kind, repo, revision };
        let path = format!("{root}/revision/{}", revision.segment());
        let info: Info = self.json(&asked, &path).await?.0;
        let commit: Revision = info.sha.parse()?;
        let mut next = Some(format!("{root}/tree/{}?recursive=true", commit.segment()));
        let mut files = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(path) = next.take() else { break };
            let (entries, more): (Vec<Entry>, _) = self.json(&asked, &path).await?;
            files.extend(entries.into_iter().filter(|entry| entry.r#type == "file").map(RemoteFile::from));
            next = more;
        }
        if next.is_some() {
            let why = format!("it holds more than {} files: name those to take", MOST_PAGES * 1000);
            return Err(HubError::Unusable { repo: repo.to_string(), why });
        }
        files.retain(|file| is_plain(&file.path));
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Snapshot { kind, repo: repo.clone(), commit, files })
    }

    /// A request below the endpoint, with the token.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        let request = self.http.get(format!("{}/{path}", self.config.endpoint));
        if self.config.token.is_empty() { request } else { request.bearer_auth(self.config.token.expose()) }
    }

    /// An answer as JSON, and the path of the page after it.
    async fn json<T: DeserializeOwned>(
        &self,
        asked: &Asked<'_>,
        path: &str,
    ) -> Result<(T, Option<String>), HubError> {
        let response = self.get(path).send().await?;
        let response = asked.checked(path, response)?;
        let next = self.next_page(path, &response)?;
        let body = response.bytes().await?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| HubError::Malformed { path: path.to_owned(), why: error.to_string() })?;
        Ok((value, next))
    }

    /// The path of the next page, as far as it is on this hub: the token goes nowhere else.
    fn next_page(&self, path: &str, response: &Response) -> Result<Option<String>, HubError> {
        let link = response.headers().get(LINK).and_then(|link| link.to_str().ok()).unwrap_or_default();
        let Some(next) = link.split(',').find(|part| part.contains("rel=\"next\"")) else { return Ok(None) };
        let address = next.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or_default();
        let below = address.strip_prefix(&self.config.endpoint).unwrap_or(address);
        match below.strip_prefix('/').filter(|path| !path.starts_with('/')) {
            Some(below) => Ok(Some(below.to_owned())),
            None => Err(HubError::Malformed {
                path: path.to_owned(),
                why: "the next page is not on this hub".to_owned(),
            }),
        }
    }
}

/// What was asked of the hub, for an error to name.
pub(crate) struct Asked<'a> {
    pub(crate) kind: RepoKind,
    pub(crate) repo: &'a Repo,
    pub(crate) revision: &'a Revision,
}

impl Asked<'_> {
    /// The response, or why it is none. The hub says more in a header of its own than by its status.
    pub(crate) fn checked(&self, path: &str, response: Response) -> Result<Response, HubError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let code = response.headers().get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or("");
        let repo = self.repo.to_string();
        Err(match (code, status) {
            ("GatedRepo", _) => HubError::Gated(repo),
            ("RevisionNotFound", _) => {
                HubError::UnknownRevision { repo, revision: self.revision.to_string() }
            }
            ("EntryNotFound", _) => {
                HubError::Unusable { repo, why: format!("the hub does not give `{path}`") }
            }
            ("RepoNotFound", _) | (_, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) => {
                HubError::UnknownRepo { kind: self.kind.name(), repo }
            }
            (_, StatusCode::UNAUTHORIZED) => {
                let message = response.headers().get("x-error-message").and_then(|text| text.to_str().ok());
                if message.is_some_and(|text| text.to_ascii_lowercase().contains("token")) {
                    HubError::BadToken
                } else {
                    HubError::UnknownRepo { kind: self.kind.name(), repo }
                }
            }
            (_, status) => HubError::Failed { status: status.as_u16(), path: path.to_owned() },
        })
    }
}

impl From<Entry> for RemoteFile {
    fn from(entry: Entry) -> Self {
        let is_hash =
            |text: &String, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        match entry.lfs {
            Some(lfs) => Self {
                path: entry.path,
                size_bytes: lfs.size,
                sha256: Some(lfs.oid.trim_start_matches("sha256:").to_ascii_lowercase())
                    .filter(|hash| is_hash(hash, 64)),
                git_sha1: None,
            },
            None => Self {
                path: entry.path,
                size_bytes: entry.size,
                sha256: None,
                git_sha1: Some(entry.oid.to_ascii_lowercase()).filter(|hash| is_hash(hash, 40)),
            },
        }
    }
}

/// A relative path of names that are safe as local files.
fn is_plain(path: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['\\', '\0']);
    path.len() <= 400 && path.split('/').all(is_name) && !path.chars().any(char::is_control)
}
