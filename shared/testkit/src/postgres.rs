//! A real PostgreSQL server, where its programs are installed.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// PostgreSQL refuses to run as root; a test that does lends it this unprivileged user.
const NOBODY: u32 = 65534;

/// A running PostgreSQL server over a temporary folder; it is killed when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Postgres {
    /// A fresh server, or `None` (said aloud) where its programs are not installed.
    ///
    /// # Panics
    /// When they are, and it does not start.
    pub fn start() -> Option<Self> {
        if !installed("initdb") || !installed("postgres") {
            eprintln!("SKIPPED: no `initdb` and `postgres` programs here: PostgreSQL was not tried");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        if as_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root can give a folder away");
        }
        let data = folder.path().join("data");
        let init = program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=anneal", "--encoding=UTF8", "-D"])
            .arg(&data)
            .output()
            .expect("initdb can be run");
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("loopback has a free port")
            .port();
        let child = run(&data, port);
        let server = Self { folder, port, child };
        server.wait();
        Some(server)
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("postgres://anneal@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills the server without warning and starts it again on the same data.
    ///
    /// # Panics
    /// When it does not come up again.
    pub fn crash_and_restart(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
        let data = self.folder.path().join("data");
        fs::remove_file(data.join("postmaster.pid")).expect("a killed server leaves its pid file");
        self.child = run(&data, self.port);
        self.wait();
    }

    fn wait(&self) {
        let start = Instant::now();
        let log = self.folder.path().join("data/server.log");
        while !fs::read_to_string(&log).is_ok_and(|text| text.contains("ready to accept connections")) {
            assert!(start.elapsed() < Duration::from_secs(60), "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn run(data: &PathBuf, port: u16) -> Child {
    let log = data.join("server.log");
    fs::write(&log, "").expect("the temporary folder is writable");
    let log = fs::OpenOptions::new().append(true).open(log).expect("the log was just made");
    program("postgres")
        .arg("-D")
        .arg(data)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p"])
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres can be run")
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
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn installed(name: &str) -> bool {
    Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
