//! What can go wrong, and the exit code that says so.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::stack::StackError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something failed on the way.
    #[error("{0}")]
    Failed(String),
    /// What was asked for is wrong, and was not sent.
    #[error("{0}")]
    Invalid(String),
    /// There is no key to ask with.
    #[error("{0}")]
    Access(String),
    /// The API refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why, for people; every wrong field is named.
        message: String,
        /// The whole answer; `null` when it was no JSON.
        answer: Value,
    },
    /// The task that was waited for did not succeed.
    #[error("the task {}", ended(.0))]
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

fn ended(state: &str) -> String {
    match state {
        "paused" => "is paused: `anneal task resume` queues it again".to_owned(),
        state => format!("ended as {state}"),
    }
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
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Stack(_) | Self::Io(_) | Self::Http(_) => 1,
            Self::Invalid(_) => 2,
            Self::Access(_) => 4,
            Self::TaskEnded(_) => 5,
            Self::Refused { status, .. } => match status {
                400 | 413 | 415 | 422 => 2,
                404 => 3,
                401 | 403 => 4,
                _ => 1,
            },
        }
    }

    /// Says it on standard error, as JSON on request; a reader that left early (`| head`) is no failure worth words.
    pub(crate) fn tell(&self, json: bool) {
        if matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return;
        }
        let text = if json { self.json().to_string() } else { format!("anneal: {self}") };
        writeln!(io::stderr(), "{text}").ok();
    }

    fn json(&self) -> Value {
        let mut error = json!({ "message": self.to_string(), "exit_code": self.exit_code() });
        if let Self::Refused { status, answer, .. } = self {
            error["status"] = json!(status);
            error["answer"] = answer.clone();
        }
        json!({ "error": error })
    }

    /// What a refusal means: RFC 9457 problem JSON, or an error in OpenAI's shape.
    pub(crate) fn from_answer(status: u16, body: &str) -> Self {
        let answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let texts = [&answer["detail"], &answer["error"]["message"], &answer["title"]];
        let mut message = texts
            .into_iter()
            .filter_map(Value::as_str)
            .find(|text| !text.is_empty())
            .map_or_else(|| format!("the server answered {status}"), str::to_owned);
        for error in answer["errors"].as_array().into_iter().flatten() {
            let place = match (&error["field"], &error["line"]) {
                (Value::String(field), Value::Number(line)) => format!("line {line}, {field}"),
                (Value::String(field), _) => field.clone(),
                (_, Value::Number(line)) => format!("line {line}"),
                _ => continue,
            };
            message.extend(["\n  ", &place, ": ", error["message"].as_str().unwrap_or("invalid")]);
        }
        Self::Refused { status, message, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_shown() {
        let body = r#"{"title":"Invalid","detail":"the task cannot be created",
            "errors":[{"field":"spec.epochs","message":"must be more than 0"},{"line":7,"message":"no JSON"}]}"#;
        let text = Failure::from_answer(422, body).to_string();
        assert!(text.starts_with("the task cannot be created\n"), "{text}");
        assert!(
            text.contains("spec.epochs: must be more than 0") && text.contains("line 7: no JSON"),
            "{text}"
        );
    }

    #[test]
    fn errors_in_openais_shape_say_what_they_say() {
        let body = r#"{"error":{"message":"no deployment has this name","type":"invalid_request_error","code":"x"}}"#;
        assert_eq!(Failure::from_answer(404, body).to_string(), "no deployment has this name");
        assert_eq!(Failure::from_answer(502, "<html>").to_string(), "the server answered 502");
    }

    #[test]
    fn the_status_decides_the_exit_code() {
        for (status, code) in [(400, 2), (422, 2), (404, 3), (401, 4), (403, 4), (409, 1), (500, 1)] {
            assert_eq!(Failure::from_answer(status, "{}").exit_code(), code, "{status}");
        }
        assert_eq!(Failure::TaskEnded("failed".to_owned()).exit_code(), 5);
    }

    #[test]
    fn as_json_a_failure_has_its_code_and_the_whole_answer() {
        let refused =
            Failure::from_answer(422, r#"{"detail":"no","errors":[{"field":"name","message":"m"}]}"#);
        let error = &refused.json()["error"];
        assert_eq!((&error["exit_code"], &error["status"]), (&json!(2), &json!(422)));
        assert_eq!(error["answer"]["errors"][0]["field"], "name");
        let local = Failure::Invalid("no such file".to_owned()).json();
        assert_eq!(local, json!({ "error": { "message": "no such file", "exit_code": 2 } }));
    }
}
