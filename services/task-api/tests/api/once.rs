//! A creating request that is repeated under its `Idempotency-Key` creates once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn users_keys_and_workspaces_are_made_once() {
    let stack = Stack::start().await;
    for (path, body, other, secret) in [
        (
            "/api/v1/users",
            json!({ "email": "a@b.example", "name": "A", "role": "viewer" }),
            json!({ "email": "c@b.example", "name": "A", "role": "viewer" }),
            None,
        ),
        (
            "/api/v1/api-keys",
            json!({ "name": "k", "role": "viewer" }),
            json!({ "name": "l", "role": "viewer" }),
            Some("key"),
        ),
        ("/api/v1/workspaces", json!({ "name": "w" }), json!({ "name": "v" }), Some("admin_key")),
    ] {
        let first = stack.post_once(path, path, &body).await.expect(201);
        let again = stack.post_once(path, path, &body).await.expect(201);
        assert_eq!(first["id"], again["id"], "{path}");
        if let Some(secret) = secret {
            // It was shown: nothing that could show it again is kept.
            assert!(first[secret].is_string() && again[secret].is_null(), "{path}: {again}");
        }
        assert_eq!(stack.post_once(path, path, &other).await.fields(), ["Idempotency-Key"], "{path}");
        let listed = stack.get(path).await.expect(200)["data"].clone();
        let made = listed.as_array().unwrap().iter().filter(|item| item["id"] == first["id"]).count();
        assert_eq!(made, 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_taken_once() {
    let stack = Stack::start().await;
    let rows = "{\"text\":\"one two three\"}\n";
    let upload = async |query: &str, rows: &'static str| {
        let request = stack.request(Method::POST, &format!("/api/v1/datasets?{query}"), ADMIN_KEY);
        stack.send(request.header("Idempotency-Key", "u1").body(rows)).await
    };
    let first = upload("name=text&filename=t.jsonl", rows).await.expect(201);
    let again = upload("name=text&filename=t.jsonl", rows).await.expect(201);
    assert_eq!(first, again);
    for (query, rows) in
        [("name=other&filename=t.jsonl", rows), ("name=text&filename=t.jsonl", "{\"text\":\"four\"}\n")]
    {
        assert_eq!(upload(query, rows).await.fields(), ["Idempotency-Key"]);
    }
    let listed = stack.get("/api/v1/datasets").await.expect(200);
    assert_eq!(listed["data"], Value::Array(vec![first]));
}
