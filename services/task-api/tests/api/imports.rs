//! Models and datasets from a hub, over HTTP: what a client asks for and what it gets.

use std::time::Duration;

use anneal_runtime::Secret;
use anneal_task_api::Config;
use anneal_testkit::{FakeHub, HUB_COMMIT, HUB_TOKEN};
use serde_json::{Value, json};

use crate::stack::{Stack, gguf};

const DEADLINE: Duration = Duration::from_secs(30);

async fn connected(hub: &FakeHub, token: &str) -> Stack {
    let (endpoint, token) = (hub.endpoint.clone(), Secret::new(token));
    Stack::start_with(|mut config: Config| {
        config.hub.endpoint = endpoint;
        config.hub.token = token;
        config
    })
    .await
}

/// Asks for an import and waits for its end.
async fn import(stack: &Stack, body: Value) -> Value {
    let made = stack.post("/api/v1/imports", &body).await.expect(202);
    let path = format!("/api/v1/imports/{}", made["id"].as_str().unwrap());
    anneal_testkit::eventually(DEADLINE, || async {
        let state = stack.get(&path).await.json["state"].clone();
        state == "done" || state == "failed"
    })
    .await;
    stack.get(&path).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_the_hub_becomes_a_model_here_with_a_broken_line_in_between() {
    let hub = FakeHub::start().await;
    hub.put("models/org/tiny", "tiny.Q8_0.gguf", gguf());
    hub.put("models/org/tiny", "README.md", "# tiny");
    hub.content.lock().unwrap().cuts = vec![40];
    let stack = connected(&hub, "").await;
    let done = import(&stack, json!({"kind": "model", "hub": "org/tiny"})).await;
    assert_eq!((&done["state"], &done["commit"]), (&json!("done"), &json!(HUB_COMMIT)), "{done}");
    assert_eq!(done["done_bytes"], gguf().len());
    let model =
        stack.get(&format!("/api/v1/models/{}", done["resource"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&model["name"], &model["state"], &model["format"], &model["source"]),
        (&json!("tiny"), &json!("ready"), &json!("gguf"), &json!("imported"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_a_dataset_becomes_a_dataset_of_its_splits() {
    let hub = FakeHub::start().await;
    let row = |n: u32| format!("{{\"question\": \"{n} + 1?\", \"answer\": \"#### {}\"}}\n", n + 1);
    hub.put("datasets/openai/gsm8k", "main/train-00000-of-00001.jsonl", row(1) + &row(2));
    hub.put("datasets/openai/gsm8k", "main/test-00000-of-00001.jsonl", row(3));
    hub.put("datasets/openai/gsm8k", "socratic/test-00000-of-00001.jsonl", row(4));
    let stack = connected(&hub, "").await;
    let ask = |config: Option<&str>| {
        json!({"kind": "dataset", "hub": "openai/gsm8k", "config": config, "dataset_kind": "evaluation",
               "name": "gsm8k"})
    };
    let unclear = import(&stack, ask(None)).await;
    assert!(unclear["failure"].as_str().unwrap().contains("main, socratic"), "{unclear}");
    let done = import(&stack, ask(Some("main"))).await;
    assert_eq!(done["state"], "done", "{done}");
    let path = format!("/api/v1/datasets/{}", done["resource"].as_str().unwrap());
    let dataset = stack.get(&path).await.expect(200);
    assert_eq!(
        (&dataset["name"], &dataset["rows"], &dataset["kind"]),
        (&json!("gsm8k"), &json!(3), &json!("evaluation")),
        "{dataset}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_told_in_words_and_leaves_nothing() {
    let hub = FakeHub::start().await;
    hub.put("models/org/pickled", "config.json", "{}");
    hub.put("models/org/pickled", "pytorch_model.bin", vec![0x80, 2]);
    hub.put("models/org/gated", "x.gguf", gguf());
    hub.put(
        "datasets/org/rows",
        "train.jsonl",
        "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": 7}\n",
    );
    hub.content.lock().unwrap().gated = vec!["models/org/gated".to_owned()];
    let stack = connected(&hub, HUB_TOKEN).await;
    for (body, told) in [
        (json!({"kind": "model", "hub": "org/pickled"}), "pickles only"),
        (json!({"kind": "model", "hub": "org/none"}), "no model `org/none`"),
        (json!({"kind": "model", "hub": "org/gated"}), "gated"),
        (json!({"kind": "model", "hub": "org/pickled", "files": ["absent.gguf"]}), "no file `absent.gguf`"),
        (json!({"kind": "dataset", "hub": "org/rows", "revision": "v9"}), "no revision `v9`"),
        (json!({"kind": "dataset", "hub": "org/rows", "split": "test"}), "the split `test`"),
        (json!({"kind": "dataset", "hub": "org/rows"}), "line 2"),
    ] {
        let failed = import(&stack, body.clone()).await;
        assert_eq!(failed["state"], "failed", "{body}: {failed}");
        let why = failed["failure"].as_str().unwrap();
        assert!(why.contains(told), "{body}: {why}");
        assert!(!failed.to_string().contains(HUB_TOKEN), "{failed}");
    }
    let skipped = json!({"kind": "dataset", "hub": "org/rows", "skip_invalid": true});
    assert_eq!(import(&stack, skipped).await["state"], "done");
    let models = stack.get("/api/v1/models").await.expect(200);
    assert_eq!(models["data"], json!([]), "half a model was left");
    let wrong = stack.post("/api/v1/imports", &json!({"kind": "model", "hub": "a/b/c", "split": "x"})).await;
    assert_eq!((wrong.status.as_u16(), wrong.fields()), (422, vec!["hub".to_owned(), "split".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_one_kind_are_listed_page_by_page() {
    let hub = FakeHub::start().await;
    let stack = connected(&hub, "").await;
    let mut made: Vec<Value> = Vec::new();
    for kind in ["model", "dataset", "dataset", "model", "dataset"] {
        // A name that would pass for the other kind, were it read as text.
        let body =
            json!({"kind": kind, "hub": "org/none", "files": ["\"kind\":\"model\"", "\"kind\":\"dataset\""]});
        made.insert(0, stack.post("/api/v1/imports", &body).await.expect(202));
    }
    for wanted in [Some("model"), Some("dataset"), None] {
        let expected: Vec<&Value> = made
            .iter()
            .filter(|import| wanted.is_none_or(|kind| import["request"]["kind"] == kind))
            .map(|import| &import["id"])
            .collect();
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let kind = wanted.map(|kind| format!("&kind={kind}")).unwrap_or_default();
            let page = stack.get(&format!("/api/v1/imports?limit=2{kind}{cursor}")).await.expect(200);
            let data = page["data"].as_array().unwrap();
            assert!(data.len() == 2 || page["has_more"] == false, "a page is not full: {page}");
            listed.extend(data.iter().map(|import| import["id"].clone()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{wanted:?}");
    }
    let wrong = stack.get("/api/v1/imports?kind=deployment").await;
    assert_eq!((wrong.status.as_u16(), wrong.fields()), (422, vec!["kind".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_without_a_hub_says_so() {
    let stack = Stack::start_with(|mut config: Config| {
        config.hub.endpoint = String::new();
        config
    })
    .await;
    let refused = stack.post("/api/v1/imports", &json!({"kind": "model", "hub": "a/b"})).await.expect(422);
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("no hub"), "{refused}");
}
