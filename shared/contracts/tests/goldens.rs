//! Frozen wire forms: a difference here is a broken contract, and needs a new version of the message instead.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use anneal_contracts::{
    command::DispatchTask,
    engine::{Level, Line, StageState},
    event::{
        AnyTaskEvent, Artifact, CheckpointCommitted, Failure, RequeueReason, StageChanged, TaskClaimed,
        TaskEvent, TaskFinished, TaskQueued, TaskRequeued, VerbRequested,
    },
    stream, subject,
    telemetry::{LogLine, LogWritten, MetricPoint, MetricRecorded, ProgressReported},
    usage::UsageReported,
};
use anneal_domain::{
    Microcredits,
    id::{CheckpointId, HoldId, ModelId, TaskId, WorkerId, WorkspaceId},
    spec::{Pool, TaskKind},
    task::{TaskState, Verb},
};
use serde::{Serialize, de::DeserializeOwned};

/// The value writes exactly this text, and the text reads back as the value.
fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), text);
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), value);
}

const TASK: &str = "task-00000000000000000000000000000001";

fn task() -> TaskId {
    TaskId::from_u128(1)
}

#[test]
fn dispatch() {
    golden(
        &DispatchTask {
            task: task(),
            workspace: WorkspaceId::from_u128(2),
            kind: TaskKind::Training,
            pool: Pool::Fast,
        },
        r#"{"task":"task-00000000000000000000000000000001","workspace":"ws-00000000000000000000000000000002","kind":"training","pool":"fast"}"#,
    );
}

#[test]
fn usage() {
    golden(
        &UsageReported {
            task: task(),
            kind: TaskKind::Compilation,
            pool: Pool::Turbo,
            epoch: 2,
            seq: 3,
            running_ms: 10_000,
            rate_per_hour: Microcredits(6_000_000),
            last: false,
        },
        r#"{"task":"task-00000000000000000000000000000001","kind":"compilation","pool":"turbo","epoch":2,"seq":3,"running_ms":10000,"rate_per_hour":6000000,"last":false}"#,
    );
}

fn event(value: TaskEvent, ce_type: &str, text: &str) {
    assert_eq!(value.ce_type(), ce_type);
    golden(&AnyTaskEvent::from(value), &text.replace("TASK", TASK));
}

#[test]
fn events_of_a_life() {
    event(
        TaskEvent::Queued(TaskQueued {
            task: task(),
            kind: TaskKind::Evaluation,
            pool: Pool::Fast,
            name: "评估".to_owned(),
            hold: Some(HoldId::from_u128(3)),
            held: Microcredits(5),
        }),
        "anneal.task.queued.v1",
        r#"{"v":"1","event":"queued","task":"TASK","kind":"evaluation","pool":"fast","name":"评估","hold":"hold-00000000000000000000000000000003","held":5}"#,
    );
    event(
        TaskEvent::Claimed(TaskClaimed {
            task: task(),
            worker: WorkerId::from_u128(4),
            epoch: 1,
            rate_per_hour: Microcredits(7),
            resume_from: None,
        }),
        "anneal.task.claimed.v1",
        r#"{"v":"1","event":"claimed","task":"TASK","worker":"worker-00000000000000000000000000000004","epoch":1,"rate_per_hour":7,"resume_from":null}"#,
    );
    event(
        TaskEvent::StageChanged(StageChanged {
            task: task(),
            epoch: 1,
            seq: 1,
            stage: "train".to_owned(),
            state: StageState::Started,
            at_ms: 9,
        }),
        "anneal.task.stage-changed.v1",
        r#"{"v":"1","event":"stage_changed","task":"TASK","epoch":1,"seq":1,"stage":"train","state":"started","at_ms":9}"#,
    );
    event(
        TaskEvent::CheckpointCommitted(CheckpointCommitted {
            task: task(),
            epoch: 1,
            checkpoint: CheckpointId::from_u128(5),
            step: 10,
            running_ms: 1234,
        }),
        "anneal.task.checkpoint-committed.v1",
        r#"{"v":"1","event":"checkpoint_committed","task":"TASK","epoch":1,"checkpoint":"ckpt-00000000000000000000000000000005","step":10,"running_ms":1234}"#,
    );
    event(
        TaskEvent::VerbRequested(VerbRequested {
            task: task(),
            verb: Verb::Pause,
            state: TaskState::Pausing,
            reason: String::new(),
        }),
        "anneal.task.verb-requested.v1",
        r#"{"v":"1","event":"verb_requested","task":"TASK","verb":"pause","state":"pausing","reason":""}"#,
    );
    event(
        TaskEvent::Requeued(TaskRequeued {
            task: task(),
            epoch: 1,
            reason: RequeueReason::LeaseExpired,
            state: TaskState::Queued,
            kept_ms: 1000,
            charged_ms: 2000,
        }),
        "anneal.task.requeued.v1",
        r#"{"v":"1","event":"requeued","task":"TASK","epoch":1,"reason":"lease_expired","state":"queued","kept_ms":1000,"charged_ms":2000}"#,
    );
}

