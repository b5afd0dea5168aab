//! What people see: tables and key-value lists by default, the API's own JSON on request.

mod cell;
mod csv;
mod sparkline;

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

pub(crate) use csv::csv;
pub(crate) use sparkline::sparkline;

use crate::failure::Failure;

/// Where answers are shown, and how.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A list: the rows of the answer under these columns.
    pub(crate) fn list(&self, answer: &Value, columns: &[&str]) -> Result<(), Failure> {
        if self.json {
            return self.value(answer);
        }
        let rows = rows(answer);
        if rows.is_empty() {
            return self.text("nothing here\n");
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(columns.iter().map(|column| cell::title(column)));
        for row in rows {
            table.add_row(columns.iter().map(|column| cell::short(column, cell::find(row, column))));
        }
        self.text(&format!("{table}\n"))?;
        if let Some(cursor) = answer["next_cursor"].as_str() {
            // Beside the table, so that a program that reads it sees rows only.
            writeln!(io::stderr(), "there is more: --cursor {cursor}").ok();
        }
        Ok(())
    }

    /// One thing: every field of it, a line each; lists of things below.
    pub(crate) fn show(&self, answer: &Value) -> Result<(), Failure> {
        if self.json {
            return self.value(answer);
        }
        let mut lines = Vec::new();
        cell::lines("", answer, &mut lines);
        let width = lines.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
        for (key, value) in lines {
            self.text(&format!("{key:width$}  {value}\n"))?;
        }
        Ok(())
    }

    /// The answer as JSON.
    pub(crate) fn value(&self, answer: &Value) -> Result<(), Failure> {
        self.text(&format!("{answer:#}\n"))
    }

    /// Done; says so to people only.
    pub(crate) fn done(&self, what: &str) -> Result<(), Failure> {
        if self.json { self.text("{}\n") } else { self.text(&format!("{what}\n")) }
    }

    /// Text as it is.
    #[expect(clippy::unused_self, reason = "a command writes through its output only")]
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// The rows of a list answer: the answer itself, its `data`, or its first field that is a list.
pub(crate) fn rows(answer: &Value) -> &[Value] {
    let list = answer.as_array().or_else(|| answer["data"].as_array());
    let first = || answer.as_object()?.values().find_map(Value::as_array);
    list.or_else(first).map(Vec::as_slice).unwrap_or_default()
}
