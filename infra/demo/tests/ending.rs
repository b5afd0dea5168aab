//! However the demo ends, nothing of it runs on and its report says so: held over the real program, beside a script that
//! stands in for `anneal up`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use anneal_testkit::eventually;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const A_WHILE: Duration = Duration::from_secs(60);

/// Writes its process id, never becomes ready, and notes that it was asked to stop.
const NEVER_READY: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
tail -f /dev/null &
waiting=$!
trap 'kill $waiting; touch asked; exit 0' TERM
echo $$ > up.partial && mv up.partial up.pid
wait
"#;

/// The demo in a folder of its own, with `anneal` beside it.
struct Demo {
    folder: TempDir,
}

impl Demo {
    /// With this script for `anneal`, and the report of an earlier success.
    fn beside(script: &str) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_anneal-demo"), folder.path().join("anneal-demo")).unwrap();
        let anneal = folder.path().join("anneal");
        fs::write(&anneal, script).unwrap();
        fs::set_permissions(&anneal, fs::Permissions::from_mode(0o755)).unwrap();
        let demo = Self { folder };
        fs::create_dir(demo.path("demo")).unwrap();
        fs::write(demo.path("demo/report.json"), r#"{"ok": true}"#).unwrap();
        demo
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self) -> Child {
        let mut command = Command::new(self.path("anneal-demo"));
        command.arg("--folder").arg(self.path("demo")).arg("--parts").arg(self.path("parts"));
        command.spawn().unwrap()
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("demo/report.json")).unwrap()).unwrap()
    }
}

async fn ended(demo: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually(A_WHILE, || {
        status = demo.try_wait().unwrap();
        std::future::ready(status.is_some())
    })
    .await;
    status.unwrap()
}

async fn process_id(file: &Path) -> Pid {
    eventually(A_WHILE, || std::future::ready(file.exists())).await;
    Pid::from_raw(fs::read_to_string(file).unwrap().trim().parse().unwrap())
}

#[tokio::test]
async fn a_signal_to_the_demo_alone_while_the_stack_starts_stops_both_and_is_reported() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let demo = Demo::beside(NEVER_READY);
        let mut running = demo.start();
        let up = process_id(&demo.path("up.pid")).await;
        assert_eq!(demo.report()["ok"], false, "a run that goes on is no success yet");
        kill(Pid::from_raw(running.id().cast_signed()), signal).unwrap();
        assert_eq!(ended(&mut running).await.code(), Some(1), "{signal}");
        assert_eq!(kill(up, None), Err(Errno::ESRCH), "the stack runs on after {signal}");
        assert!(demo.path("asked").exists(), "the stack was not asked to stop in order");
        let report = demo.report();
        assert_eq!((&report["ok"], &report["error"]), (&json!(false), &json!("interrupted")));
    }
}

#[tokio::test]
async fn a_stack_that_does_not_start_fails_the_run_and_its_report() {
    let demo = Demo::beside("#!/bin/sh\nexit 3\n");
    let mut running = demo.start();
    assert_eq!(ended(&mut running).await.code(), Some(1));
    let report = demo.report();
    assert_eq!(report["ok"], false);
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("exit status: 3") && error.contains("up.log"), "{error}");
}