fn finished(state: TaskState) -> TaskFinished {
    TaskFinished {
        task: task(),
        kind: TaskKind::Training,
        epoch: 2,
        state,
        failure: None,
        figures: serde_json::from_str(r#"{"steps":20}"#).unwrap(),
        artifacts: vec![Artifact {
            role: "adapter".to_owned(),
            prefix: "ws/tasks/x/adapter".to_owned(),
            manifest_sha256: "ab".to_owned(),
            size_bytes: 3,
        }],
        model: Some(ModelId::from_u128(6)),
        checkpoint: None,
        running_ms: 99,
    }
}

#[test]
fn events_of_an_end() {
    event(
        TaskEvent::Finished(Box::new(finished(TaskState::Succeeded))),
        "anneal.training.completed.v1",
        r#"{"v":"1","event":"finished","task":"TASK","kind":"training","epoch":2,"state":"succeeded","failure":null,"figures":{"steps":20},"artifacts":[{"role":"adapter","prefix":"ws/tasks/x/adapter","manifest_sha256":"ab","size_bytes":3}],"model":"model-00000000000000000000000000000006","checkpoint":null,"running_ms":99}"#,
    );
    let failure = Failure {
        code: "invalid_spec".to_owned(),
        field: Some("model".to_owned()),
        message: "no".to_owned(),
    };
    event(
        TaskEvent::Finished(Box::new(TaskFinished {
            failure: Some(failure),
            artifacts: Vec::new(),
            model: None,
            ..finished(TaskState::Failed)
        })),
        "anneal.task.failed.v1",
        r#"{"v":"1","event":"finished","task":"TASK","kind":"training","epoch":2,"state":"failed","failure":{"code":"invalid_spec","field":"model","message":"no"},"figures":{"steps":20},"artifacts":[],"model":null,"checkpoint":null,"running_ms":99}"#,
    );
}

#[test]
fn telemetry() {
    let values = BTreeMap::from([("loss".to_owned(), Some(1.25)), ("grad_norm".to_owned(), None)]);
    golden(
        &MetricRecorded { task: task(), epoch: 1, points: vec![MetricPoint { step: 3, values }] },
        r#"{"task":"task-00000000000000000000000000000001","epoch":1,"points":[{"step":3,"values":{"grad_norm":null,"loss":1.25}}]}"#,
    );
    let line = LogLine {
        stage: "train".to_owned(),
        at_ms: 5,
        level: Level::Warn,
        message: "3 rows truncated".to_owned(),
    };
    golden(
        &LogWritten { task: task(), epoch: 1, first_line: 7, lines: vec![line] },
        r#"{"task":"task-00000000000000000000000000000001","epoch":1,"first_line":7,"lines":[{"stage":"train","at_ms":5,"level":"warn","message":"3 rows truncated"}]}"#,
    );
    golden(
        &ProgressReported {
            task: task(),
            epoch: 1,
            seq: 2,
            stage: "train".to_owned(),
            done: 1,
            total: 4,
            unit: "steps".to_owned(),
            eta_seconds: Some(1.5),
        },
        r#"{"task":"task-00000000000000000000000000000001","epoch":1,"seq":2,"stage":"train","done":1,"total":4,"unit":"steps","eta_seconds":1.5}"#,
    );
}

#[test]
fn engine_lines() {
    golden(
        &Line::Stage { name: "tokenize".to_owned(), state: StageState::Finished },
        r#"{"type":"stage","name":"tokenize","state":"finished"}"#,
    );
    golden(
        &Line::Progress { done: 12, total: 200, unit: "steps".to_owned(), eta_seconds: Some(81.0) },
        r#"{"type":"progress","done":12,"total":200,"unit":"steps","eta_seconds":81.0}"#,
    );
    golden(
        &Line::Checkpoint { step: 100, path: "checkpoint-100".to_owned(), best: false },
        r#"{"type":"checkpoint","step":100,"path":"checkpoint-100"}"#,
    );
    golden(
        &Line::Error {
            code: "invalid_row".to_owned(),
            field: Some("train.jsonl:17".to_owned()),
            message: "no `output`".to_owned(),
            retryable: false,
        },
        r#"{"type":"error","code":"invalid_row","field":"train.jsonl:17","message":"no `output`","retryable":false}"#,
    );
    let figures = serde_json::from_str(r#"{"steps":3,"final_loss":0.1}"#).unwrap();
    golden(&Line::Result { figures }, r#"{"type":"result","steps":3,"final_loss":0.1}"#);
}

#[test]
fn subjects_and_streams() {
    let workspace = WorkspaceId::from_u128(2);
    assert_eq!(subject::dispatch(TaskKind::Training, Pool::Fast), "task.v1.dispatch.training.fast");
    assert_eq!(
        subject::event(workspace, task()),
        format!("event.v1.ws-00000000000000000000000000000002.task.{TASK}")
    );
    assert_eq!(
        subject::usage(workspace, task()),
        format!("usage.v1.ws-00000000000000000000000000000002.{TASK}")
    );
    assert_eq!(
        subject::telemetry(workspace, task(), subject::Channel::Log),
        format!("telemetry.v1.ws-00000000000000000000000000000002.{TASK}.log")
    );
    assert_eq!(subject::dead_letter("a.*>\r\nb-1"), "deadletter.v1.a_____b-1");
    let names: Vec<_> = stream::ALL.iter().map(|stream| stream.name).collect();
    assert_eq!(names, ["TASKS", "EVENTS", "USAGE", "TELEMETRY", "DEADLETTER"]);
    assert_eq!(stream::USAGE.full, stream::Full::RefuseNew);
    assert_eq!(stream::Consumer::workers(TaskKind::Training, Pool::Fast).durable, "worker-training-fast");
}
