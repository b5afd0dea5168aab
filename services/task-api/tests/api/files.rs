//! Files leave by presigned link, folders as an archive.

use std::io::{Cursor, Read};

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack, gguf};

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
