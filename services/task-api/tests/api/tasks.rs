//! A task from its creation to its end, over HTTP and the broker.

use std::{sync::atomic::Ordering, time::Duration};

use anneal_contracts::{
    Envelope, Trace,
    engine::{Level, StageState},
    event::Artifact,
    rpc::{ClaimReply, ClaimTask, Done, FinishTask, RenewLease, RenewReply, ReportStage},
    stream::Consumer,
    subject::{self, Channel, rpc},
    telemetry::{LogLine, LogWritten, ProgressReported},
};
use anneal_domain::{
    id::{EventId, RequestId, TaskId, WorkerId, WorkspaceId},
    spec::{Pool, TaskKind},
    task::{TaskState, Wanted},
};
use anneal_runtime::CancellationToken;
use anneal_testkit::eventually;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::stack::{ADMIN_KEY, Stack};

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn created(stack: &Stack) -> (TaskId, Value) {
    let body = stack.training().await;
    let task = stack.post("/api/v1/tasks", &body).await.expect(202);
    (task["id"].as_str().unwrap().parse().unwrap(), task)
}

pub(crate) async fn claim(
    stack: &Stack,
    task: TaskId,
    worker: WorkerId,
) -> Box<anneal_contracts::rpc::ClaimedTask> {
    let ask = ClaimTask { task, worker, request: RequestId::new() };
    match stack.bus.request(rpc::CLAIM_TASK, Trace::fresh(), &ask).await.unwrap() {
        ClaimReply::Won(claimed) => claimed,
        ClaimReply::NotQueued => panic!("the task waits, and was not given"),
    }
}

