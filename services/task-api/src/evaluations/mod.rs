//! What evaluations say together, read from the results they published.

mod compare;
mod leaderboard;
mod settings;

pub(crate) use compare::compare;
pub(crate) use leaderboard::{Standing, leaderboard};

/// Metrics that say whether answers are right, the most telling first.
pub(crate) const TELLING: [&str; 4] = ["acc", "exact_match", "acc_norm", "prompt_level_strict_acc"];

/// The benchmark whose samples a file of published results holds.
pub(crate) fn benchmark_of(path: &str) -> Option<&str> {
    path.strip_prefix("samples_")?.strip_suffix(".jsonl")
}
