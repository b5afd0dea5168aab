//! Tasks as data: their fields, templates, rows, and where they are found.

mod catalog;
mod config;
mod docs;
mod functions;
mod group_file;
mod naming;
mod splits;
mod task;
mod template;
mod yaml;

pub use catalog::{Group, GroupMetric, Selection, builtin_names, select};
pub use config::{
    FewshotConfig, Field, FilterConfig, FilterStep, GenerationArguments, MatchOptions, MetricConfig,
    OutputType, Sampler, TaskConfig, Until,
};
pub use docs::{BadRow, Loaded, load};
pub use functions::{Function, Row};
pub use task::{Doc, Task};

#[cfg(test)]
pub(crate) use task::tests::task as task_for_tests;
