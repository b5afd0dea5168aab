//! A worker with scripted engines, over a real broker and object store, before a task-api that remembers what it was told.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::{fs, time::Duration};

use anneal_contracts::{
    engine::StageState,
    event::RequeueReason,
    stream,
    telemetry::{LogLine, LogWritten, MetricRecorded},
};
use anneal_domain::task::{TaskState, Wanted};
use anneal_testkit::eventually;
use stage::{SOON, Stage};

/// Writes a checkpoint and a model, and says so.
const GOOD: &str = r#"
[ -z "$CARGO_MANIFEST_DIR" ] || exit 1
echo '{"type":"stage","name":"train","state":"started"}'
echo '{"type":"log","level":"info","stage":"train","message":"hello"}'
echo '{"type":"metric","step":1,"values":{"loss":1.5}}'
echo '{"type":"progress","done":1,"total":1,"unit":"steps"}'
echo 'human text' >&2
mkdir -p output/checkpoint-1 && echo weights > output/checkpoint-1/w
echo '{"type":"checkpoint","step":1,"path":"output/checkpoint-1"}'
mkdir -p output/model && echo model > output/model/m
echo '{"type":"stage","name":"train","state":"finished"}'
echo '{"type":"result","steps":1,"model_dir":"'$PWD'/output/model"}'
"#;

/// Runs until it is told to stop; then writes a checkpoint.
const PATIENT: &str = r#"
echo $$ > "$SCRATCH/pid"
stop() {
  mkdir -p output/checkpoint-7 && echo late > output/checkpoint-7/w
  echo '{"type":"checkpoint","step":7,"path":"output/checkpoint-7"}'
  exit 3
}
trap stop TERM
echo '{"type":"stage","name":"train","state":"started"}'
while :; do sleep 0.05; done
"#;

#[tokio::test]
async fn a_good_engine_makes_a_finished_task() {
    let stage = Stage::start(GOOD).await;
    stage.dispatch().await;
    let finish = stage.finished().await;
    assert_eq!(finish.outcome, TaskState::Succeeded);
    assert_eq!(finish.figures["steps"], 1);
    assert!(!finish.figures.contains_key("model_dir"), "a local path means nothing elsewhere");
    assert_eq!(finish.artifacts.len(), 1);
    assert_eq!(finish.artifacts[0].role, "model");
    let model = stage.fetch(&finish.artifacts[0].prefix, &finish.artifacts[0].manifest_sha256).await;
    assert_eq!(fs::read_to_string(model.path().join("m")).unwrap(), "model\n");

    let commits = stage.told(|told| told.commits.clone());
    assert_eq!(commits.iter().map(|commit| commit.step).collect::<Vec<_>>(), [1]);
    let stages = stage.told(|told| told.stages.clone());
    let names: Vec<_> = stages.iter().map(|report| (report.stage.as_str(), report.state)).collect();
    let expected = ["fetch", "train", "upload"].into_iter();
    let expected: Vec<_> =
        expected.flat_map(|name| [(name, StageState::Started), (name, StageState::Finished)]).collect();
    assert_eq!(names, expected);
    assert_eq!(stages.iter().map(|report| report.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let log = stages[3].log_key.clone().unwrap();
    let plain = stage.object(&format!("{log}.log")).await;
    assert!(plain.contains("info hello") && plain.contains("debug human text"), "{plain}");
    assert_eq!(stage.object(&format!("{log}.jsonl")).await.lines().count(), plain.lines().count());

    let mut lines = Vec::new();
    let mut steps = Vec::new();
    let read = |delivery: anneal_bus::Delivery| match delivery.envelope.kind.as_str() {
        LogWritten::TYPE => {
            let batch: LogWritten = delivery.parse().unwrap();
            assert_eq!(batch.first_line, lines.len() as u64);
            lines.extend(batch.lines);
        }
        MetricRecorded::TYPE => steps.extend(delivery.parse::<MetricRecorded>().unwrap().points),
        _ => {}
    };
    stage.bus.replay(&stream::TELEMETRY, read).await.unwrap();
    assert!(lines.iter().any(|line| line.message == "hello" && line.stage == "train"));
    assert_eq!(steps[0].values["loss"], Some(1.5));
    assert!(
        fs::read_dir(stage.work.path().join("run")).unwrap().next().is_none(),
        "the work folder is cleaned"
    );
}

#[tokio::test]
async fn an_engine_that_dies_is_tried_again_and_goes_on_from_its_checkpoint() {
    let stage = Stage::start(
        r#"
case "$(cat "$1")" in
  *resume-5*) [ "$(cat resume-5/w)" = weights ] || exit 1
    echo '{"type":"result","resumed":true}' ;;
  *) mkdir -p output/c && echo weights > output/c/w
    echo '{"type":"checkpoint","step":5,"path":"output/c"}'
    kill -9 $$ ;;
esac
"#,
    )
    .await;
    stage.dispatch().await;
    let first = stage.finished().await;
    assert_eq!((first.outcome, first.requeue), (TaskState::Queued, Some(RequeueReason::EngineFailed)));
    assert!(first.failure.unwrap().message.contains("signal 9"));
    stage.dispatch().await;
    eventually(SOON, || async { stage.told(|told| told.finishes.len()) == 2 }).await;
    let second = stage.told(|told| told.finishes[1].clone());
    assert_eq!((second.outcome, second.epoch), (TaskState::Succeeded, 2));
    assert_eq!(second.figures["resumed"], true);
}

