//! What evaluations say together: two of them compared, all of a benchmark ranked; and what follows a
//! task: its model evaluated, and compiled.

use std::path::Path;

use anneal_artifacts::Prefix;
use anneal_contracts::{
    Trace,
    event::Artifact,
    rpc::{Done, FinishTask},
    subject::rpc,
};
use anneal_domain::{
    id::{TaskId, WorkerId, WorkspaceId},
    task::TaskState,
};
use anneal_task_api::Config;
use serde_json::{Map, Value, json};

use crate::{
    stack::{ADMIN_KEY, Stack},
    tasks::claim,
};

/// The worker of a task publishes a folder under a role and succeeds.
pub(crate) async fn publish(
    stack: &Stack,
    (workspace, task, worker): (WorkspaceId, TaskId, WorkerId),
    (role, folder): (&str, &Path),
    figures: Map<String, Value>,
) {
    let prefix = Prefix::task(workspace, task).artifact(1, role).unwrap();
    let folder = stack.objects.put_folder(&prefix, folder).await.unwrap();
    let artifact = Artifact {
        role: role.to_owned(),
        prefix: prefix.as_str().to_owned(),
        manifest_sha256: folder.manifest_sha256,
        size_bytes: folder.size_bytes,
    };
    let finish = FinishTask {
        task,
        worker,
        epoch: 1,
        seq: 9,
        running_ms: 0,
        outcome: TaskState::Succeeded,
        requeue: None,
        failure: None,
        figures,
        artifacts: vec![artifact],
    };
    let _: Done = stack.bus.request(rpc::FINISH_TASK, Trace::fresh(), &finish).await.unwrap();
}

/// A stack whose leases outlive the test.
pub(crate) async fn patient() -> Stack {
    Stack::start_with(|config| Config { lease_ms: 60_000, ..config }).await
}

/// Rows of a benchmark; the dataset's id.
pub(crate) async fn questions(stack: &Stack) -> String {
    let row = r#"{"question":"1+1?","choices":["2","3"],"answer":0}"#;
    let made = stack.upload("name=questions&kind=evaluation&filename=q.jsonl", row).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// The body of an evaluation of a model on one benchmark.
pub(crate) fn evaluation(model: &str, dataset: &str, entry: &Value) -> Value {
    let mut benchmark = json!({ "benchmark": "piqa", "dataset": dataset });
    benchmark.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    json!({ "name": "score", "spec": {
        "kind": "evaluation", "model_source": "builtin", "model": model, "datasets": [benchmark]
    }})
}

/// Creates an evaluation and lets it succeed with these results and samples, a file each.
pub(crate) async fn evaluated(
    stack: &Stack,
    body: &Value,
    files: &[(&str, String)],
    figures: Value,
) -> TaskId {
    let made = stack.post("/api/v1/tasks", body).await.expect(202);
    let task: TaskId = made["id"].as_str().unwrap().parse().unwrap();
    let (workspace, worker) = (made["workspace"].as_str().unwrap().parse().unwrap(), WorkerId::new());
    claim(stack, task, worker).await;
    let local = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(local.path().join(name), text).unwrap();
    }
    let figures = figures.as_object().cloned().unwrap_or_default();
    publish(stack, (workspace, task, worker), ("results", local.path()), figures).await;
    task
}

