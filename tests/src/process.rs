//! One of our programs as a child, with its log.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A running program; SIGKILLed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `anneal-<service> serve` with these variables, appending to its log.
    pub(crate) fn start(service: &str, variables: &[(String, String)], folder: &Path) -> Self {
        let program = program(&format!("anneal-{service}"));
        let log = folder.join(format!("{service}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(&program)
            .arg("serve")
            .env_clear()
            .envs(variables.iter().map(|(key, value)| (key, value)))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        Self { child, log }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, by itself or by a signal.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has logged, for a failing test.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of this name, beside the running test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --workspace --bins --features anneal-runtime/failpoints`",
        path.display()
    );
    path
}
