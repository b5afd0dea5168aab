//! A real nats-server, started for a test and put through faults.

use std::{
    fs,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::part;

/// A running nats-server with JetStream over a temporary folder; it is killed when dropped.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Nats {
    /// Starts one on a free port, durable to power loss (`sync_interval: always`), without users.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("loopback has a free port")
            .port();
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
            folder.path().join("store").display()
        );
        fs::write(folder.path().join("nats.conf"), config).expect("the temporary folder is writable");
        let mut nats = Self { port, folder, child: None };
        nats.restart().await;
        nats
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// SIGKILL. Does nothing when it is not running.
    ///
    /// # Panics
    /// When our own child cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Starts it again on the same port and folder (after a kill, if it still runs), and waits until it answers.
    ///
    /// # Panics
    /// When it does not come up within ten seconds.
    pub async fn restart(&mut self) {
        self.kill();
        let log = fs::File::create(self.folder.path().join("nats.log")).expect("the folder is writable");
        let child = Command::new(part("nats-server"))
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server can be run");
        self.child = Some(child);
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < Duration::from_secs(10), "nats-server did not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Deletes everything it stored: kill, wipe, restart.
    ///
    /// # Panics
    /// When the folder cannot be removed, or it does not come up again.
    pub async fn wipe(&mut self) {
        self.kill();
        fs::remove_dir_all(self.folder.path().join("store")).expect("the store can be removed");
        self.restart().await;
    }

    /// Forgets every durable consumer, with what it had acknowledged: kill, remove, restart. What the streams hold is delivered
    /// again to whoever makes its consumer again.
    ///
    /// # Panics
    /// When the folders cannot be removed, or it does not come up again.
    pub async fn forget_consumers(&mut self) {
        self.kill();
        let streams = self.folder.path().join("store/jetstream/$G/streams");
        for stream in fs::read_dir(streams).expect("the server has stored streams") {
            let consumers = stream.expect("the folder can be read").path().join("obs");
            if consumers.exists() {
                fs::remove_dir_all(consumers).expect("the consumers can be removed");
            }
        }
        self.restart().await;
    }

    /// SIGSTOP: it holds its connections and answers nothing.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a signal is sent to a running server");
        let pid = i32::try_from(child.id()).expect("a process id fits");
        kill(Pid::from_raw(pid), signal).expect("our own child can be signalled");
    }

    /// The server greets every client with `INFO` once it is ready.
    fn answers(&self) -> bool {
        let Ok(mut socket) = TcpStream::connect_timeout(&self.address(), Duration::from_millis(200)) else {
            return false;
        };
        let mut greeting = [0_u8; 4];
        socket.set_read_timeout(Some(Duration::from_millis(500))).is_ok()
            && socket.read_exact(&mut greeting).is_ok()
            && &greeting == b"INFO"
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("nats.log")).unwrap_or_default()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
