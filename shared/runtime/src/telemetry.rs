//! Log lines of a process, to standard error.

use std::io;

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

/// How a process logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// Shape of a line.
    pub format: LogFormat,
    /// What is logged, as `tracing` directives such as `info,anneal_worker=debug`.
    pub filter: String,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info,async_nats=warn,aws=warn,hyper=warn".to_owned() }
    }
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("the log filter `{filter}` cannot be used: {reason}")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong.
        reason: String,
    },
    /// It is set up already.
    #[error("logging is set up already: {0}")]
    Twice(String),
}

/// Sends the process's log lines to standard error. Once a process.
pub fn init(logging: &Logging) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&logging.filter).map_err(|error| TelemetryError::Filter {
        filter: logging.filter.clone(),
        reason: error.to_string(),
    })?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match logging.format {
        LogFormat::Text => builder.with_ansi(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|error| TelemetryError::Twice(error.to_string()))
}
