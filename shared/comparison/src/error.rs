//! Why two evaluations cannot be compared.

use std::path::PathBuf;

/// Why two evaluations cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of an evaluation cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file is not what an evaluation writes.
    #[error("{path}{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, from 1, where the file is one of lines.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// The two evaluations share no task.
    #[error("the two evaluations have no task in common (A has {a}; B has {b})")]
    NoCommonTask {
        /// The tasks of the first.
        a: String,
        /// The tasks of the second.
        b: String,
    },
    /// There are more samples than a comparison holds in memory.
    #[error("the evaluations hold more than {most} samples up to task {task}: compare evaluations of fewer")]
    TooMany {
        /// The task that has too many.
        task: String,
        /// What is compared at most.
        most: usize,
    },
}
