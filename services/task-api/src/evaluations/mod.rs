//! What evaluations say together, read from the results they published.

mod compare;

pub(crate) use compare::compare;

/// The benchmark whose samples a file of published results holds.
pub(crate) fn benchmark_of(path: &str) -> Option<&str> {
    path.strip_prefix("samples_")?.strip_suffix(".jsonl")
}
