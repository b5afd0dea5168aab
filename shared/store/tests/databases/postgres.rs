//! A PostgreSQL server of the test's own.

use std::{
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// PostgreSQL refuses to run as root; a test that does lends it this unprivileged user.
const NOBODY: u32 = 65534;

pub(crate) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// A fresh server, or `None` (said aloud) where its programs are not installed.
    pub(crate) fn start() -> Option<Self> {
        if !installed("initdb") || !installed("postgres") {
            eprintln!("SKIPPED: no `initdb` and `postgres` programs here: PostgreSQL was not tried");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        if as_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = folder.path().join("data");
        let init = program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=anneal", "--encoding=UTF8", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = run(&data, port);
        let server = Self { folder, port, child };
        server.wait();
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://anneal@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills the server without warning and starts it again on the same data.
    pub(crate) fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let data = self.folder.path().join("data");
        std::fs::remove_file(data.join("postmaster.pid")).unwrap();
        self.child = run(&data, self.port);
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let log = self.folder.path().join("data/server.log");
        while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("ready to accept connections")) {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn run(data: &PathBuf, port: u16) -> Child {
    let log = data.join("server.log");
    std::fs::write(&log, "").unwrap();
    let log = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    program("postgres")
        .arg("-D")
        .arg(data)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p"])
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir("/").env("LC_ALL", "C");
    if as_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn as_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn installed(name: &str) -> bool {
    Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
