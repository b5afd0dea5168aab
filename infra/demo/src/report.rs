//! `.local/demo/report.json`: every figure of the run.

use std::{fs, path::Path};

use anyhow::Result;
use serde_json::{Map, Value, json};

/// The figures so far; written whether the demo succeeds or not.
#[derive(Default)]
pub(crate) struct Report(Map<String, Value>);

impl Report {
    /// Sets a top-level key.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    /// Writes the report with its verdict.
    pub(crate) fn write(mut self, path: &Path, outcome: &Result<()>, seconds: f64) -> Result<()> {
        let mut all = Map::new();
        all.insert("ok".to_owned(), json!(outcome.is_ok()));
        all.insert("seconds".to_owned(), json!(seconds));
        if let Err(error) = outcome {
            all.insert("error".to_owned(), json!(format!("{error:#}")));
        }
        all.append(&mut self.0);
        fs::write(path, serde_json::to_vec_pretty(&Value::Object(all))?)?;
        Ok(())
    }
}
