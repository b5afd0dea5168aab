//! The platform's own models and datasets: for every workspace to use, for the first alone to change.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{ADMIN_KEY, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn every_workspace_uses_them_and_only_the_first_changes_them() {
    let stack = Stack::start().await;
    let (_, admin) = stack.workspace("other").await;
    let (base, private) = (stack.model_from("builtin").await, stack.model().await);
    let text = "{\"text\":\"one two three\"}\n{\"text\":\"four five six\"}\n";
    let c4 = stack.upload("name=c4&filename=c4.jsonl&builtin=true", text).await.expect(201);
    let c4 = c4["id"].as_str().unwrap();
    let ask = async |method: Method, path: &str, body: Value| stack.ask(method, path, &admin, &body).await;
    let get = async |path: &str| ask(Method::GET, path, Value::Null).await;

    let models = get("/api/v1/models").await.expect(200);
    assert_eq!((models["data"].as_array().unwrap().len(), &models["data"][0]["id"]), (1, &json!(base)));
    assert_eq!(get("/api/v1/datasets?kind=pretrain").await.expect(200)["data"][0]["id"], c4);
    for path in [
        format!("/api/v1/models/{base}"),
        format!("/api/v1/models/{base}/lineage"),
        format!("/api/v1/models/{base}/files/base.gguf?redirect=false"),
        format!("/api/v1/datasets/{c4}"),
        format!("/api/v1/datasets/{c4}/preview"),
    ] {
        get(&path).await.expect(200);
    }
    get(&format!("/api/v1/models/{private}")).await.expect(404);

    let compilation = |model: &str| {
        let spec = json!({ "kind": "compilation", "model_source": "builtin", "model": model,
                           "quantization": "int8", "calibration": "c4", "validation_dataset": c4 });
        json!({ "name": "c", "spec": spec })
    };
    assert_eq!(ask(Method::POST, "/api/v1/tasks", compilation(&private)).await.fields(), ["spec.model"]);
    let task = ask(Method::POST, "/api/v1/tasks", compilation(&base)).await.expect(202);
    for path in [format!("/api/v1/models/{base}"), format!("/api/v1/datasets/{c4}")] {
        ask(Method::DELETE, &path, Value::Null).await.expect(404);
        // It is in use; whose task it is, is not said.
        let refused = stack.ask(Method::DELETE, &path, ADMIN_KEY, &Value::Null).await.expect(409);
        assert!(!refused["detail"].as_str().unwrap().contains("task-"), "{refused}");
    }
    let file = format!("/api/v1/models/{base}/files/other.gguf");
    ask(Method::PUT, &file, Value::Null).await.expect(404);
    let version = format!("/api/v1/datasets?dataset={c4}");
    ask(Method::POST, &version, json!({ "text": "x" })).await.expect(404);
    let cancel = format!("/api/v1/tasks/{}/cancel", task["id"].as_str().unwrap());
    ask(Method::POST, &cancel, Value::Null).await.expect(202);
    stack.ask(Method::DELETE, &format!("/api/v1/datasets/{c4}"), ADMIN_KEY, &Value::Null).await.expect(204);
    assert_eq!(
        ask(Method::POST, "/api/v1/tasks", compilation(&base)).await.fields(),
        ["spec.calibration", "spec.validation_dataset"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_registers_any() {
    let stack = Stack::start().await;
    let (_, admin) = stack.workspace("other").await;
    let model = json!({ "name": "m", "source": "builtin" });
    stack.ask(Method::POST, "/api/v1/models", &admin, &model).await.expect(403);
    let path = "/api/v1/datasets?name=c4&builtin=true";
    stack.ask(Method::POST, path, &admin, &json!({ "text": "x" })).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_of_the_wrong_kind_are_refused_where_they_are_named() {
    let stack = Stack::start().await;
    let (model, chat) = (stack.model().await, stack.dataset().await);
    let pairs = "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}\n";
    let pairs = stack.upload("name=p&filename=p.jsonl", pairs).await.expect(201)["id"].clone();
    let task = |spec: Value| json!({ "name": "t", "spec": spec });
    let evaluation = |benchmark: &str, dataset: &Value| {
        task(json!({ "kind": "evaluation", "model_source": "builtin", "model": model,
                     "datasets": [{ "benchmark": benchmark, "dataset": dataset }] }))
    };
    let compilation = |dataset: &Value| {
        task(
            json!({ "kind": "compilation", "model_source": "builtin", "model": model, "quantization": "int8",
                     "calibration": { "dataset": dataset }, "validation_dataset": dataset }),
        )
    };
    let create = async |body: Value| stack.post("/api/v1/tasks", &body).await;
    assert_eq!(create(evaluation("arc_easy", &pairs)).await.fields(), ["spec.datasets[0].dataset"]);
    assert_eq!(create(evaluation("heldout_loss", &pairs)).await.fields(), ["spec.datasets[0].dataset"]);
    create(evaluation("heldout_loss", &json!(chat))).await.expect(202);
    let both = ["spec.calibration.dataset", "spec.validation_dataset"];
    assert_eq!(create(compilation(&pairs)).await.fields(), both);
    create(compilation(&json!(chat))).await.expect(202);
}
