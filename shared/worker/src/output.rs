//! Reading the engine's standard output and error.

use std::collections::VecDeque;

use anneal_contracts::engine::{Level, Line};
use anneal_runtime::tasks;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, BufReader},
    sync::mpsc,
};

use crate::engine::Pipes;

/// Longer lines are cut: an engine gone wild takes no memory of ours.
const LONGEST_LINE: usize = 1 << 20;
/// Lines of standard error that are kept for the failure's message.
const TAIL_LINES: usize = 20;

/// What the engine said.
#[derive(Debug)]
pub(crate) enum Said {
    /// A line of the contract.
    Line(Line),
    /// Human text from standard error, or a line that is none of the contract.
    Text(Level, String),
}

/// Everything the engine says, in order; it ends when both pipes are closed.
#[derive(Debug)]
pub(crate) struct Output {
    said: mpsc::Receiver<Said>,
    tail: VecDeque<String>,
}

impl Output {
    pub(crate) fn read(pipes: Pipes) -> Self {
        let (say, said) = mpsc::channel(256);
        let errors = say.clone();
        tasks::spawn("worker.stdout", async move {
            let mut reader = BufReader::new(pipes.output);
            while let Some(text) = next_line(&mut reader).await {
                if !text.trim().is_empty() && say.send(parse(&text)).await.is_err() {
                    return;
                }
            }
        });
        tasks::spawn("worker.stderr", async move {
            let mut reader = BufReader::new(pipes.errors);
            while let Some(text) = next_line(&mut reader).await {
                if errors.send(Said::Text(Level::Debug, text)).await.is_err() {
                    return;
                }
            }
        });
        Self { said, tail: VecDeque::new() }
    }

    pub(crate) async fn next(&mut self) -> Option<Said> {
        let said = self.said.recv().await?;
        if let Said::Text(_, text) = &said {
            if self.tail.len() == TAIL_LINES {
                self.tail.pop_front();
            }
            self.tail.push_back(text.chars().take(400).collect());
        }
        Some(said)
    }

    /// The last lines of standard error.
    pub(crate) fn tail(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn parse(text: &str) -> Said {
    match serde_json::from_str(text) {
        Ok(line) => Said::Line(line),
        Err(error) => {
            Said::Text(Level::Warn, format!("not a line of the engine's contract ({error}): {text}"))
        }
    }
}

/// One line without its end; invalid UTF-8 is replaced. `None` at the end of the pipe.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let available = match reader.fill_buf().await {
            Ok([]) => break,
            Ok(available) => available,
            Err(error) => {
                tracing::warn!(%error, "a pipe of the engine broke");
                break;
            }
        };
        let end = available.iter().position(|byte| *byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        let room = LONGEST_LINE - line.len();
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        let used = end.map_or(available.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Some(String::from_utf8_lossy(&line).into_owned());
        }
    }
    (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_and_never_lost() {
        let mut input = vec![b'x'; 3 * LONGEST_LINE];
        input.extend_from_slice(b"\n\xffend\nlast");
        let mut reader = BufReader::new(input.as_slice());
        assert_eq!(next_line(&mut reader).await.unwrap().len(), LONGEST_LINE);
        assert_eq!(next_line(&mut reader).await.unwrap(), "\u{fffd}end");
        assert_eq!(next_line(&mut reader).await.unwrap(), "last");
        assert_eq!(next_line(&mut reader).await, None);
    }

    #[test]
    fn a_stray_print_becomes_a_warning() {
        assert!(matches!(parse("hello"), Said::Text(Level::Warn, _)));
        let line = r#"{"type":"progress","done":1,"total":2,"unit":"steps"}"#;
        assert!(matches!(parse(line), Said::Line(Line::Progress { done: 1, .. })));
    }
}
