//! The log of each stage on disk: JSON lines and plain text.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anneal_contracts::telemetry::LogLine;
use anneal_runtime::clock::rfc3339;

/// The two files of a stage's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFiles {
    /// Place among the epoch's stages, from 1.
    pub(crate) place: u64,
    pub(crate) stage: String,
    pub(crate) json_lines: PathBuf,
    pub(crate) plain: PathBuf,
}

/// A stage's log, open.
#[derive(Debug)]
pub(crate) struct StageLog {
    files: LogFiles,
    json_lines: BufWriter<File>,
    plain: BufWriter<File>,
}

impl StageLog {
    pub(crate) fn open(folder: &Path, place: u64, stage: &str) -> io::Result<Self> {
        let files = LogFiles {
            place,
            stage: stage.to_owned(),
            json_lines: folder.join(format!("{place:03}.jsonl")),
            plain: folder.join(format!("{place:03}.log")),
        };
        let json_lines = BufWriter::new(File::create(&files.json_lines)?);
        let plain = BufWriter::new(File::create(&files.plain)?);
        Ok(Self { files, json_lines, plain })
    }

    pub(crate) fn stage(&self) -> &str {
        &self.files.stage
    }

    pub(crate) fn write(&mut self, line: &LogLine) -> io::Result<()> {
        serde_json::to_writer(&mut self.json_lines, line)?;
        self.json_lines.write_all(b"\n")?;
        let level = format!("{:?}", line.level).to_lowercase();
        writeln!(self.plain, "{} {level} {}", rfc3339(line.at_ms), line.message)
    }

    pub(crate) fn close(mut self) -> io::Result<LogFiles> {
        self.json_lines.flush()?;
        self.plain.flush()?;
        Ok(self.files)
    }
}
