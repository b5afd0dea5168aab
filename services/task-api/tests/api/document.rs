//! The API's description, walked as a generator of clients does.

use std::collections::BTreeSet;

use anneal_domain::spec::{EvaluationSpec, TrainingSpec};
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::to_value(anneal_task_api::openapi()).unwrap()
}

/// The document that the web console's types are made from.
const OF_THE_CONSOLE: &str = "../console/openapi.json";

#[test]
fn the_console_is_made_for_this_document() {
    let known: Value = serde_json::from_slice(&std::fs::read(OF_THE_CONSOLE).unwrap()).unwrap();
    let why = "run the test `write_the_document_of_the_console`, then `npm run types` in services/console";
    assert!(known == document(), "the API has changed: {why}");
}

#[test]
#[ignore = "writes the document instead of comparing with it"]
fn write_the_document_of_the_console() {
    std::fs::write(OF_THE_CONSOLE, format!("{:#}\n", document())).unwrap();
}

/// Every operation, with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete", "patch"] {
            if let Some(operation) = item.get(method) {
                found.push((format!("{method} {path}"), operation));
            }
        }
    }
    found
}

#[test]
fn every_operation_has_an_id_of_its_own_and_says_what_it_answers() {
    let document = document();
    let operations = operations(&document);
    let mut ids = BTreeSet::new();
    for (name, operation) in &operations {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no operationId"));
        assert!(ids.insert(id), "{name}: `{id}` is another operation's too");
        assert!(!operation["responses"].as_object().unwrap().is_empty(), "{name} says no answer");
        let in_path = name.matches('{').count();
        let said = operation["parameters"]
            .as_array()
            .map_or(0, |parameters| parameters.iter().filter(|parameter| parameter["in"] == "path").count());
        assert_eq!(in_path, said, "{name} does not describe its path");
    }
    assert!(operations.len() >= 60, "only {} operations", operations.len());
    assert!(ids.contains("describeApi"));
}

#[test]
fn every_answer_with_a_body_describes_it() {
    let document = document();
    for (name, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap();
        let good = answers.iter().filter(|(status, _)| status.starts_with('2') && *status != "204");
        for (status, answer) in good {
            let content = answer["content"].as_object();
            assert!(content.is_some_and(|content| !content.is_empty()), "{name}: {status} has no body");
            for (kind, media) in content.unwrap() {
                assert!(media["schema"].is_object(), "{name}: {status} as {kind} has no schema");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value, seen: &mut usize) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(place)) = map.get("$ref") {
                    *seen += 1;
                    let pointer = place.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{place} leads nowhere");
                }
                map.values().for_each(|value| walk(value, document, seen));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, document, seen)),
            _ => {}
        }
    }
    let document = document();
    let mut seen = 0;
    walk(&document, &document, &mut seen);
    assert!(seen > 50, "only {seen} references");
}

#[test]
fn callers_say_who_they_are_except_where_nobody_need() {
    let document = document();
    assert_eq!(document["security"], json!([{ "api_key": [] }]));
    assert_eq!(document["components"]["securitySchemes"]["api_key"]["scheme"], "bearer");
    let open: Vec<String> = operations(&document)
        .into_iter()
        .filter(|(_, operation)| operation["security"] == json!([{}]))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(open, ["get /api/v1/openapi.json", "get /healthz", "get /readyz"]);
}

#[test]
fn main_bodies_are_described() {
    let document = document();
    for name in
        ["Task", "TaskSpec", "Dataset", "Model", "Deployment", "Problem", "Workspace", "User", "ApiKey"]
    {
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not described");
    }
    let body = |operation: &str| {
        let (method, path) = operation.split_once(' ').unwrap();
        let item = &document["paths"][path][method];
        let answers = item["responses"].as_object().unwrap();
        let good = answers.iter().find(|(status, _)| status.starts_with('2')).unwrap().1;
        good["content"]["application/json"]["schema"]["$ref"].as_str().unwrap_or_default().to_owned()
    };
    for (operation, schema) in [
        ("post /api/v1/tasks", "Task"),
        ("post /api/v1/datasets", "Dataset"),
        ("get /api/v1/models/{id}", "Model"),
        ("post /api/v1/deployments", "Deployment"),
    ] {
        assert_eq!(body(operation), format!("#/components/schemas/{schema}"), "{operation}");
    }
}

/// What the document says of a specification is what the parser takes.
#[test]
fn specifications_are_described_as_they_are_read() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let kinds: Vec<&str> = schemas["TaskSpec"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["$ref"].as_str().unwrap())
        .collect();
    let place = |name: &str| format!("#/components/schemas/{name}");
    assert_eq!(kinds, ["TrainingSpec", "EvaluationSpec", "CompilationSpec"].map(place));
    let training: TrainingSpec = serde_json::from_value(json!({
        "task_type": "pretrain", "method": "full", "model": "model-00000000000000000000000000000001",
        "dataset": "ds-00000000000000000000000000000002", "tokenizer": {"train": {"vocab_size": 512}},
        "checkpoint_evaluation": {"datasets": []}
    }))
    .unwrap();
    let evaluation: EvaluationSpec = serde_json::from_value(json!({
        "model_source": "builtin", "model": "model-00000000000000000000000000000001", "datasets": [],
        "from_task": "task-00000000000000000000000000000003", "rescore": "task-00000000000000000000000000000004",
        "checkpoint": "ckpt-00000000000000000000000000000005"
    }))
    .unwrap();
    for (name, written) in [
        ("TrainingSpec", serde_json::to_value(training).unwrap()),
        ("EvaluationSpec", serde_json::to_value(evaluation).unwrap()),
    ] {
        let schema = &schemas[name];
        let mut said: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert!(said.remove("kind"), "{name} is not told apart by its kind");
        let read: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(said, read, "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name} takes no unknown keys");
        assert!(schema["required"].as_array().unwrap().contains(&json!("kind")));
    }
}