#[tokio::test]
async fn a_corrupt_checkpoint_falls_back_one() {
    let stage = Stage::start(
        r#"
case "$(cat "$1")" in
  *resume-2*) echo '{"type":"error","code":"corrupt_checkpoint","message":"no","retryable":false}'; exit 2 ;;
  *resume-1*) echo '{"type":"result","from":1}' ;;
  *) exit 1 ;;
esac
"#,
    )
    .await;
    for step in [1, 2, 3] {
        stage.add_checkpoint(step).await;
    }
    // The newest is damaged in the store, the next by the engine's word.
    let damaged = stage.told(|told| told.resume[0].prefix.clone());
    fs::write(stage.objects.root().join("anneal").join(damaged).join("w"), "weightS").unwrap();
    stage.dispatch().await;
    let finish = stage.finished().await;
    assert_eq!(finish.outcome, TaskState::Succeeded, "{:?}", finish.failure);
    assert_eq!(finish.figures["from"], 1);
    let points = stage.told(|told| told.resume.iter().map(|point| point.checkpoint).collect::<Vec<_>>());
    assert_eq!(
        stage.told(|told| told.rejected.iter().map(|it| it.checkpoint).collect::<Vec<_>>()),
        points[..2]
    );
}

#[tokio::test]
async fn bad_input_fails_at_once_with_the_engines_word() {
    let stage = Stage::start(
        r#"echo '{"type":"error","code":"invalid_row","field":"dataset:7","message":"no text","retryable":false}'; exit 2"#,
    )
    .await;
    stage.dispatch().await;
    let finish = stage.finished().await;
    assert_eq!(finish.outcome, TaskState::Failed);
    let failure = finish.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.field.as_deref()), ("invalid_row", Some("dataset:7")));
}

#[tokio::test]
async fn attempts_run_out() {
    let stage = Stage::start("echo 'cannot go on' >&2; exit 1").await;
    stage.tell(|told| told.failed_attempts = 2);
    stage.dispatch().await;
    let finish = stage.finished().await;
    assert_eq!(finish.outcome, TaskState::Failed);
    assert!(finish.failure.unwrap().message.contains("cannot go on"));
}

#[tokio::test]
async fn a_hung_engine_is_killed_and_tried_again() {
    let stage = Stage::start("echo $$ > \"$SCRATCH/pid\"; exec sleep 1000").await;
    stage.dispatch().await;
    let finish = stage.finished().await;
    assert_eq!(finish.outcome, TaskState::Queued);
    assert_eq!(finish.failure.unwrap().code, "engine_hung");
    assert!(!stage.engine_lives());
}

