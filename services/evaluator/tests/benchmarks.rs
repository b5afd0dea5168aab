//! What an evaluation task may name, and what the engine knows, are the same benchmarks.

use anneal_domain::spec::is_benchmark;
use anneal_evaluator::engine::tasks::builtin_names;

#[test]
fn every_benchmark_of_the_engine_may_be_named_in_a_task() {
    let unknown: Vec<String> = builtin_names().into_iter().filter(|name| !is_benchmark(name)).collect();
    assert!(unknown.is_empty(), "the domain does not know {unknown:?}");
}
