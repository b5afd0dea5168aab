//! A stage for a worker: broker, object store, scripted engine, and a task-api that remembers.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use anneal_artifacts::{Key, ObjectStore, ObjectsConfig, Prefix};
use anneal_bus::{Bus, BusConfig, Request};
use anneal_contracts::{
    Envelope, Trace,
    command::DispatchTask,
    event::Failure,
    rpc::{
        ClaimReply, ClaimTask, ClaimedTask, CommitCheckpoint, Done, FinishTask, InputFolder, Refusal,
        RejectCheckpoint, RenewLease, RenewReply, ReportStage, ResumePoint,
    },
    subject,
};
use anneal_domain::{
    Microcredits,
    id::{CheckpointId, DatasetId, EventId, RequestId, TaskId, WorkspaceId},
    spec::{Pool, TaskKind, TaskSpec},
    task::{TaskState, Wanted},
};
use anneal_runtime::{CancellationToken, clock::SystemClock, tasks};
use anneal_testkit::{Nats, Objects, eventually};
use anneal_worker::{Ended, Folders, Program, Publication, Worker, WorkerConfig, Workload};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const SOON: Duration = Duration::from_secs(30);
const LEASE_MS: u64 = 2_000;

/// What task-api was told, and what it answers.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own that a test turns on")]
pub(crate) struct Told {
    pub(crate) claims: usize,
    pub(crate) renewals: Vec<RenewLease>,
    pub(crate) stages: Vec<ReportStage>,
    pub(crate) commits: Vec<CommitCheckpoint>,
    pub(crate) finishes: Vec<FinishTask>,
    pub(crate) resume: Vec<ResumePoint>,
    pub(crate) failed_attempts: u32,
    pub(crate) wanted: Wanted,
    /// Renewals are refused: the task is another's.
    pub(crate) fenced: bool,
    /// Renewals are not answered usefully.
    pub(crate) mute: bool,
    /// Renewals are refused for good, for a reason that is not the lease.
    pub(crate) broken: bool,
    pub(crate) refused_renewals: usize,
    pub(crate) rejected: Vec<RejectCheckpoint>,
    /// Commits of checkpoints are refused for good.
    pub(crate) refuses_commits: bool,
    /// This many finishes are refused for good.
    pub(crate) refused_finishes: usize,
    queued: bool,
    epoch: u64,
    inputs: Vec<InputFolder>,
}

pub(crate) struct Stage {
    nats: Nats,
    pub(crate) objects: Objects,
    pub(crate) bus: Bus,
    pub(crate) work: TempDir,
    pub(crate) stop: CancellationToken,
    store: ObjectStore,
    scratch: TempDir,
    task: TaskId,
    workspace: WorkspaceId,
    told: Arc<Mutex<Told>>,
}

/// A shell script as the engine.
struct Script {
    program: Program,
}

impl Workload for Script {
    fn kind(&self) -> TaskKind {
        TaskKind::Training
    }

    fn program(&self) -> Program {
        self.program.clone()
    }

    fn engine_spec(&self, _task: &ClaimedTask, folders: &Folders) -> Result<Value, Failure> {
        Ok(json!({"resume_from": folders.resume_from, "dataset": folders.input("dataset")?}))
    }

    fn publications(&self, _task: &ClaimedTask, ended: &Ended<'_>) -> Vec<Publication> {
        let folder = if ended.stopped {
            ended.checkpoint.map(Into::into)
        } else {
            ended.figures.get("model_dir").and_then(Value::as_str).map(Into::into)
        };
        folder.into_iter().map(|folder| Publication { role: "model", folder }).collect()
    }
}

fn refusal(retryable: bool) -> Refusal {
    Refusal { code: "trouble".to_owned(), message: "not like this".to_owned(), retryable }
}

fn spec() -> TaskSpec {
    serde_json::from_value(json!({
        "kind": "training", "task_type": "sft", "method": "lora",
        "model": "model-00000000000000000000000000000001", "dataset": "ds-00000000000000000000000000000002"
    }))
    .unwrap()
}

