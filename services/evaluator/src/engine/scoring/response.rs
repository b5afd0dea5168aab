//! What the model answered.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::python;

/// One answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Of a continuation.
    LogLikelihood {
        /// Natural logarithm of its probability.
        sum: f64,
        /// Every token was the most probable one.
        greedy: bool,
        /// Its tokens.
        tokens: usize,
        /// Tokens of its context.
        context_tokens: usize,
    },
    /// Of a whole text.
    Rolling {
        /// Natural logarithm of its probability.
        sum: f64,
        /// Its tokens.
        tokens: usize,
    },
    /// A text.
    Text(String),
    /// What a filter's table gave in the place of a text; never in a journal.
    #[serde(skip)]
    Value(Value),
}

impl Response {
    /// As a samples file shows it: every part as Python's `str`.
    pub fn sanitized(&self) -> Value {
        match self {
            Self::LogLikelihood { sum, greedy, .. } => {
                json!([python::float_repr(*sum), python::str_of(&Value::Bool(*greedy))])
            }
            Self::Rolling { sum, .. } => Value::from(python::float_repr(*sum)),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Value(value) => Value::from(python::str_of(value)),
        }
    }

    /// What it is compared as, when it is no probability.
    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Value(value) => Some(python::str_of(value)),
            Self::LogLikelihood { .. } | Self::Rolling { .. } => None,
        }
    }
}

/// What a filter pipeline leaves of a request's answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Filtered {
    /// One answer.
    One(Response),
    /// Several, when no step takes one.
    Many(Vec<Response>),
}

impl Filtered {
    /// As a samples file shows it.
    pub fn sanitized(&self) -> Value {
        match self {
            Self::One(response) => response.sanitized(),
            Self::Many(responses) => Value::Array(responses.iter().map(Response::sanitized).collect()),
        }
    }

    /// The text of the one answer.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::One(response) => response.text(),
            Self::Many(responses) => match responses.as_slice() {
                [response] => response.text(),
                _ => None,
            },
        }
    }
}
