//! What a client sees of a service without models: health, lists, and errors in OpenAI's shape.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use actix_web::{App, http::StatusCode, test as http};
use anneal_inference::{Deployments, Settings, routes};
use anneal_runtime::clock::SystemClock;
use serde_json::Value;

fn empty() -> Deployments {
    Deployments::new(Settings::default(), SystemClock::shared())
}

async fn ask(request: http::TestRequest) -> (StatusCode, Value) {
    let app = http::init_service(App::new().configure(routes::configure(empty()))).await;
    let response = http::call_service(&app, request.to_request()).await;
    let status = response.status();
    (status, http::read_body_json(response).await)
}

#[actix_web::test]
async fn an_empty_service_is_healthy_and_lists_nothing() {
    let (status, body) = ask(http::TestRequest::get().uri("/healthz")).await;
    assert_eq!((status.as_u16(), body["models"].as_u64()), (200, Some(0)));
    let (status, body) = ask(http::TestRequest::get().uri("/v1/models")).await;
    assert_eq!((status.as_u16(), body["data"].as_array().unwrap().len()), (200, 0));
}

#[actix_web::test]
async fn bad_requests_are_told_in_openai_shape() {
    let post = |uri: &str, body: &str| {
        http::TestRequest::post()
            .uri(uri)
            .insert_header(("content-type", "application/json"))
            .set_payload(body.to_owned())
    };
    let deep = "[".repeat(100_000);
    for (request, expected, code) in [
        (post("/v1/chat/completions", "{"), 400, None),
        (post("/v1/chat/completions", "[]"), 400, None),
        (post("/v1/chat/completions", &deep), 400, None),
        (post("/v1/completions", r#"{"model": 7}"#), 400, None),
        (post("/v1/chat/completions", r#"{"model": "none", "messages": []}"#), 404, Some("model_not_found")),
        (post("/v1/completions", r#"{"model": "none", "prompt": "x"}"#), 404, Some("model_not_found")),
        (http::TestRequest::get().uri("/v1/models/none"), 404, Some("model_not_found")),
        (http::TestRequest::get().uri("/v1/nothing"), 404, Some("unknown_url")),
        (post("/v1/completions", &"x".repeat(9 << 20)), 413, None),
    ] {
        let (status, body) = ask(request).await;
        assert_eq!(status.as_u16(), expected, "{body}");
        assert_eq!(body["error"]["code"].as_str(), code, "{body}");
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    }
}

// By its full path: `actix_web::test` is in scope.
#[::core::prelude::v1::test]
fn a_folder_that_is_no_model_is_refused_and_nothing_is_deployed() {
    let folder = tempfile::tempdir().unwrap();
    let deployments = empty();
    let error = deployments.load("broken", folder.path()).unwrap_err().to_string();
    assert!(error.contains("config.json") || error.contains("cargo xtask fetch"), "{error}");
    assert!(deployments.list().is_empty() && !deployments.unload("broken"));
}