pub(crate) async fn say<T: Serialize>(
    stack: &Stack,
    workspace: WorkspaceId,
    task: TaskId,
    channel: Channel,
    kind: &str,
    body: &T,
) {
    let envelope = Envelope {
        id: EventId::new(),
        kind: kind.to_owned(),
        source: "/test".to_owned(),
        subject: task.to_string(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        workspace,
        epoch: 1,
        seq: 1,
        trace: Trace::fresh(),
    };
    stack.bus.publish(&subject::telemetry(workspace, task, channel), &envelope, body).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one life, told in one piece")]
async fn a_task_lives_from_post_to_its_model_under_one_trace() {
    let stack = Stack::start().await;
    let trace = Trace::fresh();
    let body = stack.training().await;
    let post =
        stack.request(Method::POST, "/api/v1/tasks", ADMIN_KEY).header("traceparent", trace.to_string());
    let task = stack.send(post.json(&body)).await.expect(202);
    assert_eq!(task["state"], "queued");
    let id: TaskId = task["id"].as_str().unwrap().parse().unwrap();
    let workspace: WorkspaceId = task["workspace"].as_str().unwrap().parse().unwrap();

    let mut queue = stack.bus.consumer(Consumer::workers(TaskKind::Training, Pool::Fast));
    let dispatch = queue.next_dispatch(&CancellationToken::new()).await.unwrap();
    assert_eq!(dispatch.command.task, id);
    assert_eq!(dispatch.envelope.trace.trace_id, trace.trace_id);
    dispatch.acknowledge().await.unwrap();

    let worker = WorkerId::new();
    let claimed = claim(&stack, id, worker).await;
    assert_eq!(claimed.epoch, 1);
    let roles: Vec<&str> = claimed.inputs.iter().map(|input| input.role.as_str()).collect();
    assert_eq!(roles, ["model", "dataset"]);
    assert_eq!(Trace::parse(&claimed.traceparent).unwrap().trace_id, trace.trace_id);

    let stage = ReportStage {
        task: id,
        worker,
        epoch: 1,
        seq: 1,
        stage: "train".to_owned(),
        state: StageState::Started,
        log_key: None,
    };
    let _: Done = stack.bus.request(rpc::REPORT_STAGE, trace, &stage).await.unwrap();
    let progress = ProgressReported {
        task: id,
        epoch: 1,
        seq: 1,
        stage: "train".to_owned(),
        done: 1,
        total: 4,
        unit: "steps".to_owned(),
        eta_seconds: Some(3.0),
    };
    say(&stack, workspace, id, Channel::Progress, ProgressReported::TYPE, &progress).await;
    let line =
        LogLine { stage: "train".to_owned(), at_ms: 1, level: Level::Info, message: "step 1".to_owned() };
    let log = LogWritten { task: id, epoch: 1, first_line: 0, lines: vec![line] };
    say(&stack, workspace, id, Channel::Log, LogWritten::TYPE, &log).await;
    let path = format!("/api/v1/tasks/{id}");
    eventually(DEADLINE, async || stack.get(&path).await.json["progress"]["percent"] == 25.0).await;
    eventually(DEADLINE, async || {
        stack.get(&format!("{path}/logs")).await.json["data"][0]["message"] == "step 1"
    })
    .await;

    let prefix = format!("{workspace}/task/{id}/artifact/1/adapter");
    let artifact =
        Artifact { role: "adapter".to_owned(), prefix, manifest_sha256: "00".to_owned(), size_bytes: 3 };
    let finish = FinishTask {
        task: id,
        worker,
        epoch: 1,
        seq: 9,
        running_ms: 0,
        outcome: TaskState::Succeeded,
        requeue: None,
        failure: None,
        figures: Map::from_iter([("final_loss".to_owned(), json!(0.5))]),
        artifacts: vec![artifact],
    };
    for _ in 0..2 {
        let _: Done = stack.bus.request(rpc::FINISH_TASK, trace, &finish).await.unwrap();
    }
    let done = stack.get(&path).await.expect(200);
    assert_eq!((&done["state"], &done["figures"]["final_loss"]), (&json!("succeeded"), &json!(0.5)));
    let model = done["model"].as_str().unwrap();
    let lineage = stack.get(&format!("/api/v1/models/{model}/lineage")).await.expect(200);
    assert_eq!(
        (&lineage["data"][0]["format"], &lineage["data"][1]["id"]),
        (&json!("adapter"), &body["spec"]["model"])
    );

    let told = format!("{path}/events");
    eventually(DEADLINE, async || {
        stack.get(&told).await.json["data"].as_array().is_some_and(|told| told.len() == 4)
    })
    .await;
    let told = stack.get(&told).await.json;
    let types: Vec<&str> =
        told["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "anneal.task.queued.v1",
            "anneal.task.claimed.v1",
            "anneal.task.stage-changed.v1",
            "anneal.training.completed.v1"
        ]
    );
    for event in told["data"].as_array().unwrap() {
        assert_eq!(Trace::parse(event["traceparent"].as_str().unwrap()).unwrap().trace_id, trace.trace_id);
    }
    let replayed = sse(&stack, "/api/v1/events", "0", 4).await;
    assert_eq!(replayed, types);
    let after = told["data"][1]["id"].to_string();
    assert_eq!(sse(&stack, "/api/v1/events", &after, 2).await, &types[2..]);
    stack.send(stack.request(Method::DELETE, &path, ADMIN_KEY)).await.expect(204);
    stack.get(&path).await.expect(404);
}

/// The event names of the first `count` events after an id.
async fn sse(stack: &Stack, path: &str, after: &str, count: usize) -> Vec<String> {
    let mut response =
        stack.request(Method::GET, path, ADMIN_KEY).header("Last-Event-ID", after).send().await.unwrap();
    let mut text = String::new();
    while text.matches("\ndata: ").count() < count {
        let piece = tokio::time::timeout(DEADLINE, response.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_goes_to_the_next_worker_and_fences_the_first() {
    let stack = Stack::start().await;
    let (id, _) = created(&stack).await;
    let (first, second) = (WorkerId::new(), WorkerId::new());
    assert_eq!(claim(&stack, id, first).await.epoch, 1);
    let path = format!("/api/v1/tasks/{id}");
    // The lease of 1.5 s runs out.
    eventually(DEADLINE, async || stack.get(&path).await.json["state"] == "queued").await;
    assert_eq!(claim(&stack, id, second).await.epoch, 2);
    let renew = |worker, epoch| RenewLease { task: id, worker, epoch, seq: 1, running_ms: i64::MAX };
    let stale = stack.bus.request::<_, RenewReply>(rpc::RENEW_LEASE, Trace::fresh(), &renew(first, 1)).await;
    assert!(matches!(stale, Err(anneal_bus::RequestError::Refused(refusal)) if refusal.is_fenced()));
    let kept: RenewReply =
        stack.bus.request(rpc::RENEW_LEASE, Trace::fresh(), &renew(second, 2)).await.unwrap();
    assert_eq!(kept.wanted, Wanted::Run);
    stack.post(&format!("{path}/pause"), &Value::Null).await.expect(202);
    let told: RenewReply =
        stack.bus.request(rpc::RENEW_LEASE, Trace::fresh(), &renew(second, 2)).await.unwrap();
    assert_eq!(told.wanted, Wanted::Pause);
    stack.post(&format!("{path}/cancel"), &Value::Null).await.expect(202);
    stack.post(&format!("{path}/resume"), &Value::Null).await.expect(409);
    stack.send(stack.request(Method::DELETE, &path, ADMIN_KEY)).await.expect(409);
    eventually(DEADLINE, async || stack.get(&path).await.json["state"] == "cancelled").await;
    stack.post(&format!("{path}/resume"), &Value::Null).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_creates_one_task() {
    let stack = Stack::start().await;
    let body = stack.training().await;
    let post = |body: &Value| {
        stack.send(
            stack
                .request(Method::POST, "/api/v1/tasks", ADMIN_KEY)
                .header("Idempotency-Key", "k1")
                .json(body),
        )
    };
    let mut at_once = Vec::new();
    for answer in futures::future::join_all((0..8).map(|_| post(&body))).await {
        at_once.push(answer.expect(202)["id"].clone());
    }
    assert!(at_once.iter().all(|id| *id == at_once[0]), "{at_once:?}");
    let mut other = body.clone();
    other["name"] = json!("second");
    assert_eq!(post(&other).await.fields(), ["Idempotency-Key"]);
    let list = stack.get("/api/v1/tasks").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let (held, released) = (stack.held.load(Ordering::SeqCst), stack.released.load(Ordering::SeqCst));
    assert_eq!(held - released, 1, "every hold without a task is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_and_filtered_and_nothing_is_lost_when_fifty_create_at_once() {
    let stack = Stack::start().await;
    let body = stack.training().await;
    let named = |n: usize| {
        let mut body = body.clone();
        body["name"] = json!(format!("task {n}"));
        body
    };
    let bodies: Vec<Value> = (0..50).map(named).collect();
    let made = futures::future::join_all(bodies.iter().map(|body| stack.post("/api/v1/tasks", body)));
    for answer in made.await {
        answer.expect(202);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            stack.get(&format!("/api/v1/tasks?limit=7&kind=training&state=queued{cursor}")).await.expect(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|task| task["id"].to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 50);
    seen.dedup();
    assert_eq!(seen.len(), 50);
    let found = stack.get("/api/v1/tasks?q=TASK%2049").await.expect(200);
    assert_eq!(found["data"][0]["name"], "task 49");
    let form = stack
        .post(&format!("/api/v1/tasks/{}/clone", seen[0].trim_matches('"')), &Value::Null)
        .await
        .expect(200);
    assert_eq!(form["spec"]["task_type"], "sft");
    let quote = stack.post("/api/v1/tasks/quote", &body).await.expect(200);
    assert_eq!((&quote["hold_microcredits"], quote["warnings"].as_array().unwrap().len()), (&json!(100), 1));
}
