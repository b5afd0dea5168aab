//! The leak check: evaluated rows that the training data has too.
//!
//! Follows the overlap analysis of GPT-3 (Brown et al. 2020, "Language Models are Few-Shot Learners", appendix C): a row
//! counts as leaked when it shares a 13-gram of normalised words ([`words`]) with the training data, or, when it is shorter,
//! when the training data has it whole. The texts of a row are those of its columns, each by itself; that of a row without
//! 13 words is its longest one. The evaluated rows are held as hashes ([`index`]), the training data streams past them
//! ([`scan`]): memory depends on neither, since rows that do not fit wait for another pass.

mod index;
mod report;
mod scan;
mod words;

use std::path::PathBuf;

use anneal_contracts::engine::TrainingData;

use self::index::{Index, LONGEST};
use super::error::{Error, Result};
use super::output::Output;
use super::stop::Stop;
use super::tasks::Doc;

/// Grams held at once: 16 bytes each, and a bit map beside them.
const MOST_GRAMS: usize = 1 << 24;

/// Training data, looked at before anything else begins.
struct Searched {
    name: String,
    files: Vec<PathBuf>,
    /// Rows read, and rows that could not be.
    rows: u64,
    unreadable: u64,
}

/// A row that is looked for.
struct Row {
    /// Which task's it is.
    task: usize,
    doc_id: usize,
    line: u64,
}

/// Where a row was found.
struct Found {
    task: usize,
    doc_id: usize,
    line: u64,
    training_data: String,
    file: String,
    training_line: u64,
    gram: String,
}

/// A leak check under way.
pub(super) struct Leaks {
    searched: Vec<Searched>,
    /// Names of the tasks, and how many of their rows were looked for.
    tasks: Vec<(String, usize)>,
    /// The rows of this pass.
    rows: Vec<Row>,
    index: Index,
    found: Vec<Found>,
}

impl Leaks {
    /// A check against these data; `None` where none is asked for.
    pub(super) fn new(wanted: &[TrainingData]) -> Result<Option<Self>> {
        let files = |(place, data): (usize, &TrainingData)| {
            let files = anneal_datasets::data_files(data.path.as_ref())
                .map_err(|error| Error::spec(format!("leak_check[{place}].path"), error.to_string()))?;
            Ok(Searched { name: data.name.clone(), files, rows: 0, unreadable: 0 })
        };
        let searched = wanted.iter().enumerate().map(files).collect::<Result<Vec<_>>>()?;
        let none = searched.is_empty();
        let (tasks, rows, found) = (Vec::new(), Vec::new(), Vec::new());
        Ok((!none).then(|| Self { searched, tasks, rows, index: Index::default(), found }))
    }

    /// Looks for the rows of a task, now or in a later pass.
    pub(super) fn add<'a>(
        &mut self,
        task: &str,
        docs: impl Iterator<Item = &'a Doc>,
        output: &mut Output,
        stop: &Stop,
    ) -> Result<()> {
        let place = self.tasks.len();
        self.tasks.push((task.to_owned(), 0));
        for doc in docs {
            if self.index.len() >= MOST_GRAMS {
                self.scan(output, stop)?;
            }
            self.tasks[place].1 += 1;
            self.index_row(doc);
            self.rows.push(Row { task: place, doc_id: doc.id(), line: doc.line });
        }
        Ok(())
    }

    /// Every 13-gram of the row's texts; where none has so many words, the longest text whole.
    fn index_row(&mut self, doc: &Doc) {
        let row = self.rows.len() as u32;
        let mut longest: Vec<u64> = Vec::new();
        for value in doc.fields.values() {
            words::each_text(value, &mut |text| {
                let mut hashes = Vec::new();
                words::hash_words(text, &mut hashes);
                self.index.add(row, &hashes, LONGEST);
                if hashes.len() > longest.len() {
                    longest = hashes;
                }
            });
        }
        if longest.len() < LONGEST {
            self.index.add(row, &longest, longest.len());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn doc(id: usize, text: &str) -> Doc {
        Doc::new(json!({"text": text, "n": 3}).as_object().unwrap().clone(), id + 1, id as u64 + 1)
    }

    #[test]
    fn rows_of_every_pass_are_told_under_their_own_task() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.jsonl");
        std::fs::write(&path, "{\"text\": \"the cat sat\"}\nbroken\n{\"text\": \"a dog ran off\"}\n")
            .unwrap();
        let data = TrainingData { name: "train".to_owned(), path: path.display().to_string() };
        let mut leaks = Leaks::new(&[data]).unwrap().unwrap();
        let (mut output, stop) = (Output::new(Box::new(std::io::sink())), Stop::new());
        let first = [doc(0, "A bird sang"), doc(1, "The cat sat.")];
        leaks.add("one", first.iter(), &mut output, &stop).unwrap();
        leaks.scan(&mut output, &stop).unwrap();
        assert_eq!((leaks.rows.len(), leaks.index.len()), (0, 0), "a pass leaves nothing behind");
        leaks.add("two", [doc(0, "A dog ran!")].iter(), &mut output, &stop).unwrap();
        let told = leaks.conclude(folder.path(), &mut output, &stop).unwrap();
        assert_eq!(told["tasks"]["one"], json!({"checked": 2, "found": 1, "share": 0.5}));
        assert_eq!(told["tasks"]["two"], json!({"checked": 1, "found": 1, "share": 1.0}));
        assert_eq!(told["training_data"], json!([{"name": "train", "rows": 3, "unreadable_rows": 1}]));
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("leaks.json")).unwrap()).unwrap();
        let row = |task: &str| report["tasks"][task]["rows"][0].clone();
        assert_eq!((&row("one")["doc_id"], &row("one")["training_line"]), (&json!(1), &json!(1)));
        assert_eq!((&row("two")["training_line"], &row("two")["gram"]), (&json!(3), &json!("a dog ran")));
    }

    #[test]
    fn a_request_to_stop_ends_a_pass() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.jsonl");
        std::fs::write(&path, "{\"text\": \"x\"}\n".repeat(5000)).unwrap();
        let data = TrainingData { name: "train".to_owned(), path: path.display().to_string() };
        let mut leaks = Leaks::new(&[data]).unwrap().unwrap();
        let (mut output, stop) = (Output::new(Box::new(std::io::sink())), Stop::new());
        stop.request();
        assert!(matches!(leaks.scan(&mut output, &stop), Err(Error::Stopped { .. })));
    }
}
