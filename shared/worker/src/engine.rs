//! The engine as a child process.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anneal_runtime::confine;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::{Program, WorkerError};

/// A running engine. Its whole process group is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    child: Child,
    group: Option<Pid>,
}

/// The engine's pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) output: ChildStdout,
    pub(crate) errors: ChildStderr,
}

impl Engine {
    /// Starts it in a process group of its own, with no variable of ours but the named ones.
    pub(crate) fn start(program: &Program, spec: &Path, folder: &Path) -> Result<(Self, Pipes), WorkerError> {
        let failed = |source| WorkerError::Start { program: program.path.clone(), source };
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .arg(spec)
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env(confine::PARENT_VARIABLE, std::process::id().to_string())
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let (output, errors) = child
            .stdout
            .take()
            .zip(child.stderr.take())
            .expect("both pipes were asked for when the child was started");
        Ok((Self { child, group }, Pipes { output, errors }))
    }

    /// SIGTERM: write a checkpoint and end.
    pub(crate) fn ask_to_stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// SIGKILL to the whole group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // What it may have left behind in its group goes with it.
        self.kill();
        self.group = None;
        Ok(status)
    }

    fn signal(&self, signal: Signal) {
        let Some(group) = self.group else { return };
        if let Err(error) = killpg(group, signal) {
            tracing::debug!(%error, %signal, "the engine's group is gone already");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How the process ended, for people.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(9)) => "it was killed (signal 9), most likely for want of memory".to_owned(),
        (_, Some(signal)) => format!("it died of signal {signal}"),
        (Some(code), _) => format!("it ended with status {code}"),
        (None, None) => "it ended without a status".to_owned(),
    }
}

/// A duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
