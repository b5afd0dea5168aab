//! The local stack as a child: `anneal up`, which ends before we do, however we end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anneal_runtime::CancellationToken;
use anyhow::{Context as _, Result, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::process::{Child, Command};

/// How long the stack may take to come up.
const START: Duration = Duration::from_secs(90);
/// How long it may take to end when asked.
const GRACE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// Which stack.
pub(crate) struct Setup<'a> {
    /// Its data, its log and its ready file lie under this folder.
    pub(crate) folder: &'a Path,
    /// The fetched parts.
    pub(crate) parts: &'a Path,
    /// Services left out.
    pub(crate) without: &'a [&'a str],
}

/// A stack that is ready.
pub(crate) struct Stack {
    /// Base URL of the API.
    pub(crate) url: String,
    /// An admin's API key.
    pub(crate) key: String,
    /// Every process id by name, that of `anneal up` itself among them.
    pub(crate) pids: Vec<(String, i32)>,
}

/// Starts a stack and works on it. It has stopped when this comes back: after the work, a failure, or an interruption at any
/// moment.
pub(crate) async fn on_stack<W>(setup: &Setup<'_>, interrupted: &CancellationToken, work: W) -> Result<()>
where
    W: AsyncFnOnce(&Stack) -> Result<()>,
{
    let mut up = Up::start(setup)?;
    let worked = async {
        let stack = up.ready().await?;
        work(&stack).await
    };
    let outcome = tokio::select! {
        outcome = worked => outcome,
        () = interrupted.cancelled() => Err(anyhow!("interrupted")),
    };
    match (outcome, up.stop().await) {
        (Err(error), Err(stack)) => Err(error.context(format!("{stack:#}"))),
        (outcome, stopped) => outcome.and(stopped),
    }
}

/// The process `anneal up`.
struct Up {
    child: Child,
    ready: PathBuf,
    log: PathBuf,
}

impl Up {
    fn start(setup: &Setup<'_>) -> Result<Self> {
        let folder = setup.folder;
        fs::create_dir_all(folder)?;
        let (ready, log) = (folder.join("ready.json"), folder.join("up.log"));
        if ready.exists() {
            fs::remove_file(&ready)?;
        }
        let program = std::env::current_exe()?.with_file_name("anneal");
        let output = fs::File::create(&log)?;
        let mut command = Command::new(&program);
        // By way of its own shim: the kernel kills it, and it its children, should we be killed.
        command.args(["stack-child", "--parent", &std::process::id().to_string(), "--"]).arg(&program);
        command.arg("up").arg("--data").arg(folder.join("stack")).arg("--parts").arg(setup.parts);
        command.arg("--ready-file").arg(&ready);
        for service in setup.without {
            command.args(["--without", service]);
        }
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A group of its own: Ctrl-C at the terminal reaches us alone, and we stop it in order.
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{} does not start", program.display()))?;
        Ok(Self { child, ready, log })
    }

    async fn ready(&mut self) -> Result<Stack> {
        let looks = START.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            if let Ok(text) = fs::read_to_string(&self.ready) {
                return self.stack(&text);
            }
            if self.child.try_wait()?.is_some() {
                bail!("it never became ready");
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the stack was not ready within {} s; see {}", START.as_secs(), self.log.display())
    }

    fn stack(&self, ready: &str) -> Result<Stack> {
        let value: Value = serde_json::from_str(ready).context("the ready file is no JSON")?;
        let text = |key: &str| {
            value[key].as_str().map(str::to_owned).with_context(|| format!("the ready file has no `{key}`"))
        };
        let services = value["pids"].as_object().into_iter().flatten();
        let services =
            services.filter_map(|(name, pid)| Some((name.clone(), i32::try_from(pid.as_i64()?).ok()?)));
        let ourselves = self.child.id().map(|pid| ("anneal up".to_owned(), pid.cast_signed()));
        Ok(Stack {
            url: text("url")?,
            key: text("key")?,
            pids: ourselves.into_iter().chain(services).collect(),
        })
    }

    /// Asks it to stop, waits, and kills it in the end. That it had ended before is an error.
    async fn stop(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the stack ended by itself with {status}; see {}", self.log.display());
        }
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?;
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_ok() {
            return Ok(());
        }
        self.child.kill().await?;
        bail!("the stack did not stop within {} s of being asked, and was killed", GRACE.as_secs())
    }
}