impl Stage {
    pub(crate) async fn start(script: &str) -> Self {
        let nats = Nats::start().await;
        let objects = Objects::start().await;
        let bus = Bus::connect(&BusConfig::anonymous(nats.url()), "task-api").await.unwrap();
        bus.ensure_streams().await.unwrap();
        let config = ObjectsConfig {
            endpoint: objects.endpoint(),
            access_key: Objects::ACCESS_KEY.to_owned(),
            secret_key: Objects::SECRET_KEY.to_owned().into(),
            ..ObjectsConfig::default()
        };
        let store = ObjectStore::connect(&config);
        let (scratch, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (task, workspace) = (TaskId::new(), WorkspaceId::new());
        let stop = CancellationToken::new();
        let told = Arc::new(Mutex::new(Told { queued: true, ..Told::default() }));
        let stage = Self { nats, objects, bus, work, stop, store, scratch, task, workspace, told };
        stage.put_dataset().await;
        stage.answer().await;
        stage.start_worker(script, config).await;
        stage
    }

    async fn put_dataset(&self) {
        let local = tempfile::tempdir().unwrap();
        fs::write(local.path().join("data.jsonl"), "{}\n").unwrap();
        let prefix = Prefix::dataset(self.workspace, DatasetId::new());
        let folder = self.store.put_folder(&prefix, local.path()).await.unwrap();
        let input = InputFolder {
            role: "dataset".to_owned(),
            prefix: prefix.to_string(),
            manifest_sha256: folder.manifest_sha256,
        };
        self.tell(|told| told.inputs.push(input));
    }

    async fn start_worker(&self, script: &str, objects: ObjectsConfig) {
        let path = self.scratch.path().join("engine.sh");
        fs::write(&path, script).unwrap();
        let environment = vec![("SCRATCH".to_owned(), self.scratch.path().into())];
        let program = Program { path: "/bin/sh".into(), arguments: vec![path.into()], environment };
        let config = WorkerConfig {
            nats: BusConfig::anonymous(self.nats.url()),
            objects,
            work_dir: self.work.path().to_owned(),
            renew_interval_ms: 100,
            hang_timeout_s: if script.contains("exec sleep") { 1 } else { 60 },
            ..WorkerConfig::default()
        };
        let worker = Worker::start(config, Script { program }, SystemClock::shared()).await.unwrap();
        tasks::spawn("test.worker", worker.run(self.stop.clone()));
    }

    /// Serves the requests of a worker.
    async fn answer(&self) {
        let (workspace, clock) = (self.workspace, self.told.clone());
        self.serve(subject::rpc::CLAIM_TASK, move |claim: ClaimTask| {
            let mut told = clock.lock().unwrap();
            told.claims += 1;
            if !std::mem::take(&mut told.queued) {
                return Ok(ClaimReply::NotQueued);
            }
            told.epoch += 1;
            Ok(ClaimReply::Won(Box::new(ClaimedTask {
                task: claim.task,
                workspace,
                epoch: told.epoch,
                lease_ms: LEASE_MS,
                spec: spec(),
                inputs: told.inputs.clone(),
                resume: told.resume.clone(),
                rate_per_hour: Microcredits(1),
                facts: serde_json::Map::new(),
                failed_attempts: told.failed_attempts,
                traceparent: Trace::fresh().to_string(),
            })))
        });
        let told = self.told.clone();
        self.serve(subject::rpc::RENEW_LEASE, move |renewal: RenewLease| {
            let mut told = told.lock().unwrap();
            if told.fenced {
                return Err(Refusal::fenced());
            }
            if told.mute {
                return Err(refusal(true));
            }
            if told.broken {
                told.refused_renewals += 1;
                return Err(refusal(false));
            }
            told.renewals.push(renewal);
            Ok(RenewReply { wanted: told.wanted, lease_ms: LEASE_MS })
        });
        let told = self.told.clone();
        self.serve(subject::rpc::REPORT_STAGE, move |report: ReportStage| {
            told.lock().unwrap().stages.push(report);
            Ok(Done {})
        });
        let told = self.told.clone();
        self.serve(subject::rpc::COMMIT_CHECKPOINT, move |commit: CommitCheckpoint| {
            let mut told = told.lock().unwrap();
            if told.refuses_commits {
                return Err(refusal(false));
            }
            let point = ResumePoint {
                checkpoint: commit.checkpoint,
                step: commit.step,
                prefix: commit.prefix.clone(),
                manifest_sha256: commit.manifest_sha256.clone(),
            };
            told.resume.insert(0, point);
            told.commits.push(commit);
            Ok(Done {})
        });
        let told = self.told.clone();
        self.serve(subject::rpc::REJECT_CHECKPOINT, move |reject: RejectCheckpoint| {
            told.lock().unwrap().rejected.push(reject);
            Ok(Done {})
        });
        let told = self.told.clone();
        self.serve(subject::rpc::FINISH_TASK, move |finish: FinishTask| {
            let mut told = told.lock().unwrap();
            if told.refused_finishes > 0 {
                told.refused_finishes -= 1;
                return Err(refusal(false));
            }
            told.queued = finish.outcome == TaskState::Queued;
            told.finishes.push(finish);
            Ok(Done {})
        });
        self.bus.flush().await.unwrap();
    }

    fn serve<T, R>(
        &self,
        subject: &'static str,
        answer: impl Fn(T) -> Result<R, Refusal> + Send + Sync + 'static,
    ) where
        T: serde::de::DeserializeOwned + Send + 'static,
        R: serde::Serialize + Send + 'static,
    {
        let bus = self.bus.clone();
        tasks::spawn("test.task-api", async move {
            let answer = move |request: Request<T>| std::future::ready(answer(request.body));
            bus.serve(subject, "task-api", CancellationToken::new(), answer).await
        });
    }

    pub(crate) async fn dispatch(&self) {
        let (kind, pool) = (TaskKind::Training, Pool::Fast);
        let envelope = Envelope {
            id: EventId::new(),
            kind: DispatchTask::TYPE.to_owned(),
            source: "/anneal/task-api".to_owned(),
            subject: self.task.to_string(),
            time: "2026-01-02T03:04:05Z".to_owned(),
            workspace: self.workspace,
            epoch: 0,
            seq: 0,
            trace: Trace::fresh(),
        };
        let command = DispatchTask { task: self.task, workspace: self.workspace, kind, pool };
        self.bus.publish(&subject::dispatch(kind, pool), &envelope, &command).await.unwrap();
    }

    pub(crate) async fn add_checkpoint(&self, step: u64) {
        let local = tempfile::tempdir().unwrap();
        fs::write(local.path().join("w"), "weights").unwrap();
        let checkpoint = CheckpointId::new();
        let prefix = Prefix::task(self.workspace, self.task).checkpoint(checkpoint, RequestId::new());
        let folder = self.store.put_folder(&prefix, local.path()).await.unwrap();
        let (prefix, manifest_sha256) = (prefix.to_string(), folder.manifest_sha256);
        self.tell(|told| told.resume.insert(0, ResumePoint { checkpoint, step, prefix, manifest_sha256 }));
    }

    pub(crate) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap());
    }

    pub(crate) fn told<T>(&self, read: impl FnOnce(&Told) -> T) -> T {
        read(&self.told.lock().unwrap())
    }

    /// The first finish.
    pub(crate) async fn finished(&self) -> FinishTask {
        eventually(SOON, || async { self.told(|told| !told.finishes.is_empty()) }).await;
        self.told(|told| told.finishes[0].clone())
    }

    pub(crate) async fn engine_started(&self) {
        eventually(SOON, || async { self.engine_lives() }).await;
        eventually(SOON, || async { self.told(|told| told.stages.iter().any(|it| it.stage == "train")) })
            .await;
    }

    /// Whether the process that wrote its id is there and no zombie.
    pub(crate) fn engine_lives(&self) -> bool {
        let Ok(pid) = fs::read_to_string(self.scratch.path().join("pid")) else { return false };
        let command = fs::read(format!("/proc/{}/cmdline", pid.trim()));
        command.is_ok_and(|command| !command.is_empty())
    }

    pub(crate) async fn fetch(&self, prefix: &str, sha256: &str) -> TempDir {
        let local = tempfile::tempdir().unwrap();
        let prefix = Prefix::parse(prefix).unwrap();
        self.store.get_folder(&prefix, Some(sha256), local.path()).await.unwrap();
        local
    }

    pub(crate) async fn object(&self, key: &str) -> String {
        let bytes = self.store.get_bytes(&Key::try_from(key.to_owned()).unwrap()).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
