//! What lies in the object store: written once, kept while anything needs it, gone afterwards.

use std::sync::atomic::Ordering;

use anneal_artifacts::{Folder, Prefix};
use anneal_contracts::{
    Trace,
    event::Artifact,
    rpc::{CommitCheckpoint, Done, FinishTask},
    stream::{self, Consumer},
    subject::{self, rpc},
};
use anneal_domain::{
    id::{CheckpointId, TaskId, WorkerId, WorkspaceId},
    spec::{Pool, TaskKind},
    task::TaskState,
};
use anneal_runtime::CancellationToken;
use anneal_task_api::Config;
use anneal_testkit::eventually;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    stack::{ADMIN_KEY, Stack, gguf},
    tasks::{DEADLINE, claim, created},
};

fn workspace_of(task: &Value) -> WorkspaceId {
    task["workspace"].as_str().unwrap().parse().unwrap()
}

async fn count(stack: &Stack, prefix: &Prefix) -> usize {
    stack.objects.list(prefix).await.unwrap().len()
}

/// A folder of one file in the store, with its manifest.
async fn folder(stack: &Stack, prefix: &Prefix) -> Folder {
    let local = tempfile::tempdir().unwrap();
    std::fs::write(local.path().join("weights"), prefix.as_str()).unwrap();
    stack.objects.put_folder(prefix, local.path()).await.unwrap()
}

/// A request by hand of whose body only the first bytes came.
async fn begun(
    stack: &Stack,
    method: &str,
    path: &str,
    length: usize,
    first: &[u8],
) -> tokio::net::TcpStream {
    let address = stack.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(first).await.unwrap();
    socket
}

