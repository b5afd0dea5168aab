//! Errors below `/v1` are OpenAI's, whatever goes wrong.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn every_error_has_openais_shape() {
    let stack = Stack::start().await;
    let path = "/v1/chat/completions";
    let refused = stack.ask(Method::POST, path, "nobody", &json!({ "model": "bot" })).await.expect(401);
    assert_eq!(refused["error"]["code"], "invalid_api_key");
    assert_eq!(refused["error"]["type"], "invalid_request_error");
    let post = |body: Vec<u8>| stack.send(stack.request(Method::POST, path, ADMIN_KEY).body(body));
    let refused = post(vec![b' '; 9 << 20]).await.expect(413);
    assert_eq!(refused["error"]["code"], "request_too_large");
    assert_eq!(post(b"[]".to_vec()).await.expect(400)["error"]["code"], "invalid_json");
    // A conversation may be longer than a form.
    let long = json!({ "model": "bot", "messages": [{ "role": "user", "content": "x".repeat(2 << 20) }] });
    assert_eq!(stack.post(path, &long).await.expect(404)["error"]["code"], "model_not_found");
    let unknown = stack.get("/v1/nothing").await.expect(404);
    assert!(unknown["error"]["message"].is_string(), "{unknown}");
    // The native API keeps its own.
    let native = stack.ask(Method::GET, "/api/v1/tasks", "nobody", &Value::Null).await.expect(401);
    assert_eq!((&native["status"], &native["error"]), (&json!(401), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_does_not_answer_is_not_found() {
    let stack = Stack::start().await;
    let missing = stack.get("/v1/models/bot").await.expect(404);
    assert_eq!(missing["error"]["code"], "model_not_found");
    assert_eq!(stack.get("/v1/models").await.expect(200), json!({ "object": "list", "data": [] }));
}
