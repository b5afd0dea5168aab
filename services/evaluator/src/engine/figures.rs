//! What the result line tells: scores by benchmark, and what they depend on.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anneal_contracts::engine::{EvaluatorSpec, Level};
use serde_json::{Map, Value, json};

use super::output::Output;
use super::results::TaskSummary;
use super::tasks::Group;

/// The figures of an evaluation that has ended.
pub(super) struct Ended<'a> {
    pub spec: &'a EvaluatorSpec,
    pub folder: &'a Path,
    pub results: &'a Value,
    pub summaries: &'a BTreeMap<String, TaskSummary>,
    pub groups: &'a [Group],
    pub started: Instant,
}

impl Ended<'_> {
    /// Everything that the result line tells.
    pub(super) fn figures(&self, output: &mut Output) -> Map<String, Value> {
        let memory = anneal_runtime::memory::peak_rss_bytes();
        if let Err(error) = &memory {
            output.log(Level::Warn, format!("cannot tell the peak memory: {error}"));
        }
        let figures = json!({
            "results_path": self.folder.join("results.json"),
            "samples": self.summaries.values().map(|task| task.effective).sum::<usize>(),
            "seconds": self.started.elapsed().as_secs_f64(),
            "peak_rss_bytes": memory.ok(),
            "scores": self.scores(),
            "settings": {"precision": self.spec.precision},
            "benchmarks": self.benchmarks(),
            "leaks": self.results["leaks"]["tasks"],
            "rescored": self.spec.rescore_from.is_some(),
        });
        figures.as_object().cloned().unwrap_or_default()
    }

    fn scores(&self) -> Map<String, Value> {
        let mut scores = Map::new();
        for (name, fields) in self.results["results"].as_object().into_iter().flatten() {
            let own: Map<String, Value> = fields
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, _)| key.contains(','))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            scores.insert(name.clone(), Value::Object(own));
        }
        scores
    }

    /// Of each task and group the examples in its prompts (none told where members differ), the rows that were scored, and
    /// which way its metrics go.
    fn benchmarks(&self) -> Map<String, Value> {
        let tasks = self.summaries.keys().map(|name| (name, std::slice::from_ref(name)));
        let groups = self.groups.iter().map(|group| (&group.name, group.tasks.as_slice()));
        tasks
            .chain(groups)
            .map(|(name, members)| {
                let members: Vec<&TaskSummary> =
                    members.iter().filter_map(|member| self.summaries.get(member)).collect();
                let examples = members.first().map(|task| task.num_fewshot);
                let alike = members.iter().all(|task| Some(task.num_fewshot) == examples);
                let about = json!({
                    "num_fewshot": examples.filter(|_| alike),
                    "samples": members.iter().map(|task| task.effective).sum::<usize>(),
                    "higher_is_better": self.results["higher_is_better"][name],
                });
                (name.clone(), about)
            })
            .collect()
    }
}