/// Samples of `piqa`, row by row right or wrong, and the results over them.
fn scored(precision: &str, right: &[bool]) -> Vec<(&'static str, String)> {
    let line = |(doc, right): (usize, &bool)| {
        let hash = format!("{doc:064x}");
        let sample = json!({
            "doc_id": doc, "doc_hash": hash, "prompt_hash": hash, "target_hash": hash, "filter": "none",
            "metrics": ["acc"], "acc": f64::from(*right), "resps": [[[if *right { "-1.0" } else { "-2.0" }, "False"]]],
        });
        format!("{sample}\n")
    };
    let acc = right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
    let results = json!({
        "results": { "piqa": { "acc,none": acc } }, "configs": { "piqa": {} }, "config": { "model_dtype": precision },
    });
    vec![
        ("results.json", results.to_string()),
        ("samples_piqa.jsonl", right.iter().enumerate().map(line).collect()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_evaluations_are_compared_row_by_row_and_what_differs_is_named() {
    let stack = patient().await;
    let (model, dataset) = (stack.model().await, questions(&stack).await);
    let body = evaluation(&model, &dataset, &json!({}));
    let a = evaluated(&stack, &body, &scored("fp32", &[true, true, true, false]), json!({})).await;
    let b = evaluated(&stack, &body, &scored("bf16", &[true, false, false, true]), json!({})).await;
    let answer = stack.get(&format!("/api/v1/tasks/{a}/comparison?with={b}")).await.expect(200);
    assert_eq!((&answer["a"]["id"], &answer["b"]["id"]), (&json!(a), &json!(b)));
    assert_eq!((&answer["a"]["model"], &answer["b"]["model_name"]), (&json!(model), &json!("base")));
    assert_eq!(answer["causes"][0]["what"], "precision");
    assert_eq!((&answer["causes"][0]["a"], &answer["causes"][0]["b"]), (&json!("fp32"), &json!("bf16")));
    let acc = &answer["tasks"]["piqa"]["metrics"]["acc,none"];
    assert_eq!((&acc["a"], &acc["b"], &acc["difference"]), (&json!(0.75), &json!(0.5), &json!(-0.25)));
    assert_eq!(acc["flips"]["right_to_wrong"], json!({ "count": 2, "ids": [1, 2] }));
    assert_eq!(acc["flips"]["wrong_to_right"], json!({ "count": 1, "ids": [3] }));
    assert_eq!(acc["flips"]["mcnemar_p"], 1.0);
    let (low, high) = (acc["interval"]["low"].as_f64().unwrap(), acc["interval"]["high"].as_f64().unwrap());
    assert!(low < -0.25 && high > -0.25, "{acc}");
    assert_eq!(answer["tasks"]["piqa"]["other_answer"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_finished_evaluation_of_this_workspace_is_not_compared() {
    let stack = patient().await;
    let (model, dataset) = (stack.model().await, questions(&stack).await);
    let body = evaluation(&model, &dataset, &json!({}));
    let done = evaluated(&stack, &body, &scored("fp32", &[true, false]), json!({})).await;
    let path = format!("/api/v1/tasks/{done}/comparison");
    assert_eq!(stack.get(&path).await.fields(), ["with"]);
    assert_eq!(stack.get(&format!("{path}?with=nonsense")).await.fields(), ["with"]);
    stack.get(&format!("{path}?with={}", TaskId::new())).await.expect(404);

    let training = stack.post("/api/v1/tasks", &stack.training().await).await.expect(202);
    let training = training["id"].as_str().unwrap();
    let refused = stack.get(&format!("{path}?with={training}")).await;
    assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec!["with".to_owned()]));
    let refused = stack.get(&format!("/api/v1/tasks/{training}/comparison?with={done}")).await;
    assert_eq!(refused.fields(), ["id"]);

    let queued = stack.post("/api/v1/tasks", &body).await.expect(202)["id"].clone();
    let refused = stack.get(&format!("{path}?with={}", queued.as_str().unwrap())).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("is queued"), "{refused}");

    let other = vec![
        ("results.json", json!({ "results": {}, "configs": { "sciq": {} } }).to_string()),
        ("samples_sciq.jsonl", String::new()),
    ];
    let other = evaluated(&stack, &body, &other, json!({})).await;
    let refused = stack.get(&format!("{path}?with={other}")).await;
    assert_eq!(refused.fields(), ["with"]);
    let message = refused.json["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("piqa") && message.contains("sciq"), "{message}");

    let (_, stranger) = stack.workspace("other").await;
    let theirs = stack.request(reqwest::Method::GET, &format!("{path}?with={done}"), &stranger);
    stack.send(theirs).await.expect(404);
    let ours = stack.request(reqwest::Method::GET, &format!("{path}?with={done}"), ADMIN_KEY);
    stack.send(ours).await.expect(200);
}

/// Figures as the evaluator tells them: an accuracy of a benchmark, with what it depends on.
fn figures(name: &str, acc: f64) -> Value {
    json!({
        "scores": { name: { "acc,none": acc, "acc_stderr,none": 0.02, "acc_norm,none": 1.0 - acc } },
        "settings": { "precision": "fp32" },
        "benchmarks": { name: { "num_fewshot": 0, "samples": 1, "higher_is_better": { "acc": true } } },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaderboard_ranks_each_models_latest_score_among_those_made_alike() {
    let stack = patient().await;
    let (one, two, dataset) = (stack.model().await, stack.model().await, questions(&stack).await);
    let score = async |model: &str, entry: Value, name: &str, acc: f64| {
        evaluated(&stack, &evaluation(model, &dataset, &entry), &[], figures(name, acc)).await
    };
    score(&one, json!({}), "piqa", 0.9).await;
    let latest = score(&one, json!({}), "piqa", 0.6).await;
    let best = score(&two, json!({ "alias": "mine" }), "mine", 0.7).await;
    score(&two, json!({ "limit": 5 }), "piqa", 1.0).await;
    score(&two, json!({ "benchmark": "sciq" }), "sciq", 1.0).await;
    stack.post("/api/v1/tasks", &evaluation(&one, &dataset, &json!({}))).await.expect(202);

    let path = "/api/v1/benchmarks/piqa/leaderboard";
    let page = stack.get(path).await.expect(200);
    let told = |page: &Value| -> Vec<(i64, i64, String, f64)> {
        let row = |row: &Value| {
            let number = |key: &str| row[key].as_i64().unwrap();
            let value = row["value"].as_f64().unwrap();
            (number("comparable"), number("rank"), row["model"].as_str().unwrap().to_owned(), value)
        };
        page["data"].as_array().unwrap().iter().map(row).collect()
    };
    let expected = [(1, 1, two.clone(), 0.7), (1, 2, one.clone(), 0.6), (2, 1, two.clone(), 1.0)];
    assert_eq!(told(&page), expected);
    let first = &page["data"][0];
    assert_eq!((&first["task"], &first["model_name"]), (&json!(best), &json!("base")));
    assert_eq!((&first["metric"], &first["standard_error"]), (&json!("acc,none"), &json!(0.02)));
    assert_eq!(page["data"][1]["task"], json!(latest));
    let settings = &page["data"][2]["settings"];
    assert_eq!((&settings["limit"], &settings["num_fewshot"]), (&json!(5), &json!(0)));
    assert_eq!((&settings["precision"], &settings["dataset_version"]), (&json!("fp32"), &json!(1)));

    let start = stack.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!((told(&start), &start["has_more"]), (expected[..1].to_vec(), &json!(true)));
    let cursor = start["next_cursor"].as_str().unwrap();
    let rest = stack.get(&format!("{path}?cursor={cursor}")).await.expect(200);
    assert_eq!((told(&rest), &rest["has_more"]), (expected[1..].to_vec(), &json!(false)));
    let other = stack.get(&format!("{path}?metric=acc_norm")).await.expect(200);
    let first = &other["data"][0];
    assert_eq!(
        (&first["model"], &first["value"]),
        (&json!(one), &json!(0.4)),
        "another metric, another order"
    );

    assert_eq!(stack.get(&format!("{path}?cursor=nowhere")).await.fields(), ["cursor"]);
    stack.get("/api/v1/benchmarks/nonsense/leaderboard").await.expect(404);
    let empty = stack.get("/api/v1/benchmarks/winogrande/leaderboard").await.expect(200);
    assert_eq!(empty["data"], json!([]));
    let (_, stranger) = stack.workspace("other").await;
    let theirs = stack.send(stack.request(reqwest::Method::GET, path, &stranger)).await.expect(200);
    assert_eq!(theirs["data"], json!([]), "another workspace's evaluations are not told");
}

/// A training that left a model; the task and the model.
async fn trained(stack: &Stack) -> (TaskId, String) {
    let made = stack.post("/api/v1/tasks", &stack.training().await).await.expect(202);
    let task: TaskId = made["id"].as_str().unwrap().parse().unwrap();
    let workspace: WorkspaceId = made["workspace"].as_str().unwrap().parse().unwrap();
    let worker = WorkerId::new();
    claim(stack, task, worker).await;
    let local = tempfile::tempdir().unwrap();
    std::fs::write(local.path().join("adapter_model.safetensors"), "weights").unwrap();
    publish(stack, (workspace, task, worker), ("adapter", local.path()), Map::new()).await;
    let model = stack.get(&format!("/api/v1/tasks/{task}")).await.expect(200)["model"].clone();
    (task, model.as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_is_evaluated_and_the_evaluation_compiled_and_the_lineage_shows_both() {
    let stack = patient().await;
    let (training, model) = trained(&stack).await;
    let dataset = questions(&stack).await;
    let by_task = |task: &TaskId| {
        json!({ "name": "score", "spec": { "kind": "evaluation", "model": { "task": task },
                "datasets": [{ "benchmark": "piqa", "dataset": dataset }] }})
    };
    let scored = evaluated(&stack, &by_task(&training), &[], json!({})).await;
    let spec = stack.get(&format!("/api/v1/tasks/{scored}")).await.expect(200)["spec"].clone();
    assert_eq!((&spec["model"], &spec["model_source"]), (&json!(model), &json!("trained")));
    assert_eq!(spec["from_task"], json!(training));

    let compile = json!({ "name": "compile", "spec": {
        "kind": "compilation", "model": { "task": scored }, "quantization": "fp16" }});
    let compiled = stack.post("/api/v1/tasks", &compile).await.expect(202);
    assert_eq!((&compiled["spec"]["model"], &compiled["spec"]["from_task"]), (&json!(model), &json!(scored)));
    let task: TaskId = compiled["id"].as_str().unwrap().parse().unwrap();
    let (workspace, worker) = (compiled["workspace"].as_str().unwrap().parse().unwrap(), WorkerId::new());
    claim(&stack, task, worker).await;
    let local = tempfile::tempdir().unwrap();
    std::fs::write(local.path().join("model.onnx"), "graph").unwrap();
    publish(&stack, (workspace, task, worker), ("compiled", local.path()), Map::new()).await;
    let artifact = stack.get(&format!("/api/v1/tasks/{task}")).await.expect(200)["model"].clone();
    let lineage =
        stack.get(&format!("/api/v1/models/{}/lineage", artifact.as_str().unwrap())).await.expect(200);
    let chain = lineage["data"].as_array().unwrap();
    assert_eq!(
        (&chain[0]["made_by"]["id"], &chain[0]["made_by"]["from_task"]),
        (&json!(task), &json!(scored))
    );
    assert_eq!((&chain[1]["id"], &chain[1]["made_by"]["id"]), (&json!(model), &json!(training)));
    let found = &chain[1]["evaluations"];
    assert_eq!((&found[0]["id"], &found[0]["from_task"]), (&json!(scored), &json!(training)));
    assert_eq!((found.as_array().unwrap().len(), &chain[0]["evaluations"]), (1, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_a_model_stands_for_none() {
    let stack = patient().await;
    let dataset = questions(&stack).await;
    let queued = stack.post("/api/v1/tasks", &stack.training().await).await.expect(202)["id"].clone();
    let refused = async |model: Value, why: &str| {
        let mut body = evaluation("", &dataset, &json!({ "limit": 0 }));
        body["spec"]["model"] = model;
        body["spec"].as_object_mut().unwrap().remove("model_source");
        let answer = stack.post("/api/v1/tasks", &body).await;
        assert_eq!(answer.fields(), ["spec.model", "spec.datasets[0].limit"], "{:#}", answer.json);
        let message = answer.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(why), "{message}");
    };
    refused(json!({ "task": queued }), "is queued and has made no model").await;
    refused(json!({ "task": TaskId::new() }), "there is no task").await;
    refused(json!({ "task": queued, "epoch": 1 }), "must be a model's id").await;
    let model = stack.model().await;
    let waiting = stack.post("/api/v1/tasks", &evaluation(&model, &dataset, &json!({}))).await.expect(202);
    refused(json!({ "task": waiting["id"] }), "only an evaluation that succeeded").await;

    let (training, _) = trained(&stack).await;
    let mut body = evaluation(&model, &dataset, &json!({}));
    body["spec"]["from_task"] = json!(training);
    assert_eq!(stack.post("/api/v1/tasks", &body).await.fields(), ["spec.from_task"]);
    let (_, stranger) = stack.workspace("other").await;
    body["spec"]["model"] = json!({ "task": training });
    let theirs = stack.ask(reqwest::Method::POST, "/api/v1/tasks", &stranger, &body).await;
    assert!(theirs.fields().contains(&"spec.model".to_owned()), "{:#}", theirs.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_scored_again_over_the_rows_that_were_asked() {
    let stack = patient().await;
    let (model, dataset) = (stack.model().await, questions(&stack).await);
    let body = evaluation(&model, &dataset, &json!({}));
    let first = evaluated(&stack, &body, &scored("fp32", &[true]), json!({})).await;
    let row = r#"{"question":"2+2?","choices":["4","5"],"answer":0}"#;
    let newer =
        stack.upload(&format!("dataset={dataset}&kind=evaluation&filename=q.jsonl"), row).await.expect(201);
    assert_eq!(newer["version"], 2);

    let mut again = body.clone();
    again["spec"]["rescore"] = json!(first);
    again["spec"]["datasets"][0]["task"] =
        json!({ "doc_to_text": "{{question}}", "metric_list": [{ "metric": "acc" }] });
    let made = stack.post("/api/v1/tasks", &again).await.expect(202);
    let path = format!("/api/v1/tasks/{first}");
    let refused = stack.ask(reqwest::Method::DELETE, &path, ADMIN_KEY, &Value::Null).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains(made["id"].as_str().unwrap()), "{refused}");
    let task: TaskId = made["id"].as_str().unwrap().parse().unwrap();
    let claimed = claim(&stack, task, WorkerId::new()).await;
    let roles: Vec<&str> = claimed.inputs.iter().map(|input| input.role.as_str()).collect();
    assert_eq!(roles, ["model", "dataset.0", "answers"]);
    assert!(claimed.inputs[2].prefix.ends_with(&format!("/task/{first}/artifact/1/results")));
    assert_eq!(claimed.facts["dataset.0"]["version"], 1, "the rows are those that were asked");
    let other = evaluated(&stack, &body, &scored("fp32", &[true]), json!({})).await;
    let newest = stack.post("/api/v1/tasks", &body).await.expect(202)["id"].clone();
    stack
        .ask(reqwest::Method::DELETE, &format!("/api/v1/tasks/{other}"), ADMIN_KEY, &Value::Null)
        .await
        .expect(204);

    let refused = async |change: &dyn Fn(&mut Value), why: &str| {
        let mut wrong = again.clone();
        change(&mut wrong["spec"]);
        let answer = stack.post("/api/v1/tasks", &wrong).await;
        assert_eq!(answer.fields(), ["spec.rescore"], "{:#}", answer.json);
        let message = answer.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(why), "{message}");
    };
    let another = stack.model().await;
    let training = stack.post("/api/v1/tasks", &stack.training().await).await.expect(202)["id"].clone();
    refused(&|spec| spec["model"] = json!(another), "another model").await;
    refused(&|spec| spec["seed"] = json!(7), "another `seed`").await;
    refused(&|spec| spec["rescore"] = newest.clone(), "is queued").await;
    refused(&|spec| spec["rescore"] = training.clone(), "is a training task").await;
    refused(&|spec| spec["rescore"] = json!(other), "there is no task").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_check_gets_the_data_along_the_lineage_as_it_was_trained_on() {
    let stack = patient().await;
    let (training, model) = trained(&stack).await;
    let dataset = questions(&stack).await;
    let made = stack.get(&format!("/api/v1/tasks/{training}")).await.expect(200);
    let trained_on = made["spec"]["dataset"].as_str().unwrap().to_owned();
    let rows = "{\"prompt\":\"3+3\",\"completion\":\"6\"}\n";
    stack.upload(&format!("dataset={trained_on}&filename=sums.jsonl"), rows).await.expect(201);

    let checked = |model: &str, source: &str| {
        let mut body = evaluation(model, &dataset, &json!({}));
        body["spec"]["model_source"] = json!(source);
        body["spec"]["leak_check"] = json!(true);
        body
    };
    let task = stack.post("/api/v1/tasks", &checked(&model, "trained")).await.expect(202);
    let claimed = claim(&stack, task["id"].as_str().unwrap().parse().unwrap(), WorkerId::new()).await;
    let roles: Vec<&str> = claimed.inputs.iter().map(|input| input.role.as_str()).collect();
    assert_eq!(roles, ["model", "adapter", "dataset.0", "training.0"]);
    assert!(claimed.inputs[3].prefix.contains(&trained_on), "{:?}", claimed.inputs[3]);
    let about = &claimed.facts["training.0"];
    assert_eq!((&about["dataset"], &about["version"]), (&json!(trained_on), &json!(1)), "{about}");
    let path = format!("/api/v1/datasets/{trained_on}");
    stack.ask(reqwest::Method::DELETE, &path, ADMIN_KEY, &Value::Null).await.expect(409);

    let base = made["spec"]["model"].as_str().unwrap();
    let refused = stack.post("/api/v1/tasks", &checked(base, "builtin")).await;
    assert_eq!(refused.fields(), ["spec.leak_check"], "{:#}", refused.json);
    let cancel = format!("/api/v1/tasks/{}/cancel", task["id"].as_str().unwrap());
    stack.post(&cancel, &Value::Null).await.expect(202);
    stack
        .ask(reqwest::Method::DELETE, &format!("/api/v1/tasks/{training}"), ADMIN_KEY, &Value::Null)
        .await
        .expect(204);
    let refused = stack.post("/api/v1/tasks", &checked(&model, "trained")).await;
    let message = refused.json["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("{training}, which made")), "{message}");
}
