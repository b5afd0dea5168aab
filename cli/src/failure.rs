//! What can go wrong, and the exit code that says so.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde_json::Value;

use crate::stack::StackError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server could not be reached, or failed.
    #[error("{0}")]
    Failed(String),
    /// What was asked for is wrong; every wrong field is named.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The key is missing, wrong, or not allowed to do this.
    #[error("{0}")]
    Access(String),
    /// The task that was waited for did not succeed.
    #[error("the task ended as {0}")]
    TaskEnded(String),
    /// The local stack.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The connection.
    #[error("{}", connection(.0))]
    Http(#[from] reqwest::Error),
}

fn connection(error: &reqwest::Error) -> String {
    let url = error.url().map_or_else(String::new, |url| format!(" at {url}"));
    if error.is_connect() {
        return format!("nothing answers{url}: is the server running? `anneal up` starts one here");
    }
    format!("the request failed{url}: {error}")
}

impl Failure {
    /// 0 is success; 1 a failure, 2 wrong usage or values, 3 not found, 4 access, 5 a task that did not succeed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::Stack(_) | Self::Io(_) | Self::Http(_) => 1,
            Self::Invalid(_) => 2,
            Self::NotFound(_) => 3,
            Self::Access(_) => 4,
            Self::TaskEnded(_) => 5,
        })
    }

    /// Says it on standard error; a reader that left early (`| head`) is no failure worth words.
    pub(crate) fn tell(&self) {
        if matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return;
        }
        writeln!(io::stderr(), "anneal: {self}").ok();
    }

    /// What a refusal of the API means.
    pub(crate) fn from_answer(status: u16, body: &str) -> Self {
        let problem: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let text = |key: &str| problem[key].as_str().filter(|text| !text.is_empty());
        let mut message = match (text("detail"), text("title")) {
            (Some(detail), _) => detail.to_owned(),
            (None, Some(title)) => title.to_owned(),
            (None, None) => format!("the server answered {status}"),
        };
        for error in problem["errors"].as_array().into_iter().flatten() {
            let place = match (&error["field"], &error["line"]) {
                (Value::String(field), Value::Number(line)) => format!("line {line}, {field}"),
                (Value::String(field), _) => field.clone(),
                (_, Value::Number(line)) => format!("line {line}"),
                _ => continue,
            };
            message.extend(["\n  ", &place, ": ", error["message"].as_str().unwrap_or("invalid")]);
        }
        match status {
            400 | 413 | 415 | 422 => Self::Invalid(message),
            401 | 403 => Self::Access(message),
            404 => Self::NotFound(message),
            _ => Self::Failed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_shown() {
        let body = r#"{"title":"Invalid","detail":"the task cannot be created",
            "errors":[{"field":"spec.epochs","message":"must be more than 0"},{"line":7,"message":"no JSON"}]}"#;
        let failure = Failure::from_answer(422, body);
        assert!(matches!(failure, Failure::Invalid(_)));
        let text = failure.to_string();
        assert!(
            text.contains("spec.epochs: must be more than 0") && text.contains("line 7: no JSON"),
            "{text}"
        );
        assert!(matches!(Failure::from_answer(404, ""), Failure::NotFound(_)));
        assert!(matches!(Failure::from_answer(401, "{}"), Failure::Access(_)));
        assert!(matches!(Failure::from_answer(500, "<html>"), Failure::Failed(_)));
    }
}
