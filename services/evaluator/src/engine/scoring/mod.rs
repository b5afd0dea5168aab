//! From the model's answers to figures: filters, the metrics of a row, aggregates with standard errors, groups.

mod aggregate;
mod classification;
mod exact_match;
mod filters;
mod group;
mod metrics;
mod response;
mod stderr;
mod token_f1;

pub use aggregate::{Aggregation, aggregate};
pub use filters::Pipeline;
pub use group::{Member, group_scores};
pub use metrics::{Metric, MetricOf, metrics_of, score_row};
pub use response::{Filtered, Response};
pub use stderr::standard_error;