async fn status(socket: &mut tokio::net::TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.windows(2).any(|end| end == b"\r\n") {
        assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "the connection was closed");
    }
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_comes_too_late_changes_nothing_of_a_complete_model() {
    let stack = Stack::start().await;
    let body = json!({ "name": "base", "source": "imported" });
    let made = stack.post("/api/v1/models", &body).await.expect(201);
    let model = format!("/api/v1/models/{}", made["id"].as_str().unwrap());
    let path = format!("{model}/files/base.gguf");
    // Other bytes under the same path are on their way while the first ones are checked.
    let evil = vec![b'x'; gguf().len()];
    let mut late = begun(&stack, "PUT", &path, evil.len(), &evil[..10]).await;
    stack.send(stack.request(Method::PUT, &path, ADMIN_KEY).body(gguf())).await.expect(200);
    stack.post(&format!("{model}/complete"), &Value::Null).await.expect(200);
    late.write_all(&evil[10..]).await.unwrap();
    assert_eq!(status(&mut late).await, "409");
    let link = stack.get(&format!("{path}?redirect=false")).await.expect(200);
    let bytes = reqwest::get(link["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, gguf());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_of_one_path_one_is_the_models_whole() {
    let stack = Stack::start().await;
    let body = json!({ "name": "base", "source": "imported" });
    let made = stack.post("/api/v1/models", &body).await.expect(201);
    let model = format!("/api/v1/models/{}", made["id"].as_str().unwrap());
    let path = format!("{model}/files/base.gguf");
    // Two sound files that differ behind their weights.
    let versions: Vec<Vec<u8>> = (1..=2).map(|byte| [gguf().as_slice(), &[byte; 100]].concat()).collect();
    let puts = versions.iter().map(|bytes| {
        let request = stack.request(Method::PUT, &path, ADMIN_KEY).body(bytes.clone());
        stack.send(request)
    });
    for answer in futures::future::join_all(puts).await {
        answer.expect(200);
    }
    stack.post(&format!("{model}/complete"), &Value::Null).await.expect(200);
    let link = stack.get(&format!("{path}?redirect=false")).await.expect(200);
    let bytes = reqwest::get(link["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    let link = stack.get(&format!("{model}/files/manifest.json?redirect=false")).await.expect(200);
    let manifest = reqwest::get(link["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), &bytes).unwrap();
    let stored = anneal_artifacts::sha256_of_file(local.path()).await.unwrap();
    assert_eq!(manifest["files"][0]["sha256"], stored.sha256, "the manifest is of the bytes that are there");
    // The other upload goes: one file and the manifest stay.
    let all = Prefix::workspace(made_workspace(&stack).await)
        .join(&format!("model/{}", made["id"].as_str().unwrap()))
        .unwrap();
    eventually(DEADLINE, async || count(&stack, &all).await == 2).await;
}

async fn made_workspace(stack: &Stack) -> WorkspaceId {
    let workspace = stack.get("/api/v1/workspace").await.expect(200);
    workspace["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_that_goes_while_billing_is_asked_fails_the_task() {
    let stack = Stack::start().await;
    let body = stack.training().await;
    let dataset = format!("/api/v1/datasets/{}", body["spec"]["dataset"].as_str().unwrap());
    let closed = stack.gate.clone().write_owned().await;
    let (made, ()) = tokio::join!(stack.post("/api/v1/tasks", &body), async {
        eventually(DEADLINE, async || stack.held.load(Ordering::SeqCst) == 1).await;
        stack.send(stack.request(Method::DELETE, &dataset, ADMIN_KEY)).await.expect(204);
        drop(closed);
    });
    assert_eq!(made.fields(), ["spec.dataset"]);
    made.expect(422);
    eventually(DEADLINE, async || stack.released.load(Ordering::SeqCst) == 1).await;
    assert_eq!(stack.get("/api/v1/tasks").await.expect(200)["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builtin_dataset_that_a_task_calibrates_with_stays() {
    let stack = Stack::start().await;
    let made = stack.upload("name=c4&filename=c4.txt&builtin=true", "Once upon a time.\n").await.expect(201);
    let model = stack.model().await;
    let spec = json!({ "kind": "compilation", "model_source": "builtin", "model": model, "quantization": "int8",
                       "calibration": "c4" });
    let task = stack.post("/api/v1/tasks", &json!({ "name": "c", "spec": spec })).await.expect(202);
    let path = format!("/api/v1/datasets/{}", made["id"].as_str().unwrap());
    let remove = || stack.send(stack.request(Method::DELETE, &path, ADMIN_KEY));
    remove().await.expect(409);
    let cancel = format!("/api/v1/tasks/{}/cancel", task["id"].as_str().unwrap());
    stack.post(&cancel, &Value::Null).await.expect(202);
    remove().await.expect(204);
    let prefix = Prefix::dataset(workspace_of(&task), made["id"].as_str().unwrap().parse().unwrap());
    eventually(DEADLINE, async || count(&stack, &prefix).await == 0).await;
}

/// Commits a checkpoint whose folder is in the store.
async fn checkpoint(stack: &Stack, workspace: WorkspaceId, task: TaskId, worker: WorkerId, step: u64) {
    let id = CheckpointId::new();
    let prefix = Prefix::task(workspace, task).join(&format!("checkpoint/{step}")).unwrap();
    let stored = folder(stack, &prefix).await;
    let commit = CommitCheckpoint {
        task,
        worker,
        epoch: 1,
        checkpoint: id,
        step,
        prefix: prefix.as_str().to_owned(),
        manifest_sha256: stored.manifest_sha256,
        size_bytes: stored.size_bytes,
        running_ms: 1,
        best: step == 1,
    };
    let _: Done = stack.bus.request(rpc::COMMIT_CHECKPOINT, Trace::fresh(), &commit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn superseded_checkpoints_go_and_a_cancelled_task_leaves_nothing() {
    let stack = Stack::start_with(|config| Config { lease_ms: 60_000, ..config }).await;
    let (id, task) = created(&stack).await;
    let (workspace, worker) = (workspace_of(&task), WorkerId::new());
    claim(&stack, id, worker).await;
    for step in 1..=6 {
        checkpoint(&stack, workspace, id, worker, step).await;
    }
    let path = format!("/api/v1/tasks/{id}");
    let steps = async || {
        let kept = stack.get(&format!("{path}/checkpoints")).await.expect(200);
        kept["data"].as_array().unwrap().iter().map(|row| row["step"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    // Those to go on from, and the best one; a folder has its file and its manifest.
    assert_eq!(steps().await, [6, 5, 4, 1]);
    let prefix = Prefix::task(workspace, id);
    eventually(DEADLINE, async || count(&stack, &prefix).await == 8).await;
    stack.post(&format!("{path}/cancel"), &Value::Null).await.expect(202);
    let finish = finish(id, worker, TaskState::Cancelled, Vec::new());
    let _: Done = stack.bus.request(rpc::FINISH_TASK, Trace::fresh(), &finish).await.unwrap();
    eventually(DEADLINE, async || count(&stack, &prefix).await == 0).await;
    assert_eq!(steps().await, [0_u64; 0]);
}

fn finish(task: TaskId, worker: WorkerId, outcome: TaskState, artifacts: Vec<Artifact>) -> FinishTask {
    FinishTask {
        task,
        worker,
        epoch: 1,
        seq: 9,
        running_ms: 0,
        outcome,
        requeue: None,
        failure: None,
        figures: Map::new(),
        artifacts,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_task_leaves_its_model_and_its_bill_and_the_model_leaves_nothing() {
    let stack = Stack::start_with(|config| Config { lease_ms: 60_000, ..config }).await;
    let (id, task) = created(&stack).await;
    let (workspace, worker) = (workspace_of(&task), WorkerId::new());
    claim(&stack, id, worker).await;
    let prefix = Prefix::task(workspace, id);
    let adapter = folder(&stack, &prefix.artifact(1, "adapter").unwrap()).await;
    folder(&stack, &prefix.artifact(1, "tensorboard").unwrap()).await;
    folder(&stack, &prefix.join("checkpoint/never-committed").unwrap()).await;
    let artifact = Artifact {
        role: "adapter".to_owned(),
        prefix: adapter.prefix.as_str().to_owned(),
        manifest_sha256: adapter.manifest_sha256,
        size_bytes: adapter.size_bytes,
    };
    let finish = finish(id, worker, TaskState::Succeeded, vec![artifact]);
    let _: Done = stack.bus.request(rpc::FINISH_TASK, Trace::fresh(), &finish).await.unwrap();
    let path = format!("/api/v1/tasks/{id}");
    let model = stack.get(&path).await.expect(200)["model"].as_str().unwrap().to_owned();
    eventually(DEADLINE, async || count(&stack, &prefix).await == 2).await;
    stack.send(stack.request(Method::DELETE, &path, ADMIN_KEY)).await.expect(204);
    assert_eq!(stack.get(&format!("/api/v1/billing/tasks/{id}")).await.expect(200)["closed"], true);
    stack.get(&format!("/api/v1/models/{model}/files/weights?redirect=false")).await.expect(200);
    let path = format!("/api/v1/models/{model}");
    stack.send(stack.request(Method::DELETE, &path, ADMIN_KEY)).await.expect(204);
    eventually(DEADLINE, async || count(&stack, &prefix).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_dispatch_that_the_broker_lost_is_sent_again() {
    let mut stack = Stack::start_with(|config| Config { redispatch_ms: 200, ..config }).await;
    let body = stack.training().await;
    for _ in 0..3 {
        stack.post("/api/v1/tasks", &body).await.expect(202);
    }
    let filter = subject::dispatch(TaskKind::Training, Pool::Fast);
    let bus = stack.bus.clone();
    let held = async || bus.held(&stream::TASKS, &filter).await.unwrap();
    eventually(DEADLINE, async || held().await == 3).await;
    let mut queue = stack.bus.consumer(Consumer::workers(TaskKind::Training, Pool::Fast));
    let until = CancellationToken::new();
    let lost = queue.next_dispatch(&until).await.unwrap();
    let again = lost.command.task;
    lost.acknowledge().await.unwrap();
    eventually(DEADLINE, async || held().await == 3).await;
    stack.stop().await;
    let mut waiting = Vec::new();
    for _ in 0..held().await {
        let dispatch = queue.next_dispatch(&until).await.unwrap();
        waiting.push(dispatch.command.task);
        dispatch.acknowledge().await.unwrap();
    }
    assert!(waiting.contains(&again));
    waiting.sort();
    waiting.dedup();
    assert_eq!((waiting.len(), held().await), (3, 0), "one dispatch for each task that waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stands_still_is_given_up() {
    let stack = Stack::start_with(|config| Config { body_idle_ms: 100, ..config }).await;
    let body = json!({ "name": "base", "source": "imported" });
    let made = stack.post("/api/v1/models", &body).await.expect(201);
    let path = format!("/api/v1/models/{}/files/base.gguf", made["id"].as_str().unwrap());
    for (method, path) in
        [("PUT", path.as_str()), ("POST", "/api/v1/datasets?name=x"), ("POST", "/api/v1/tasks")]
    {
        let mut socket = begun(&stack, method, path, 100, b"{").await;
        assert_eq!(status(&mut socket).await, "408", "{path}");
    }
}
