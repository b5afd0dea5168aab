//! The whole platform as real processes over a real NATS and S3, each of which a test may kill, stop or start again.

use std::{collections::BTreeMap, net::TcpListener, path::Path, time::Duration};

use anneal_testkit::{FakeHub, Nats, Objects, eventually, part};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::{client::Client, process::Process};

/// The first admin's key of every test platform.
const KEY: &str = "anneal_00000000000000000000000000000001_0123456789abcdef0123456789abcdef0123456789abcdef";

/// Leases are short here, so that a lost one is noticed within a test.
const LEASE_MS: u64 = 3_000;
const RENEW_MS: u64 = 500;

/// Real processes under a test's control; everything ends when it is dropped.
#[derive(Debug)]
pub struct Platform {
    processes: BTreeMap<String, Process>,
    /// The broker.
    pub nats: Nats,
    /// The hub that models and datasets are imported from.
    pub hub: FakeHub,
    objects: Objects,
    folder: TempDir,
    api_port: u16,
    inference_port: u16,
}

impl Platform {
    /// Everything up and ready.
    pub async fn start() -> Self {
        Self::start_with(&["trainer", "evaluator", "compiler", "inference"]).await
    }

    /// task-api and billing, and these services.
    pub async fn start_with(services: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut platform = Self {
            processes: BTreeMap::new(),
            nats: Nats::start().await,
            hub: FakeHub::start().await,
            objects: Objects::start().await,
            folder: TempDir::new().unwrap(),
            api_port: free_port(),
            inference_port: free_port(),
        };
        for service in ["task-api", "billing"].iter().chain(services) {
            platform.launch(service);
        }
        platform.ready().await;
        platform
    }

    /// A client with the admin's key.
    pub fn client(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.api_port), KEY)
    }

    /// Where the test keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts (again) a service.
    pub fn launch(&mut self, service: &str) {
        self.launch_failing(service, "");
    }

    /// Starts (again) a service with fail points such as `relay.after_puback=kill`.
    pub fn launch_failing(&mut self, service: &str, failpoints: &str) {
        self.launch_as(service, service, failpoints);
    }

    /// Starts another worker of a service under a name of its own.
    pub fn launch_as(&mut self, name: &str, service: &str, failpoints: &str) {
        let mut variables = self.variables(service);
        let prefix = format!("ANNEAL_{}_", service.to_uppercase().replace('-', "_"));
        for (key, _) in &mut variables {
            *key = format!("{prefix}{key}");
        }
        if !failpoints.is_empty() {
            variables.push(("ANNEAL_FAILPOINTS".to_owned(), failpoints.to_owned()));
        }
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        self.processes.insert(name.to_owned(), Process::start(service, &variables, &folder));
    }

    /// SIGKILL.
    pub fn kill(&mut self, name: &str) {
        drop(self.processes.remove(name));
    }

    /// SIGSTOP.
    pub fn stop(&self, name: &str) {
        self.process(name).signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn cont(&self, name: &str) {
        self.process(name).signal(Signal::SIGCONT);
    }

    /// Waits until a process has ended by itself (a fail point killed it).
    pub async fn ended(&mut self, name: &str) {
        for _ in 0..600 {
            if self.processes.get_mut(name).unwrap().has_ended() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} did not end by itself:\n{}", self.log(name));
    }

    /// Process ids of a process's children: a worker's engine.
    pub fn children(&self, name: &str) -> Vec<i32> {
        children(self.process(name).id())
    }

    /// SIGKILLs every child of a process: a worker's engine.
    pub fn kill_children(&self, name: &str) -> usize {
        let children = self.children(name);
        for child in &children {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*child), Signal::SIGKILL);
        }
        children.len()
    }

    /// What a service has logged.
    pub fn log(&self, name: &str) -> String {
        self.processes.get(name).map_or_else(String::new, Process::log)
    }

    /// How long a lease lasts here.
    pub const fn lease() -> Duration {
        Duration::from_millis(LEASE_MS)
    }

    /// Waits until the API answers and billing does behind it.
    pub async fn ready(&self) {
        let client = self.client();
        let answers = || async { client.try_get("/api/v1/billing/balance").await.is_ok() };
        let up = tokio::time::timeout(Duration::from_secs(30), async {
            while !answers().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let is_up = up.await.is_ok();
        assert!(is_up, "the platform did not come up:\n{}\n{}", self.log("task-api"), self.log("billing"));
    }

    fn process(&self, name: &str) -> &Process {
        self.processes.get(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    fn variables(&self, service: &str) -> Vec<(String, String)> {
        let mut all = vec![("NATS__URL", self.nats.url())];
        let database = format!("sqlite://{}/{service}.db?mode=rwc", self.folder.path().display());
        let objects = [
            ("OBJECTS__ENDPOINT", self.objects.endpoint()),
            ("OBJECTS__BUCKET", Objects::BUCKET.to_owned()),
            ("OBJECTS__ACCESS_KEY", Objects::ACCESS_KEY.to_owned()),
            ("OBJECTS__SECRET_KEY", Objects::SECRET_KEY.to_owned()),
        ];
        let library = part("onnxruntime/libonnxruntime.so").display().to_string();
        match service {
            "task-api" => {
                all.extend(objects);
                all.push(("DATABASE__URL", database));
                all.push(("HUB__ENDPOINT", self.hub.endpoint.clone()));
                all.push(("LISTEN", format!("127.0.0.1:{}", self.api_port)));
                all.push(("BOOTSTRAP_KEY", KEY.to_owned()));
                all.push(("LEASE_MS", LEASE_MS.to_string()));
                all.push(("INFERENCE_URL", format!("http://127.0.0.1:{}", self.inference_port)));
            }
            "billing" => all.push(("DATABASE__URL", database)),
            "inference" => {
                all.extend(objects);
                all.push(("LISTEN", format!("127.0.0.1:{}", self.inference_port)));
                all.push(("ONNXRUNTIME", library));
            }
            _ => {
                all.extend(objects);
                all.push(("RENEW_INTERVAL_MS", RENEW_MS.to_string()));
                all.push(("ONNXRUNTIME", library));
            }
        }
        all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Process ids of the children of a process.
fn children(parent: u32) -> Vec<i32> {
    let tasks = format!("/proc/{parent}/task");
    let mut found = Vec::new();
    for task in std::fs::read_dir(tasks).unwrap().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found
}

/// Waits for a condition on the platform; see [`anneal_testkit::eventually`].
pub async fn within<F, Fut>(deadline: Duration, condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    eventually(deadline, condition).await;
}
