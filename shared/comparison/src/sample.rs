//! One scored row under one filter: what of a line of a samples file is compared.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{hash::Hash, metric::Measured};

/// A scored row under one filter. Prompt, row and answers are known by their hashes alone.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The row's number in its split, from 0.
    pub(crate) doc_id: usize,
    pub(crate) doc_hash: Hash,
    pub(crate) prompt_hash: Hash,
    pub(crate) target_hash: Hash,
    pub(crate) filter: Arc<str>,
    /// Of the model's raw answers.
    pub(crate) answers_hash: Hash,
    /// The metrics that can be compared, by name.
    pub(crate) metrics: Vec<(Arc<str>, Measured)>,
}

/// A line of a samples file.
#[derive(Debug, Deserialize)]
struct Line {
    doc_id: usize,
    doc_hash: Hash,
    prompt_hash: Hash,
    target_hash: Hash,
    filter: String,
    /// Names of the metrics below.
    metrics: Vec<String>,
    resps: Value,
    /// Everything else, each metric's value under its name.
    #[serde(flatten)]
    values: Map<String, Value>,
}

/// Names that many samples share, each held once.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<Arc<str>>);

impl Names {
    fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let new: Arc<str> = name.into();
        self.0.insert(new.clone());
        new
    }
}

impl Sample {
    /// Reads a line.
    pub(crate) fn parse(line: &[u8], names: &mut Names) -> Result<Self, serde_json::Error> {
        let line: Line = serde_json::from_slice(line)?;
        let measured = |name: &String| {
            let value = Measured::of(name, line.values.get(name)?)?;
            Some((names.of(name), value))
        };
        let metrics = line.metrics.iter().filter_map(measured).collect();
        Ok(Self {
            doc_id: line.doc_id,
            doc_hash: line.doc_hash,
            prompt_hash: line.prompt_hash,
            target_hash: line.target_hash,
            answers_hash: Hash::of(&serde_json::to_vec(&line.resps)?),
            metrics,
            filter: names.of(&line.filter),
        })
    }

    /// One of its metrics.
    pub(crate) fn metric(&self, name: &str) -> Option<Measured> {
        self.metrics.iter().find(|(own, _)| **own == *name).map(|(_, value)| *value)
    }
}
