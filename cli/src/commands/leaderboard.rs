//! Which model is best at a benchmark.

use clap::Args;

use super::Page;
use crate::{client::Api, failure::Failure, output::Output};

/// Which benchmark, and by which metric.
#[derive(Debug, Args)]
pub(crate) struct LeaderboardArguments {
    /// A benchmark, or a subject of one, such as `arc_easy` or `mmlu_anatomy`.
    benchmark: String,
    /// Such as `acc_norm` or `exact_match,strict-match`; the most telling one when absent.
    #[arg(long)]
    metric: Option<String>,
    #[command(flatten)]
    page: Page,
}

const COLUMNS: [&str; 14] = [
    "comparable",
    "rank",
    "model_name",
    "model",
    "metric",
    "value",
    "standard_error",
    "samples",
    "settings.num_fewshot",
    "settings.limit",
    "settings.apply_chat_template",
    "settings.precision",
    "settings.dataset_version",
    "task",
];

pub(crate) async fn run(arguments: LeaderboardArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let LeaderboardArguments { benchmark, metric, page } = arguments;
    let plain =
        !benchmark.is_empty() && benchmark.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !plain {
        return Err(Failure::Invalid("a benchmark's name has letters, digits, `-` and `_`".to_owned()));
    }
    let mut query = page.query();
    query.extend(metric.map(|metric| ("metric", metric)));
    output.list(&api.get(&format!("benchmarks/{benchmark}/leaderboard"), &query).await?, &COLUMNS)
}
