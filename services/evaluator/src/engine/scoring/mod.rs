//! From the model's answers to figures: filters, the metrics of a row, aggregates with standard errors, groups.

mod aggregate;
mod bleu;
mod chrf;
mod classification;
mod corpus;
mod exact_match;
mod filters;
mod generated;
mod group;
mod ifeval;
mod metrics;
mod ngrams;
mod response;
mod rouge;
mod stderr;
mod token_f1;

pub use aggregate::{Aggregation, aggregate};
pub use filters::Pipeline;
pub use group::{Member, group_scores};
pub use metrics::{Metric, MetricOf, metrics_of, score_row};
pub use response::{Filtered, Response};
