//! The list of benchmarks that the platform shows is the engine's own.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_domain::{benchmark::BENCHMARKS, spec::is_benchmark};
use anneal_evaluator::engine::tasks::{builtin_names, select};

#[test]
fn every_benchmark_that_is_shown_can_be_scored_and_every_other_one_is_a_part_of_one() {
    for benchmark in BENCHMARKS {
        let selection = select(benchmark.name, "tasks[0].name").unwrap();
        let prefix = benchmark.subject_prefix.unwrap_or(benchmark.name);
        assert!(selection.tasks.iter().all(|task| task.task.starts_with(prefix)), "{}", benchmark.name);
    }
    for name in builtin_names() {
        assert!(is_benchmark(&name), "{name} is missing in the list that people see, or among its subjects");
    }
}
