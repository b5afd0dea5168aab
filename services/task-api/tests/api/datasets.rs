//! Datasets of several files and versions, what goes in and what comes out again.

use std::io::{Cursor, Read, Write};

use reqwest::Method;
use serde_json::{Value, json};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::stack::{ADMIN_KEY, Stack};

fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn question(n: usize) -> String {
    format!("{}\n", json!({ "question": format!("{n}+{n}"), "answer": format!("#### {}", 2 * n) }))
}

/// The files of a dataset as the API shows them: path, split, rows.
fn files(dataset: &Value) -> Vec<(String, Option<String>, u64)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let files = dataset["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| (text(&file["path"]).unwrap(), text(&file["split"]), file["rows"].as_u64().unwrap()))
        .collect()
}

async fn downloaded(stack: &Stack, path: &str) -> Vec<u8> {
    let answer = stack.request(Method::GET, path, ADMIN_KEY).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_becomes_a_dataset_of_splits_and_comes_out_as_it_was() {
    let stack = Stack::start().await;
    let rows = [question(1), question(2), question(3)];
    let archive = zipped(&[("gsm8k/train.jsonl", &rows[..2].concat()), ("gsm8k/test.jsonl", &rows[2])]);
    let made = stack.upload("name=gsm8k&filename=gsm8k.zip", archive).await.expect(201);
    assert_eq!(
        (&made["kind"], &made["rows"], &made["format"]),
        (&json!("evaluation"), &json!(3), &json!("jsonl"))
    );
    let told = [("gsm8k/test.jsonl", "test", 1), ("gsm8k/train.jsonl", "train", 2)];
    assert_eq!(files(&made), told.map(|(path, split, rows)| (path.to_owned(), Some(split.to_owned()), rows)));
    let path = format!("/api/v1/datasets/{}", made["id"].as_str().unwrap());
    let back = downloaded(&stack, &format!("{path}/archive")).await;
    let mut back = ZipArchive::new(Cursor::new(back)).unwrap();
    let mut text = String::new();
    back.by_name("gsm8k/train.jsonl").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, rows[..2].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_is_added_and_replaced_and_every_version_stays() {
    let stack = Stack::start().await;
    let test = stack.upload("name=sums&split=test&filename=x.jsonl", question(1)).await.expect(201);
    let id = test["id"].as_str().unwrap();
    let add = |n: usize| {
        let query = format!("dataset={id}&split=train&filename=y.jsonl");
        let body = question(n);
        let stack = &stack;
        async move { stack.upload(&query, body).await.expect(201) }
    };
    assert_eq!(files(&add(2).await).len(), 2);
    let third = add(3).await;
    assert_eq!((&third["version"], &third["rows"]), (&json!(3), &json!(2)));
    let path = format!("/api/v1/datasets/{id}");
    let train = |version: u64| format!("{path}/files/train.jsonl?version={version}&redirect=false");
    stack.get(&train(1)).await.expect(404);
    for (version, n) in [(2, 2), (3, 3)] {
        let link = stack.get(&train(version)).await.expect(200);
        let bytes = reqwest::get(link["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, question(n));
    }
    // The test split lies where the first version put it.
    let archive = downloaded(&stack, &format!("{path}/archive")).await;
    assert_eq!(ZipArchive::new(Cursor::new(archive)).unwrap().len(), 2);
    let page = stack.get(&format!("{path}/versions?limit=2")).await.expect(200);
    let versions: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|row| &row["version"]).collect();
    assert_eq!((versions, &page["has_more"]), (vec![&json!(3), &json!(2)], &json!(true)));
    let rest = format!("{path}/versions?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(stack.get(&rest).await.expect(200)["data"][0]["version"], 1);
    assert_eq!(stack.get(&format!("{path}?version=2")).await.expect(200)["version"], 2);
    stack.get(&format!("{path}?version=4")).await.expect(404);
    let other = format!("dataset={id}&split=train&kind=sft&filename=y.jsonl");
    let row = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";
    assert_eq!(stack.upload(&other, row).await.fields(), ["kind"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_an_archive_is_checked_and_its_errors_name_it() {
    let stack = Stack::start().await;
    let good = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";
    let bad = zipped(&[("train.jsonl", &format!("{good}{{\"prompt\":1}}\n")), ("test.jsonl", "nonsense\n")]);
    let refused = stack.upload("name=x&kind=sft", bad.clone()).await;
    let errors = refused.json["errors"].as_array().unwrap();
    let told: Vec<_> = errors.iter().map(|error| (&error["file"], &error["line"])).collect();
    assert_eq!(told, [(&json!("test.jsonl"), &json!(1)), (&json!("train.jsonl"), &json!(2))]);
    assert_eq!(refused.expect(422)["invalid_count"], 2);
    let mixed = zipped(&[("a.jsonl", good), ("b.jsonl", &question(1))]);
    assert_eq!(stack.upload("name=x", mixed).await.fields(), ["kind"]);
    let deep = zipped(&[("train/a.jsonl", good)]);
    assert_eq!(stack.upload("name=x", deep).await.fields(), ["body"]);
    let slip = zipped(&[("../a.jsonl", good)]);
    assert_eq!(stack.upload("name=x", slip).await.fields(), ["body"]);
    assert_eq!(stack.upload("name=x&split=test", zipped(&[("a.jsonl", good)])).await.fields(), ["split"]);
    // 8 MiB of rows in a few kilobytes.
    let bomb = zipped(&[("a.jsonl", &good.repeat(1 << 18))]);
    assert!(bomb.len() < 1 << 20);
    stack.upload("name=x", bomb).await.expect(413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_telling_name_is_stored_under_one_that_engines_read() {
    let stack = Stack::start().await;
    let made = stack.upload("name=x", "{\"prompt\":\"a\",\"completion\":\"b\"}\n").await.expect(201);
    assert_eq!(files(&made)[0].0, "data.jsonl");
    let text = stack.upload("name=x&filename=README.md", "Once upon a time.\n").await.expect(201);
    assert_eq!(files(&text)[0].0, "data.txt");
    assert_eq!(text["statistics"]["tokens_by_four_characters"], 4);
}
