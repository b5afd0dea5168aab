//! One child process: started, watched, restarted, stopped.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{
    StackError,
    files::Files,
    programs::Programs,
    services::{Argument, Service},
};

/// Process ids by name.
pub(crate) type Pids = BTreeMap<&'static str, u32>;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A child that ran this long is trusted again.
const TRUSTED: Duration = Duration::from_secs(30);
/// A log larger than this is put aside at the next start.
const LARGE_LOG: u64 = 32 << 20;

/// A service and its process.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) service: Service,
    child: Option<Child>,
    started: Instant,
    pause: Duration,
    /// Where the log stood when it was started.
    pub(crate) log_from: u64,
    pub(crate) log: PathBuf,
}

impl Running {
    /// Starts a service.
    pub(crate) fn start(service: Service, files: &Files, programs: &Programs) -> Result<Self, StackError> {
        let log = files.log(service.name);
        let mut running =
            Self { service, child: None, started: Instant::now(), pause: FIRST_PAUSE, log_from: 0, log };
        running.spawn(files, programs)?;
        Ok(running)
    }

    fn spawn(&mut self, files: &Files, programs: &Programs) -> Result<(), StackError> {
        let name = self.service.name;
        let size = fs::metadata(&self.log).map_or(0, |found| found.len());
        if size > LARGE_LOG {
            fs::rename(&self.log, self.log.with_extension("log.1")).map_err(StackError::io(name))?;
        }
        let log =
            OpenOptions::new().create(true).append(true).open(&self.log).map_err(StackError::io(name))?;
        self.log_from = log.metadata().map_err(StackError::io(name))?.len();
        let mut command = Command::new(&programs.ourselves);
        command
            .args(["stack-child", "--parent", &std::process::id().to_string(), "--"])
            .arg(programs.path(self.service.program));
        for argument in &self.service.arguments {
            match argument {
                Argument::Text(text) => command.arg(text),
                Argument::Config(name) => command.arg(files.config(name)),
                Argument::Folder(name) => command.arg(files.folder(name)?),
            };
        }
        command.envs(self.service.environment.iter().cloned());
        let errors = log.try_clone().map_err(StackError::io(name))?;
        // A group of its own: Ctrl-C at the terminal reaches us alone, and we stop the children in order.
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        self.child = Some(command.spawn().map_err(StackError::io(name))?);
        self.started = Instant::now();
        Ok(())
    }

    /// How it ended, if it did since the last look.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    /// Starts it again once its pause is over; whether it did.
    pub(crate) fn revive(&mut self, files: &Files, programs: &Programs) -> Result<bool, StackError> {
        if self.child.is_some() || self.started.elapsed() < self.pause {
            return Ok(false);
        }
        self.spawn(files, programs)?;
        Ok(true)
    }

    /// Notes that it ended: the next start waits, longer each time it does not last.
    pub(crate) fn back_off(&mut self) -> Duration {
        let lasted = self.started.elapsed() > TRUSTED;
        self.pause = if lasted { FIRST_PAUSE } else { LONGEST_PAUSE.min(self.pause * 2) };
        self.started = Instant::now();
        self.pause
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Signals the child and everything it started.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended by itself meanwhile.
            killpg(Pid::from_raw(pid.cast_signed()), signal).ok();
        }
    }

    /// The last lines it wrote since it was started.
    pub(crate) fn log_end(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let new = bytes.get(self.log_from as usize..).unwrap_or_default();
        let text = String::from_utf8_lossy(new);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
