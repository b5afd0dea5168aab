//! High-rate messages of a running task: progress, metrics, log lines.

mod log_written;
mod metric_recorded;
mod progress_reported;

pub use log_written::{LogLine, LogWritten};
pub use metric_recorded::{MetricPoint, MetricRecorded};
pub use progress_reported::ProgressReported;
