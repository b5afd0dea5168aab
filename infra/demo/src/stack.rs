//! The local stack as a child: `anneal up`, stopped with us whatever happens.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::process::{Child, Command};

/// A running local stack.
pub(crate) struct Stack {
    child: Child,
    /// Base URL of the API.
    pub(crate) url: String,
    /// An admin's API key.
    pub(crate) key: String,
    /// Process id of every child, by name.
    pub(crate) pids: Vec<(String, i32)>,
}

impl Stack {
    /// Starts the stack with its data under `folder`, and waits until it is ready.
    pub(crate) async fn start(folder: &Path, parts: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let ready = folder.join("ready.json");
        let _ = fs::remove_file(&ready);
        let log = fs::File::create(folder.join("up.log"))?;
        let mut child = Command::new(beside_us("anneal")?)
            .arg("up")
            .arg("--data")
            .arg(folder.join("stack"))
            .arg("--parts")
            .arg(parts)
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("`anneal up` does not start")?;
        for _ in 0..600 {
            if let Ok(text) = fs::read_to_string(&ready)
                && let Ok(value) = serde_json::from_str::<Value>(&text)
            {
                return Self::from_ready_file(child, &value);
            }
            if let Some(status) = child.try_wait()? {
                bail!("`anneal up` ended with {status}; see {}", folder.join("up.log").display());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the stack was not ready within a minute; see {}", folder.join("up.log").display())
    }

    fn from_ready_file(child: Child, value: &Value) -> Result<Self> {
        let text = |key: &str| {
            value[key].as_str().map(str::to_owned).with_context(|| format!("the ready file has no `{key}`"))
        };
        let pids = value["pids"].as_object().into_iter().flatten();
        Ok(Self {
            child,
            url: text("url")?,
            key: text("key")?,
            pids: pids
                .filter_map(|(name, pid)| Some((name.clone(), i32::try_from(pid.as_i64()?).ok()?)))
                .collect(),
        })
    }

    /// Asks the stack to stop and waits for it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?;
        }
        if tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await.is_err() {
            bail!("the stack did not stop within 30 seconds of being asked");
        }
        Ok(())
    }
}

fn beside_us(program: &str) -> Result<PathBuf> {
    let ours = std::env::current_exe()?;
    Ok(ours.with_file_name(program))
}
