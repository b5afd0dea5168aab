//! What an evaluation leaves behind: the journal it resumes from, the samples of each task, the results.

mod journal;
mod samples;
mod summary;

pub use journal::{Answered, Answers, Journal};
pub use samples::{Sample, write_samples};
pub use summary::{RunFacts, Score, Scores, TaskSummary, results_json};
