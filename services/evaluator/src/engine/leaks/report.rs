//! What a leak check found: by task in the results, row by row in `leaks.json`.

use std::path::Path;

use anneal_contracts::engine::Level;
use serde_json::{Map, Value, json};

use super::index::LONGEST;
use super::{Found, Leaks};
use crate::engine::error::{Error, Result};
use crate::engine::output::Output;
use crate::engine::stop::Stop;

/// The file of the whole report.
const FILE: &str = "leaks.json";
/// Where the method is described.
const METHOD: &str = "Brown et al. 2020, Language Models are Few-Shot Learners, appendix C: overlap of 13-grams of \
    lower-case words without punctuation; shorter rows whole";

impl Leaks {
    /// Looks for what was not looked for yet, and writes the report; what the results say of it.
    pub(in crate::engine) fn conclude(
        mut self,
        folder: &Path,
        output: &mut Output,
        stop: &Stop,
    ) -> Result<Value> {
        self.scan(output, stop)?;
        let tasks: Map<String, Value> = self
            .tasks
            .iter()
            .enumerate()
            .map(|(place, (name, _))| (name.clone(), self.share(place)))
            .collect();
        for (name, told) in &tasks {
            let (found, checked) = (&told["found"], &told["checked"]);
            let level = if *found == json!(0) { Level::Info } else { Level::Warn };
            output.log(level, format!("{name}: {found} of {checked} samples are in the training data too"));
        }
        let data: Vec<Value> = self
            .searched
            .iter()
            .map(|data| json!({"name": data.name, "rows": data.rows, "unreadable_rows": data.unreadable}))
            .collect();
        let told = json!({"method": METHOD, "ngram": LONGEST, "training_data": data, "tasks": tasks});
        self.write(&folder.join(FILE), told.clone())?;
        Ok(told)
    }

    fn of(&self, task: usize) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(move |found| found.task == task)
    }

    fn share(&self, task: usize) -> Value {
        let (checked, found) = (self.tasks[task].1, self.of(task).count());
        let share = if checked == 0 { 0.0 } else { found as f64 / checked as f64 };
        json!({"checked": checked, "found": found, "share": share})
    }

    /// The report with every row that was found.
    fn write(&self, path: &Path, mut report: Value) -> Result<()> {
        for (place, (name, _)) in self.tasks.iter().enumerate() {
            let mut rows: Vec<&Found> = self.of(place).collect();
            rows.sort_by_key(|found| found.doc_id);
            let rows: Vec<Value> = rows
                .into_iter()
                .map(|found| {
                    json!({"doc_id": found.doc_id, "line": found.line, "training_data": found.training_data,
                           "file": found.file, "training_line": found.training_line, "gram": found.gram})
                })
                .collect();
            report["tasks"][name]["rows"] = json!(rows);
        }
        std::fs::write(path, report.to_string()).map_err(Error::io(path))
    }
}
