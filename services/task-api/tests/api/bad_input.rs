//! A clear error for everything wrong that can be sent, and a service that keeps running.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack, gguf};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tasks_are_refused_field_by_field() {
    let stack = Stack::start().await;
    let good = stack.training().await;
    let mut bad = good.clone();
    bad["name"] = json!("a\nb");
    bad["spec"]["epochs"] = json!("many");
    bad["spec"]["workspace"] = json!("ws-00000000000000000000000000000002");
    bad["spec"]["lora"] = json!({ "rank": 0 });
    let answer = stack.post("/api/v1/tasks", &bad).await;
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(fields, ["name", "spec.epochs", "spec.lora.rank", "spec.workspace"]);
    answer.expect(422);
    for (change, field) in [
        (json!({ "name": "x", "spec": good["spec"], "price": 0 }), "price"),
        (json!({ "name": 7, "spec": good["spec"] }), "name"),
        (json!({ "spec": good["spec"] }), "name"),
        (json!({ "name": "x" }), "spec"),
        (json!([good["spec"]]), "body"),
    ] {
        let answer = stack.post("/api/v1/tasks", &change).await;
        assert_eq!(answer.fields(), [field], "{:#}", answer.json);
        answer.expect(422);
    }
    // A wrong field hides no other: not an unknown key, not a missing name, not a reference that leads nowhere.
    let mut all = bad.clone();
    all["price"] = json!(0);
    all.as_object_mut().unwrap().remove("name");
    all["spec"]["dataset"] = json!("ds-00000000000000000000000000000009");
    let mut fields = stack.post("/api/v1/tasks", &all).await.fields();
    fields.sort();
    let expected = ["name", "price", "spec.dataset", "spec.epochs", "spec.lora.rank", "spec.workspace"];
    assert_eq!(fields, expected);
    let mut absent = good.clone();
    absent["spec"]["dataset"] = json!("ds-00000000000000000000000000000009");
    absent["spec"]["model"] = json!("model-00000000000000000000000000000009");
    assert_eq!(stack.post("/api/v1/tasks", &absent).await.fields(), ["spec.model", "spec.dataset"]);
    let mut unfit = good.clone();
    unfit["spec"]["task_type"] = json!("pretrain");
    unfit["spec"]["method"] = json!("full");
    assert_eq!(stack.post("/api/v1/tasks", &unfit).await.fields(), ["spec.dataset"]);
    let mut long = good.clone();
    long["spec"]["sequence_length"] = json!(4097);
    assert_eq!(stack.post("/api/v1/tasks", &long).await.fields(), ["spec.sequence_length"]);
    stack.poor.store(true, std::sync::atomic::Ordering::SeqCst);
    stack.post("/api/v1/tasks", &good).await.expect(402);
    stack.poor.store(false, std::sync::atomic::Ordering::SeqCst);
    let post = |body: Vec<u8>| stack.send(stack.request(Method::POST, "/api/v1/tasks", ADMIN_KEY).body(body));
    post(b"{".to_vec()).await.expect(400);
    post(vec![b'['; 200_000]).await.expect(400);
    post(vec![b' '; 2 << 20]).await.expect(413);
    stack.post("/api/v1/tasks", &good).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_paths_and_queries_are_refused() {
    let stack = Stack::start().await;
    for key in ["", "x", "anneal_1_2", &ADMIN_KEY[..40], "anneal_00000000000000000000000000000007_S3cret"] {
        let problem = stack.send(stack.request(Method::GET, "/api/v1/tasks", key)).await.expect(401);
        assert_eq!(problem["status"], 401);
    }
    for (path, fields) in [
        ("tasks?limit=1000000000", ["limit"].as_slice()),
        ("tasks?limit=0", &["limit"]),
        ("tasks?cursor=../x", &["cursor"]),
        ("tasks?colour=red&limit=-1&state=lost", &["colour", "limit", "state"]),
        ("models?source=stolen&task=7", &["source", "task"]),
        ("models?cursor=7", &["cursor"]),
        ("datasets?kind=poem", &["kind"]),
        ("deployments?limit=0", &["limit"]),
        ("users?colour=red", &["colour"]),
        ("api-keys?limit=101", &["limit"]),
        ("workspaces?cursor=x", &["cursor"]),
        ("events?since=yesterday", &["since"]),
        ("tasks/task-00000000000000000000000000000001/logs?lines=7", &["lines"]),
    ] {
        let answer = stack.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.fields(), fields, "{path}: {:#}", answer.json);
        answer.expect(422);
    }
    for id in ["task-*", "task-%3E", "..%2F..%2Fetc", "task-%0d%0aX:%20y", "a.b"] {
        stack.get(&format!("/api/v1/tasks/{id}")).await.expect(404);
    }
    stack.get("/api/v1/nothing").await.expect(404);
    // The server may close this connection: it is one of its own.
    let alone = reqwest::Client::new()
        .get(format!("{}/api/v1/tasks", stack.url))
        .header("X-Huge", "x".repeat(1 << 20));
    let huge = alone.send().await;
    assert!(huge.is_err() || huge.is_ok_and(|answer| answer.status().is_client_error()));

    let key = stack.post("/api/v1/api-keys", &json!({ "name": "look", "role": "viewer" })).await.expect(201);
    let (id, viewer) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    stack.send(stack.request(Method::GET, "/api/v1/tasks", viewer)).await.expect(200);
    stack.send(stack.request(Method::POST, "/api/v1/tasks", viewer).json(&json!({}))).await.expect(403);
    stack.send(stack.request(Method::GET, "/api/v1/api-keys", viewer)).await.expect(403);
    stack.send(stack.request(Method::DELETE, &format!("/api/v1/api-keys/{id}"), ADMIN_KEY)).await.expect(204);
    stack.send(stack.request(Method::GET, "/api/v1/tasks", viewer)).await.expect(401);
    let shown = stack.get("/api/v1/api-keys").await.expect(200).to_string();
    assert!(!shown.contains("s3cret") && !shown.contains("sha256"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_datasets_are_refused_with_their_lines() {
    let stack = Stack::start().await;
    let rows = "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":7}\nnonsense\n{\"prompt\":\"c\",\"completion\":\"d\"}\n";
    let refused = stack.upload("name=x&filename=x.jsonl", rows).await;
    let lines: Vec<&Value> =
        refused.json["errors"].as_array().unwrap().iter().map(|error| &error["line"]).collect();
    assert_eq!(lines, [&json!(2), &json!(3)]);
    assert_eq!(refused.expect(422)["invalid_count"], 2);
    let kept = stack.upload("name=x&filename=x.jsonl&skip_invalid=true", rows).await.expect(201);
    assert_eq!((&kept["rows"], &kept["invalid_rows"]), (&json!(4), &json!(2)));
    let id = kept["id"].as_str().unwrap();
    let preview = stack.get(&format!("/api/v1/datasets/{id}/preview?limit=1")).await.expect(200);
    assert_eq!(preview["rows"].as_array().unwrap().len(), 1);
    let next = stack
        .upload(&format!("dataset={id}&filename=x.jsonl"), "{\"prompt\":\"a\",\"completion\":\"b\"}\n")
        .await;
    assert_eq!(next.expect(201)["version"], 2);
    for (query, body) in [
        ("name=x", Vec::new()),
        ("name=x", b"   \n".to_vec()),
        ("name=x&filename=x.jsonl", vec![0xff, 0xfe, 0x00, 0x01]),
        ("name=x", b"\x80\x04\x95pickle".to_vec()),
        ("filename=x.jsonl", b"{}".to_vec()),
        ("name=x&kind=poem", b"{}".to_vec()),
    ] {
        stack.upload(query, body).await.expect(422);
    }
    let refused = stack.upload(&format!("dataset={id}&name=y&builtin=true"), "x").await;
    assert_eq!(refused.fields(), ["name", "builtin"]);
    stack.upload("name=x", vec![b'a'; 2 << 20]).await.expect(413);
    stack.get("/healthz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_models_are_refused_by_file() {
    let stack = Stack::start().await;
    let corrupt = |bytes: &[u8]| bytes[..60].to_vec();
    for (path, bytes, field) in [
        ("m.gguf", corrupt(&gguf()), "files.m.gguf"),
        ("m.gguf", b"GGML".to_vec(), "files.m.gguf"),
        ("pytorch_model.bin", b"anything".to_vec(), "files.pytorch_model.bin"),
        ("model.safetensors", b"\x80\x04\x95".to_vec(), "files.model.safetensors"),
        ("model.safetensors", u64::MAX.to_le_bytes().to_vec(), "files.model.safetensors"),
        ("config.json", b"{\"architectures\":[\"Evil\"]}".to_vec(), "files.config.json"),
    ] {
        let made =
            stack.post("/api/v1/models", &json!({ "name": "m", "source": "imported" })).await.expect(201);
        let id = made["id"].as_str().unwrap();
        let file = format!("/api/v1/models/{id}/files/{path}");
        stack.send(stack.request(Method::PUT, &file, ADMIN_KEY).body(bytes)).await.expect(200);
        let refused = stack.post(&format!("/api/v1/models/{id}/complete"), &Value::Null).await;
        assert!(refused.fields().iter().any(|name| name == field), "{field}: {:#}", refused.json);
        refused.expect(422);
    }
    let made = stack.post("/api/v1/models", &json!({ "name": "m", "source": "imported" })).await.expect(201);
    let id = made["id"].as_str().unwrap();
    for path in ["..%2F..%2Fetc%2Fx", "a%5Cb", "a%2F..%2Fb", "manifest.json"] {
        let put =
            stack.request(Method::PUT, &format!("/api/v1/models/{id}/files/{path}"), ADMIN_KEY).body("x");
        let answer = stack.send(put).await;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
    }
    let big = stack.request(Method::PUT, &format!("/api/v1/models/{id}/files/big.gguf"), ADMIN_KEY);
    stack.send(big.body(vec![0; 2 << 20])).await.expect(413);
    stack.post(&format!("/api/v1/models/{id}/complete"), &Value::Null).await.expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn benchmarks_are_listed_and_a_users_own_is_held_within_its_dataset() {
    let stack = Stack::start().await;
    let listed = stack.get("/api/v1/benchmarks").await.expect(200);
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"gsm8k") && names.contains(&"ceval-valid"));
    let model = stack.model().await;
    let rows = "{\"question\":\"1+1\",\"answer\":\"2\"}\n";
    let made = stack.upload("name=mine&filename=test.jsonl&kind=evaluation", rows).await.expect(201);
    let own = json!({ "doc_to_text": "{{question}}", "doc_to_target": "answer", "test_split": "test" });
    let entry =
        |alias: &str| json!({ "benchmark": "mine", "dataset": made["id"], "task": own, "alias": alias });
    let body = |datasets: Value| {
        json!({ "name": "e", "spec": { "kind": "evaluation", "model_source": "builtin", "model": model,
                                       "datasets": datasets } })
    };
    let sound = body(json!([entry("first"), entry("second")]));
    stack.post("/api/v1/tasks", &sound).await.expect(202);
    let twice = stack.post("/api/v1/tasks", &body(json!([entry("same"), entry("same")]))).await;
    assert_eq!(twice.fields(), ["spec.datasets[1].alias"]);
    let mut outside = entry("x");
    outside["task"]["include"] = json!("/etc/passwd");
    outside["task"]["dataset_name"] = json!("../../other");
    let refused = stack.post("/api/v1/tasks", &body(json!([outside]))).await;
    assert_eq!(refused.fields(), ["spec.datasets[0].task.include", "spec.datasets[0].task.dataset_name"]);
}
