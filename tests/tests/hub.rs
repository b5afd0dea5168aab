//! An import whose process is killed goes on with the files that were not stored yet, on the real processes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_tests::{Platform, bench::A_WHILE, client::id_of, inputs, platform::within};
use serde_json::json;

#[tokio::test]
async fn a_killed_import_goes_on_with_the_files_that_are_missing() {
    let mut platform = Platform::start_with(&[]).await;
    let client = platform.client();
    let mut files = 0;
    for entry in std::fs::read_dir(inputs::tiny_model(platform.folder())).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        platform.hub.put("models/org/tiny", &name, std::fs::read(entry.path()).unwrap());
        files += 1;
    }
    assert!(files >= 3, "only {files} files");
    platform.kill("task-api");
    platform.launch_failing("task-api", "importer.after_file=kill");
    platform.ready().await;
    let body = json!({"kind": "model", "hub": "org/tiny"});
    // The answer may or may not arrive before the API's death.
    drop(client.request(reqwest::Method::POST, "/api/v1/imports").json(&body).send().await);
    platform.ended("task-api").await;
    platform.launch("task-api");
    platform.ready().await;
    let import = id_of(&client.get("/api/v1/imports").await["data"][0]);
    let path = format!("/api/v1/imports/{import}");
    within(A_WHILE, || async { client.try_get(&path).await.is_ok_and(|import| import["state"] == "done") })
        .await;
    let done = client.get(&path).await;
    let model = client.get(&format!("/api/v1/models/{}", done["resource"].as_str().unwrap())).await;
    assert_eq!((&model["state"], &model["format"]), (&json!("ready"), &json!("huggingface")), "{model}");
    let seen = platform.hub.content.lock().unwrap().seen.clone();
    let mut came: Vec<String> =
        seen.into_iter().map(|(path, _)| path).filter(|path| path.contains("/resolve/")).collect();
    came.sort();
    let count = came.len();
    came.dedup();
    assert!(count >= 3 && came.len() == count, "what was stored came again: {came:?}");
    // What came is a model like any other.
    let chat = client.dataset("chat", "sft", inputs::chat_rows(20)).await;
    platform.launch("trainer");
    let spec = inputs::training(done["resource"].as_str().unwrap(), &chat, 4, 2);
    let task = client.launch("tune", spec).await;
    client.reaches(&task, &["succeeded"], A_WHILE).await;
}
