//! Holding an artifact against its source: the same tokens through both, and a verdict.

mod compare;
mod probes;
mod report;
mod speed;

pub(crate) use compare::{Agreement, compare_window};
pub(crate) use probes::{Probe, built_in};
pub(crate) use report::{ProbeReport, Report, Sizes, Verdict, perplexity_ratio};
pub(crate) use speed::{Speed, measure};
