//! Nothing crosses a workspace: every route of the OpenAPI document that names an id answers 404 to another workspace.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack};

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// The body a route needs before it looks at its id; none of these reads a body first.
fn request(stack: &Stack, method: &str, path: &str, key: &str) -> reqwest::RequestBuilder {
    stack.request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path, key).body("")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspaces_ids_are_not_found_on_every_route() {
    let stack = Stack::start().await;
    let body = stack.training().await;
    let task = stack.post("/api/v1/tasks", &body).await.expect(202)["id"].clone();
    let user = json!({ "email": "a@b.example", "name": "A", "role": "viewer" });
    let user = stack.post("/api/v1/users", &user).await.expect(201)["id"].clone();
    let key =
        stack.post("/api/v1/api-keys", &json!({ "name": "k", "role": "admin" })).await.expect(201)["id"]
            .clone();
    let other = stack.post("/api/v1/workspaces", &json!({ "name": "other" })).await.expect(201);
    let stranger = other["admin_key"].as_str().unwrap();
    let document = stack.get("/api/v1/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let ids = |path: &str| -> Option<Value> {
        Some(match path.split('/').nth(3)? {
            "tasks" | "billing" => task.clone(),
            "datasets" => body["spec"]["dataset"].clone(),
            "models" => body["spec"]["model"].clone(),
            "users" => user.clone(),
            "api-keys" => key.clone(),
            // There is no compiled model here to deploy: an id of nobody's.
            "deployments" => json!("dep-00000000000000000000000000000001"),
            "imports" => json!("import-00000000000000000000000000000001"),
            "workspaces" => json!("ws-00000000000000000000000000000001"),
            _ => return None,
        })
    };
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            if !path.contains("{id}") {
                let anonymous = request(&stack, method, path, "nobody");
                // A security of its own that asks for nothing.
                let open = item[method]["security"] == json!([{}]);
                let answer = stack.send(anonymous).await;
                assert_eq!(answer.status.as_u16() == 401, !open, "{method} {path}: {answer:?}");
                continue;
            }
            let id = ids(path).unwrap_or_else(|| panic!("{path} names an id that this test does not know"));
            let path = path
                .replace("{id}", id.as_str().unwrap())
                .replace("{role}", "adapter")
                .replace("{path}", "base.gguf");
            let answer = stack.send(request(&stack, method, &path, stranger)).await;
            assert_eq!(answer.status.as_u16(), 404, "{method} {path}: {answer:?}");
            assert!(
                answer.json["detail"].as_str().unwrap() != "no such route in this workspace",
                "{method} {path} is not routed"
            );
            tried += 1;
        }
    }
    assert!(tried >= 30, "only {tried} routes name an id");
    let empty = stack.send(stack.request(Method::GET, "/api/v1/tasks", stranger)).await.expect(200);
    assert_eq!(empty["data"], json!([]));
    let stolen = stack.send(stack.request(Method::POST, "/api/v1/tasks", stranger).json(&body)).await;
    assert_eq!(stolen.fields(), ["spec.model", "spec.dataset"]);
    stack
        .send(stack.request(Method::GET, &format!("/api/v1/tasks/{}", task.as_str().unwrap()), ADMIN_KEY))
        .await
        .expect(200);
}