#[tokio::test]
async fn pause_stop_and_cancel_are_carried_out() {
    for (wanted, outcome, commits) in [
        (Wanted::Pause, TaskState::Paused, 1),
        (Wanted::Stop, TaskState::Stopped, 1),
        (Wanted::Cancel, TaskState::Cancelled, 0),
    ] {
        let stage = Stage::start(PATIENT).await;
        stage.dispatch().await;
        stage.engine_started().await;
        stage.tell(|told| told.wanted = wanted);
        let finish = stage.finished().await;
        assert_eq!(finish.outcome, outcome);
        assert_eq!(stage.told(|told| told.commits.len()), commits, "{wanted:?}");
        // A stopped task keeps what was done: its last checkpoint.
        assert_eq!(finish.artifacts.len(), usize::from(wanted == Wanted::Stop));
        assert!(!stage.engine_lives());
    }
}

#[tokio::test]
async fn a_worker_that_shuts_down_gives_its_task_back() {
    let stage = Stage::start(PATIENT).await;
    stage.dispatch().await;
    stage.engine_started().await;
    stage.stop.cancel();
    let finish = stage.finished().await;
    assert_eq!((finish.outcome, finish.requeue), (TaskState::Queued, Some(RequeueReason::WorkerShutdown)));
    assert_eq!(stage.told(|told| told.commits.len()), 1);
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_ends_the_engine_and_nothing_is_reported() {
    for fenced in [false, true] {
        let stage = Stage::start(PATIENT).await;
        stage.dispatch().await;
        stage.engine_started().await;
        stage.tell(|told| if fenced { told.fenced = true } else { told.mute = true });
        eventually(SOON, || async { !stage.engine_lives() }).await;
        // Commits and the finish of a stale epoch are never even tried.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(stage.told(|told| (told.finishes.len(), told.commits.len())), (0, 0));
    }
}

#[tokio::test]
async fn a_renewal_that_fails_for_another_reason_ends_nothing() {
    let stage = Stage::start(PATIENT).await;
    stage.dispatch().await;
    stage.engine_started().await;
    let renewed = stage.told(|told| told.renewals.len());
    stage.tell(|told| told.broken = true);
    eventually(SOON, || async { stage.told(|told| told.refused_renewals) >= 2 }).await;
    assert!(stage.engine_lives());
    stage.tell(|told| (told.broken, told.wanted) = (false, Wanted::Pause));
    assert_eq!(stage.finished().await.outcome, TaskState::Paused);
    assert!(stage.told(|told| told.renewals.len()) > renewed);
}

#[tokio::test]
async fn a_finish_that_can_never_be_taken_fails_the_task_with_its_reason() {
    let stage = Stage::start(GOOD).await;
    stage.tell(|told| told.refused_finishes = 1);
    stage.dispatch().await;
    let finish = stage.finished().await;
    assert_eq!(finish.outcome, TaskState::Failed);
    assert!(finish.failure.unwrap().message.contains("not like this"));
    assert!(finish.artifacts.is_empty());
}

#[tokio::test]
async fn a_pause_without_a_stored_checkpoint_gives_the_task_back_uncharged() {
    let stage = Stage::start(PATIENT).await;
    stage.tell(|told| told.refuses_commits = true);
    stage.dispatch().await;
    stage.engine_started().await;
    stage.tell(|told| told.wanted = Wanted::Pause);
    let finish = stage.finished().await;
    assert_eq!((finish.outcome, finish.requeue), (TaskState::Queued, Some(RequeueReason::WorkerShutdown)));
}

/// Says two checkpoints of which the first is gone by the time it is heard of.
const HASTY: &str = r#"
echo '{"type":"checkpoint","step":1,"path":"output/checkpoint-1"}'
mkdir -p output/checkpoint-2 && echo weights > output/checkpoint-2/w
echo '{"type":"checkpoint","step":2,"path":"output/checkpoint-2"}'
echo '{"type":"result"}'
"#;

#[tokio::test]
async fn a_checkpoint_that_the_engine_removed_in_time_is_left_out() {
    let stage = Stage::start(HASTY).await;
    stage.dispatch().await;
    assert_eq!(stage.finished().await.outcome, TaskState::Succeeded);
    assert_eq!(stage.told(|told| told.commits.iter().map(|it| it.step).collect::<Vec<_>>()), [2]);
}

/// Measures many steps at once, then writes a checkpoint of them.
const MEASURED: &str = r#"
n=0
while [ $n -lt 200 ]; do
  n=$((n + 1))
  echo '{"type":"metric","step":'$n',"values":{"loss":1}}'
done
mkdir -p output/checkpoint-200 && echo weights > output/checkpoint-200/w
echo '{"type":"checkpoint","step":200,"path":"output/checkpoint-200"}'
sleep 100
"#;

#[tokio::test]
async fn the_points_before_a_checkpoint_have_left_when_it_is_committed() {
    let stage = Stage::start(MEASURED).await;
    stage.dispatch().await;
    eventually(SOON, || async { stage.told(|told| !told.commits.is_empty()) }).await;
    let mut steps = Vec::new();
    let read = |delivery: anneal_bus::Delivery| {
        if delivery.envelope.kind == MetricRecorded::TYPE {
            steps.extend(delivery.parse::<MetricRecorded>().unwrap().points.iter().map(|point| point.step));
        }
    };
    stage.bus.replay(&stream::TELEMETRY, read).await.unwrap();
    assert_eq!(steps, (1..=200).collect::<Vec<u64>>());
}

/// Logs two long lines, and many of a middling length.
const TALKATIVE: &str = r#"
long=$(head -c 900000 /dev/zero | tr '\0' 'x')
echo "$long" >&2
echo "$long" >&2
n=0
while [ $n -lt 400 ]; do
  n=$((n + 1))
  echo "$n $(head -c 9000 /dev/zero | tr '\0' 'y')" >&2
done
echo '{"type":"result"}'
"#;

#[tokio::test]
async fn long_lines_are_cut_and_none_is_lost() {
    let stage = Stage::start(TALKATIVE).await;
    stage.dispatch().await;
    assert_eq!(stage.finished().await.outcome, TaskState::Succeeded);
    let mut lines = 0;
    let read = |delivery: anneal_bus::Delivery| {
        if delivery.envelope.kind == LogWritten::TYPE {
            let batch: LogWritten = delivery.parse().unwrap();
            let said = |line: &&LogLine| line.message.contains("xxx") || line.message.contains("yyy");
            lines += batch.lines.iter().filter(said).count();
        }
    };
    stage.bus.replay(&stream::TELEMETRY, read).await.unwrap();
    assert_eq!(lines, 402);
}

#[tokio::test]
async fn usage_only_grows_and_a_second_dispatch_is_harmless() {
    let stage = Stage::start("sleep 0.6; echo '{\"type\":\"result\"}'").await;
    stage.dispatch().await;
    stage.dispatch().await;
    let finish = stage.finished().await;
    let mut marks: Vec<_> =
        stage.told(|told| told.renewals.iter().map(|it| (it.seq, it.running_ms)).collect());
    assert!(marks.len() >= 3);
    let grows =
        |marks: &[(u64, i64)]| marks.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
    assert!(grows(&marks), "{marks:?}");
    // The lease is renewed while the end is being told: a renewal may be the later of the two.
    marks.push((finish.seq, finish.running_ms));
    marks.sort_unstable_by_key(|(seq, _)| *seq);
    assert!(grows(&marks), "{marks:?}");
    assert!(finish.running_ms >= 500);
    eventually(SOON, || async { stage.told(|told| told.claims) >= 2 }).await;
    assert_eq!(stage.told(|told| told.finishes.len()), 1);
}
