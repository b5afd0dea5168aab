//! What a task tells of itself: series, facts, logs, samples; nothing is cut without a word.

use std::collections::BTreeMap;

use anneal_artifacts::Prefix;
use anneal_contracts::{
    Trace,
    engine::{Level, StageState},
    rpc::{Done, ReportStage},
    subject::{Channel, rpc},
    telemetry::{LogLine, LogWritten, MetricPoint, MetricRecorded, ProgressReported},
};
use anneal_domain::id::{TaskId, WorkerId, WorkspaceId};
use anneal_task_api::Config;
use anneal_testkit::eventually;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    evaluations::publish,
    stack::{ADMIN_KEY, Stack},
    tasks::{DEADLINE, claim, created, say},
};

/// A task that a worker holds for the whole test.
async fn running() -> (Stack, TaskId, WorkspaceId, WorkerId) {
    let stack = Stack::start_with(|config| Config { lease_ms: 60_000, ..config }).await;
    let (task, made) = created(&stack).await;
    let worker = WorkerId::new();
    claim(&stack, task, worker).await;
    let workspace = made["workspace"].as_str().unwrap().parse().unwrap();
    (stack, task, workspace, worker)
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_cut_by_steps_and_go_on_where_they_were_cut() {
    let (stack, task, workspace, _) = running().await;
    let values = |step: u64| {
        let names = ["grad_norm", "loss", "throughput"];
        names.into_iter().map(|name| (name.to_owned(), Some(step as f64))).collect::<BTreeMap<_, _>>()
    };
    let points = (0..500).map(|step| MetricPoint { step, values: values(step) }).collect();
    let recorded = MetricRecorded { task, epoch: 1, points };
    say(&stack, workspace, task, Channel::Metric, MetricRecorded::TYPE, &recorded).await;
    let path = format!("/api/v1/tasks/{task}/metrics");
    let count = |page: &Value, name: &str| page["series"][name].as_array().map_or(0, Vec::len);
    eventually(DEADLINE, async || count(&stack.get(&path).await.json, "loss") == 500).await;
    let first = stack.get(&format!("{path}?limit=1000")).await.expect(200);
    // 1000 points are 333 steps of three series, and one point more.
    assert_eq!((count(&first, "grad_norm"), count(&first, "throughput")), (333, 333));
    assert_eq!((&first["has_more"], &first["next_after_step"]), (&json!(true), &json!(332)));
    let rest = stack.get(&format!("{path}?limit=1000&after_step=332")).await.expect(200);
    assert_eq!((count(&rest, "loss"), &rest["has_more"]), (167, &json!(false)));
    assert_eq!(stack.get(&format!("{path}?limit=3")).await.fields(), ["limit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_paged() {
    let (stack, task, ..) = running().await;
    let path = format!("/api/v1/tasks/{task}/events");
    eventually(DEADLINE, async || stack.get(&path).await.json["data"].as_array().unwrap().len() == 2).await;
    let first = stack.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(
        (&first["data"][0]["type"], &first["has_more"]),
        (&json!("anneal.task.queued.v1"), &json!(true))
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = stack.get(&format!("{path}?limit=1&cursor={cursor}")).await.expect(200);
    let told = (&second["data"][0]["type"], &second["has_more"]);
    assert_eq!(told, (&json!("anneal.task.claimed.v1"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_log_comes_as_text_and_the_log_of_a_stage_by_link() {
    let (stack, task, workspace, worker) = running().await;
    let line = |n: i64| LogLine {
        stage: "train".to_owned(),
        at_ms: n,
        level: Level::Info,
        message: format!("line {n}"),
    };
    for part in 0..3_u64 {
        let first_line = part * 500;
        let lines = (0..500).map(|n| line(i64::try_from(first_line).unwrap() + n)).collect();
        let log = LogWritten { task, epoch: 1, first_line, lines };
        say(&stack, workspace, task, Channel::Log, LogWritten::TYPE, &log).await;
    }
    let path = format!("/api/v1/tasks/{task}");
    let text = async |query: &str| {
        let path = format!("{path}/logs?format=text{query}");
        stack.request(Method::GET, &path, ADMIN_KEY).send().await.unwrap().text().await.unwrap()
    };
    eventually(DEADLINE, async || text("").await.lines().count() == 1500).await;
    assert!(text("").await.ends_with("line 1499\n"));
    assert_eq!(text("&limit=1200").await.lines().count(), 1200);
    let page = stack.get(&format!("{path}/logs?limit=1500")).await.expect(200);
    assert_eq!(page["has_more"], false);
    assert_eq!(stack.get(&format!("{path}/logs?limit=1499")).await.expect(200)["has_more"], true);

    let key = Prefix::task(workspace, task).stage_log(1, 1, "train");
    stack.objects.put_bytes(&key.with_ending(".log").unwrap(), "line 0\n".into()).await.unwrap();
    for (seq, state, log_key) in
        [(1, StageState::Started, None), (2, StageState::Finished, Some(key.as_str().to_owned()))]
    {
        let report = ReportStage { task, worker, epoch: 1, seq, stage: "train".to_owned(), state, log_key };
        let _: Done = stack.bus.request(rpc::REPORT_STAGE, Trace::fresh(), &report).await.unwrap();
    }
    let stages = stack.get(&format!("{path}/stages")).await.expect(200);
    let log = stages["data"][0]["log"].as_str().unwrap();
    let link = stack.get(&format!("{log}?redirect=false")).await.expect(200);
    let fetched = reqwest::get(link["url"].as_str().unwrap()).await.unwrap().text().await.unwrap();
    assert_eq!(fetched, "line 0\n");
    stack.get(&format!("{path}/stages/1/1/log")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dataset_of_an_evaluation_keeps_its_progress() {
    let (stack, task, workspace, worker) = running().await;
    for (seq, stage) in [(1_u64, "arc_easy"), (2, "piqa")] {
        let report = ReportStage {
            task,
            worker,
            epoch: 1,
            seq,
            stage: stage.to_owned(),
            state: StageState::Started,
            log_key: None,
        };
        let _: Done = stack.bus.request(rpc::REPORT_STAGE, Trace::fresh(), &report).await.unwrap();
        let progress = ProgressReported {
            task,
            epoch: 1,
            seq,
            stage: stage.to_owned(),
            done: 10 * seq,
            total: 40,
            unit: "samples".to_owned(),
            eta_seconds: None,
        };
        say(&stack, workspace, task, Channel::Progress, ProgressReported::TYPE, &progress).await;
    }
    let path = format!("/api/v1/tasks/{task}/stages");
    eventually(DEADLINE, async || {
        let stages = stack.get(&path).await.json;
        [0, 1].map(|place| stages["data"][place]["progress"]["done"].clone()) == [json!(10), json!(20)]
    })
    .await;
}

fn choice(doc: usize, right: bool) -> Value {
    let sums = if right { ["-1.0", "-2.0"] } else { ["-2.0", "-1.0"] };
    json!({
        "doc_id": doc, "doc": {}, "target": "0", "filter": "none", "metrics": ["acc"], "acc": f64::from(right),
        "arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": " yes"}, "gen_args_1": {"arg_0": "Q", "arg_1": " no"}},
        "resps": [[[sums[0], "False"]], [[sums[1], "False"]]], "filtered_resps": [],
    })
}

fn text(doc: usize, filter: &str, found: &str) -> Value {
    json!({
        "doc_id": doc, "doc": {}, "target": "8", "filter": filter, "metrics": ["exact_match"],
        "exact_match": f64::from(found == "8"), "arguments": {"gen_args_0": {"arg_0": "4+4?", "arg_1": {}}},
        "resps": [["eight"]], "filtered_resps": [found],
    })
}

/// Publishes results of two subjects of a group and a benchmark with two filters.
async fn published() -> (Stack, String) {
    let (stack, task, workspace, worker) = running().await;
    let local = tempfile::tempdir().unwrap();
    let write = |name: &str, samples: Vec<Value>| {
        let lines: Vec<String> = samples.iter().map(|sample| format!("{sample}\n")).collect();
        std::fs::write(local.path().join(format!("samples_{name}.jsonl")), lines.concat()).unwrap();
    };
    write("ceval-valid_law", (0..5).map(|doc| choice(doc, doc % 2 == 0)).collect());
    write("ceval-valid_logic", vec![choice(0, true)]);
    write(
        "gsm8k",
        [("strict-match", "[invalid]"), ("flexible-extract", "8")]
            .map(|(filter, found)| text(0, filter, found))
            .to_vec(),
    );
    let results = r#"{"results":{},"group_subtasks":{"ceval-valid":["ceval-valid_law","ceval-valid_logic"]},"x":0.1000}"#;
    std::fs::write(local.path().join("results.json"), results).unwrap();
    publish(&stack, (workspace, task, worker), ("results", local.path()), Map::new()).await;
    (stack, format!("/api/v1/tasks/{task}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_paged_across_subjects_and_filtered() {
    let (stack, task) = published().await;
    let page = async |query: &str| stack.get(&format!("{task}/samples?{query}")).await.expect(200);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(&format!("benchmark=ceval&limit=2{cursor}")).await;
        for sample in page["data"].as_array().unwrap() {
            seen.push(format!("{} {}", sample["benchmark"].as_str().unwrap(), sample["doc_id"]));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let law = (0..5).map(|doc| format!("ceval-valid_law {doc}"));
    assert_eq!(seen, law.chain(["ceval-valid_logic 0".to_owned()]).collect::<Vec<_>>());
    let failed = page("benchmark=ceval_law&outcome=fail").await;
    let wrong = &failed["data"][0];
    assert_eq!(failed["data"].as_array().unwrap().len(), 2);
    assert_eq!((&wrong["answer"], &wrong["output"]), (&json!(" yes"), &json!(" no")));
    assert_eq!(wrong["choices"][1], json!({ "text": " no", "log_probability": -1.0, "chosen": true }));
    assert_eq!(page("subject=logic").await["data"].as_array().unwrap().len(), 1);
    let unread = page("outcome=unextracted").await;
    assert_eq!((&unread["data"][0]["filter"], &unread["has_more"]), (&json!("strict-match"), &json!(false)));
    assert_eq!(page("filter=flexible-extract").await["data"][0]["extracted"], "8");
    assert_eq!(page("").await["data"].as_array().unwrap().len(), 8);
    for (query, field) in
        [("cursor=0", "cursor"), ("cursor=0.99999999", "cursor"), ("outcome=odd", "outcome")]
    {
        assert_eq!(stack.get(&format!("{task}/samples?{query}")).await.fields(), [field]);
    }
    stack.get(&format!("{task}/samples?benchmark=arc_easy")).await.expect(404);
    let scores = stack.request(Method::GET, &format!("{task}/scores"), ADMIN_KEY).send().await.unwrap();
    assert!(
        scores.text().await.unwrap().ends_with("0.1000}"),
        "the results are given as they were published"
    );
}
