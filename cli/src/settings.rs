//! Which server, as whom: flags, environment, the configuration file, the local stack; in this order.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anneal_runtime::config;
use serde::Deserialize;
use serde_json::json;

use crate::{arguments::Connection, failure::Failure, output::Output};

const LOCAL: &str = "http://127.0.0.1:7480";
const LOCAL_KEY: &str = ".local/stack/admin.key";

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Stored {
    server: Option<String>,
    key: Option<String>,
}

/// A server and a key.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) server: String,
    pub(crate) key: String,
}

/// Where to go and as whom.
pub(crate) fn resolve(given: &Connection) -> Result<Resolved, Failure> {
    let stored = stored(&file()?)?;
    let server = given.server.clone().or(stored.server).unwrap_or_else(|| LOCAL.to_owned());
    let server = server.trim_end_matches('/').to_owned();
    let local = || fs::read_to_string(LOCAL_KEY).ok().filter(|_| server == LOCAL);
    let key = given.key.clone().or(stored.key).or_else(local).map(|key| key.trim().to_owned());
    let key = key.filter(|key| !key.is_empty()).ok_or_else(|| {
        Failure::Access("no API key: give --key, set ANNEAL_API_KEY, or run `anneal login`".to_owned())
    })?;
    Ok(Resolved { server, key })
}

/// Remembers what was given.
pub(crate) fn login(given: &Connection, output: &Output) -> Result<(), Failure> {
    let Resolved { server, key } = resolve(given)?;
    let path = file()?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let text = format!("server = {server:?}\nkey = {key:?}\n");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&path)?.write_all(text.as_bytes())?;
    if output.is_json() {
        return output.value(&json!({ "server": server, "saved": path }));
    }
    output.done(&format!("saved {}", path.display()))
}

fn file() -> Result<PathBuf, Failure> {
    let home = std::env::home_dir().ok_or_else(|| Failure::Failed("there is no home folder".to_owned()))?;
    Ok(home.join(".config/anneal/config.toml"))
}

fn stored(path: &Path) -> Result<Stored, Failure> {
    if !path.exists() {
        return Ok(Stored::default());
    }
    config::load_from("cli", Some(path), BTreeMap::new()).map_err(|error| Failure::Invalid(error.to_string()))
}
