//! Who may do what: workspaces, users and their keys.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack};

async fn user(stack: &Stack, email: &str, role: &str) -> String {
    let body = json!({ "email": email, "name": "A", "role": role });
    stack.post("/api/v1/users", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// The id and the text of a new key of the user.
async fn key_of(stack: &Stack, user: &str, role: &str) -> (String, String) {
    let made =
        stack.post("/api/v1/api-keys", &json!({ "name": "k", "role": role, "user": user })).await.expect(201);
    assert_eq!(made["user"], user);
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_key_follows_the_users_role_and_goes_with_the_user() {
    let stack = Stack::start().await;
    let member = user(&stack, "m@b.example", "member").await;
    let more = json!({ "name": "k", "role": "admin", "user": member });
    assert_eq!(stack.post("/api/v1/api-keys", &more).await.fields(), ["role"]);
    let nobodys = json!({ "name": "k", "role": "viewer", "user": "user-00000000000000000000000000000009" });
    assert_eq!(stack.post("/api/v1/api-keys", &nobodys).await.fields(), ["user"]);
    let (_, key) = key_of(&stack, &member, "member").await;
    let create = async || stack.ask(Method::POST, "/api/v1/tasks", &key, &json!({})).await;
    create().await.expect(422);
    let path = format!("/api/v1/users/{member}");
    let change = async |body: Value| stack.ask(Method::PATCH, &path, ADMIN_KEY, &body).await;
    assert_eq!(change(json!({ "role": "viewer" })).await.expect(200)["role"], "viewer");
    create().await.expect(403);
    let renamed = change(json!({ "name": "B", "role": "member" })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["role"]), (&json!("B"), &json!("member")));
    create().await.expect(422);
    let mut wrong = change(json!({ "role": "king", "email": "x@y" })).await.fields();
    wrong.sort();
    assert_eq!(wrong, ["email", "role"]);
    stack.ask(Method::PATCH, &path, &key, &json!({ "role": "admin" })).await.expect(403);
    stack.ask(Method::DELETE, &path, ADMIN_KEY, &json!({})).await.expect(204);
    create().await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_key_of_an_admin_stays() {
    let stack = Stack::start().await;
    let (workspace, admin) = stack.workspace("other").await;
    assert!(workspace.starts_with("ws-"));
    let ask = |method, path: String, body| {
        let (stack, admin) = (&stack, &admin);
        async move { stack.ask(method, &path, admin, &body).await }
    };
    let keys = ask(Method::GET, "/api/v1/api-keys".to_owned(), json!({})).await.expect(200);
    let first = format!("/api/v1/api-keys/{}", keys["data"][0]["id"].as_str().unwrap());
    ask(Method::DELETE, first.clone(), json!({})).await.expect(409);
    let person = json!({ "email": "a@b.example", "name": "A", "role": "admin" });
    let person = ask(Method::POST, "/api/v1/users".to_owned(), person).await.expect(201);
    let path = format!("/api/v1/users/{}", person["id"].as_str().unwrap());
    let key = json!({ "name": "k", "role": "admin", "user": person["id"] });
    let key = ask(Method::POST, "/api/v1/api-keys".to_owned(), key).await.expect(201);
    ask(Method::DELETE, first, json!({})).await.expect(204);
    // Now the user's key is the last one: the user can neither go nor become less.
    let own = key["key"].as_str().unwrap();
    stack.ask(Method::PATCH, &path, own, &json!({ "role": "member" })).await.expect(409);
    stack.ask(Method::DELETE, &path, own, &json!({})).await.expect(409);
    stack.ask(Method::GET, "/api/v1/api-keys", own, &json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_listed_renamed_and_deleted_when_empty() {
    let stack = Stack::start().await;
    let (other, admin) = stack.workspace("other").await;
    let (third, _) = stack.workspace("third").await;
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = stack.get("/api/v1/workspaces?limit=2").await.expect(200);
    assert_eq!(ids(&first), [third.clone(), other.clone()]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = stack.get(&format!("/api/v1/workspaces?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((rest["data"][0]["name"].as_str(), &rest["has_more"]), (Some("default"), &json!(false)));
    let own = stack.ask(Method::GET, "/api/v1/workspaces", &admin, &Value::Null).await.expect(200);
    assert_eq!(ids(&own), std::slice::from_ref(&other));

    let path = |id: &str| format!("/api/v1/workspaces/{id}");
    let name = json!({ "name": "renamed" });
    assert_eq!(stack.ask(Method::PATCH, &path(&other), &admin, &name).await.expect(200)["name"], "renamed");
    stack.ask(Method::PATCH, &path(&third), &admin, &name).await.expect(404);
    stack.ask(Method::PATCH, &path(&third), ADMIN_KEY, &name).await.expect(200);

    let model = json!({ "name": "m", "source": "imported" });
    let model = stack.ask(Method::POST, "/api/v1/models", &admin, &model).await.expect(201);
    stack.ask(Method::DELETE, &path(&other), &admin, &Value::Null).await.expect(403);
    stack.ask(Method::DELETE, &path(&other), ADMIN_KEY, &Value::Null).await.expect(409);
    let model = format!("/api/v1/models/{}", model["id"].as_str().unwrap());
    stack.ask(Method::DELETE, &model, &admin, &Value::Null).await.expect(204);
    stack.ask(Method::DELETE, &path(&other), ADMIN_KEY, &Value::Null).await.expect(204);
    stack.ask(Method::GET, "/api/v1/workspace", &admin, &Value::Null).await.expect(401);
    stack.ask(Method::DELETE, &path(&other), ADMIN_KEY, &Value::Null).await.expect(404);
    let home = path("ws-00000000000000000000000000000001");
    stack.ask(Method::DELETE, &home, ADMIN_KEY, &Value::Null).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_run_the_platform_put_credits_in() {
    let stack = Stack::start().await;
    let (other, admin) = stack.workspace("other").await;
    let path = "/api/v1/billing/top-up";
    let credits = |workspace: &str| json!({ "amount_microcredits": 5, "workspace": workspace });
    for body in [json!({ "amount_microcredits": 5 }), credits(&other)] {
        stack.ask(Method::POST, path, &admin, &body).await.expect(403);
        stack.post(path, &body).await.expect(200);
    }
    let mut wrong = credits("ws-00000000000000000000000000000009");
    wrong["amount_microcredits"] = json!(0);
    assert_eq!(stack.post(path, &wrong).await.fields(), ["amount_microcredits", "workspace"]);
    // Each workspace audits its own charges.
    for (key, difference) in [(ADMIN_KEY, 1), (admin.as_str(), 0)] {
        let audit = stack.ask(Method::POST, "/api/v1/billing/audit", key, &Value::Null).await.expect(200);
        assert_eq!(audit["difference_microcredits"], difference);
    }
}
