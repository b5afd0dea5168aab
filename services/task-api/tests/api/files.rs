//! Files leave by presigned link, folders as an archive.

use std::io::{Cursor, Read};

use anneal_contracts::{
    Trace,
    event::Artifact,
    rpc::{DeploymentsReply, Done, FinishTask, ReportDeployment},
    subject::rpc,
};
use anneal_domain::{
    id::{TaskId, WorkerId},
    task::TaskState,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    stack::{ADMIN_KEY, Stack, gguf},
    tasks::claim,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_by_link_and_as_an_archive() {
    let stack = Stack::start().await;
    let model = stack.model().await;
    let path = format!("/api/v1/models/{model}/files/base.gguf");
    let link = stack.get(&format!("{path}?redirect=false")).await.expect(200);
    let bytes = reqwest::get(link["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, gguf());
    let redirect = stack.request(Method::GET, &path, ADMIN_KEY).send().await.unwrap();
    assert_eq!(redirect.status().as_u16(), 307);
    stack.get(&format!("/api/v1/models/{model}/files/other.gguf")).await.expect(404);

    let archive = stack
        .request(Method::GET, &format!("/api/v1/models/{model}/archive"), ADMIN_KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(archive.status().as_u16(), 200);
    let archive = archive.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    assert_eq!(archive.len(), 1);
    let mut content = Vec::new();
    archive.by_name("base.gguf").unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, gguf());
    // Completed files never change.
    let put = stack.request(Method::PUT, &path, ADMIN_KEY).body("x");
    stack.send(put).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_compiled_models_are_deployed_and_chat_names_a_deployment() {
    let stack = Stack::start().await;
    let model = stack.model().await;
    let wanted = json!({ "name": "bot", "model": model });
    assert_eq!(stack.post("/api/v1/deployments", &wanted).await.fields(), ["model"]);
    let chat = json!({ "model": "bot", "messages": [] });
    let answer = stack.post("/v1/chat/completions", &chat).await.expect(404);
    assert_eq!(answer["error"]["code"], "model_not_found");
    assert_eq!(stack.get("/v1/models").await.expect(200)["data"], Value::Array(Vec::new()));
    let balance = stack.get("/api/v1/billing/balance").await.expect(200);
    assert_eq!(balance["available_microcredits"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiled_model_is_deployed_and_asked_under_its_own_workspaces_name() {
    let stack = Stack::start().await;
    let model = stack.model().await;
    let spec =
        json!({ "kind": "compilation", "model_source": "builtin", "model": model, "quantization": "fp16" });
    let task = stack.post("/api/v1/tasks", &json!({ "name": "c", "spec": spec })).await.expect(202);
    let (id, workspace): (TaskId, &str) =
        (task["id"].as_str().unwrap().parse().unwrap(), task["workspace"].as_str().unwrap());
    let worker = WorkerId::new();
    claim(&stack, id, worker).await;
    let prefix = format!("{workspace}/task/{id}/artifact/1/compiled");
    let artifact =
        Artifact { role: "compiled".to_owned(), prefix, manifest_sha256: "00".to_owned(), size_bytes: 3 };
    let finish = FinishTask {
        task: id,
        worker,
        epoch: 1,
        seq: 1,
        running_ms: 0,
        outcome: TaskState::Succeeded,
        requeue: None,
        failure: None,
        figures: serde_json::Map::new(),
        artifacts: vec![artifact],
    };
    let _: Done = stack.bus.request(rpc::FINISH_TASK, Trace::fresh(), &finish).await.unwrap();
    let compiled = stack.get(&format!("/api/v1/models?task={id}")).await.expect(200)["data"][0].clone();
    assert_eq!(compiled["format"], "onnx");
    let wanted = json!({ "name": "bot", "model": compiled["id"] });
    let made = stack.post("/api/v1/deployments", &wanted).await.expect(202);
    stack.post("/api/v1/deployments", &wanted).await.expect(409);
    let chat = json!({ "model": "bot", "messages": [] });
    assert_eq!(stack.post("/v1/chat/completions", &chat).await.expect(503)["error"]["code"], "not_ready");
    let listed: DeploymentsReply =
        stack.bus.request(rpc::LIST_DEPLOYMENTS, Trace::fresh(), &Done {}).await.unwrap();
    let served = format!("{workspace}/bot");
    assert_eq!(listed.deployments[0].name, served);
    let report = ReportDeployment {
        deployment: listed.deployments[0].deployment,
        ready: true,
        failure: None,
        endpoint: "http://127.0.0.1:1".to_owned(),
    };
    let _: Done = stack.bus.request(rpc::REPORT_DEPLOYMENT, Trace::fresh(), &report).await.unwrap();
    let answer = stack.post("/v1/chat/completions", &chat).await.expect(200);
    assert_eq!((&answer["model"], &answer["asked"]), (&json!("bot"), &json!(format!("\"{served}\""))));
    assert_eq!(stack.get("/v1/models").await.expect(200)["data"][0]["id"], "bot");
    assert_eq!(stack.get("/v1/models/bot").await.expect(200)["object"], "model");
    stack
        .send(stack.request(
            Method::DELETE,
            &format!("/api/v1/models/{}", compiled["id"].as_str().unwrap()),
            ADMIN_KEY,
        ))
        .await
        .expect(409);
    let path = format!("/api/v1/deployments/{}", made["id"].as_str().unwrap());
    stack.send(stack.request(Method::DELETE, &path, ADMIN_KEY)).await.expect(204);
    stack.post("/v1/chat/completions", &chat).await.expect(404);
}
