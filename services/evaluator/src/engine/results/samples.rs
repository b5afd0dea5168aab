//! `samples_<task>.jsonl` in the harness's shape: one line for each filter and row.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::journal::Answered;
use crate::engine::backend::hex;
use crate::engine::error::{Error, Result};
use crate::engine::prompts::Request;
use crate::engine::python;
use crate::engine::scoring::{Filtered, Metric, Response};
use crate::engine::tasks::{Doc, Task};

/// The hashes of one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SampleHashes {
    /// Of the row.
    pub doc: String,
    /// Of the first request's context.
    pub prompt: String,
    /// Of the target.
    pub target: String,
}

/// One scored row under one filter.
pub struct Sample<'a> {
    /// The row.
    pub doc: &'a Doc,
    /// What was asked.
    pub requests: &'a [Request],
    /// What was answered.
    pub answered: &'a Answered,
    /// The filter's name.
    pub filter: &'a str,
    /// What it left, a request each.
    pub filtered: Vec<Filtered>,
    /// The row's metrics.
    pub metrics: Vec<(String, Metric)>,
}

/// Writes the samples, complete or not at all, and returns the hash over their hashes.
pub fn write_samples(path: &Path, task: &Task, samples: &[Sample<'_>]) -> Result<String> {
    let partial = path.with_extension("jsonl.partial");
    let mut file = BufWriter::new(File::create(&partial).map_err(Error::io(&partial))?);
    let mut all = Sha256::new();
    for sample in samples {
        let target = target(task, sample.doc);
        let hashes = hashes(sample, &target)?;
        all.update(format!("{}{}{}", hashes.doc, hashes.prompt, hashes.target));
        let line = serde_json::to_vec(&line(task, sample, &target, &hashes))
            .map_err(|error| Error::task(task.name(), error.to_string()))?;
        file.write_all(&line).and_then(|()| file.write_all(b"\n")).map_err(Error::io(&partial))?;
    }
    let file =
        file.into_inner().map_err(|error| Error::Io { path: partial.clone(), source: error.into_error() })?;
    file.sync_data().map_err(Error::io(&partial))?;
    std::fs::rename(&partial, path).map_err(Error::io(path))?;
    Ok(hex(&all.finalize()))
}

fn target(task: &Task, doc: &Doc) -> String {
    task.target(doc).map(|target| python::str_of(&target)).unwrap_or_default()
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hashes(sample: &Sample<'_>, target: &str) -> Result<SampleHashes> {
    let doc = python::dumps(&sample.doc.fields).map_err(|error| Error::task("samples", error.to_string()))?;
    let prompt = sample.requests.first().map(Request::first_argument).unwrap_or_default();
    Ok(SampleHashes { doc: sha256(&doc), prompt: sha256(prompt), target: sha256(target) })
}

fn line(task: &Task, sample: &Sample<'_>, target: &str, hashes: &SampleHashes) -> Value {
    let arguments: Map<String, Value> = sample
        .requests
        .iter()
        .enumerate()
        .map(|(index, request)| {
            (format!("gen_args_{index}"), request.arguments(task.config.generation_kwargs.as_ref()))
        })
        .collect();
    let responses: Vec<Vec<Value>> = sample
        .answered
        .responses
        .iter()
        .map(|answers| answers.iter().map(Response::sanitized).collect())
        .collect();
    let mut line = Map::new();
    let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
    put("doc_id", json!(sample.doc.id()));
    put("doc", Value::Object(sample.doc.fields.clone()));
    put("target", json!(target));
    put("arguments", Value::Object(arguments));
    put("resps", json!(responses));
    put("filtered_resps", sample.filtered.iter().map(Filtered::sanitized).collect());
    put("filter", json!(sample.filter));
    put("metrics", sample.metrics.iter().map(|(name, _)| json!(name)).collect());
    put("doc_hash", json!(hashes.doc));
    put("prompt_hash", json!(hashes.prompt));
    put("target_hash", json!(hashes.target));
    for (name, metric) in &sample.metrics {
        put(name, metric.to_json());
    }
    put("truncated_tokens", json!(sample.answered.truncated));
    Value::Object(line)
}
