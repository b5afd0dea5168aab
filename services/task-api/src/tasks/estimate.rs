//! How long a task will probably run: a range from the size of its model and data.
//!
//! Floating-point work is 6 · parameters · tokens for a training step and 2 · parameters · tokens for a forward pass (Kaplan
//! et al. 2020, section 2.1); a token is taken as four characters. The range is that of CPU nodes.

use anneal_contracts::rpc::QuoteRequest;
use anneal_domain::{id::WorkspaceId, spec::TaskSpec};

const SLOW_FLOPS: f64 = 20e9;
const FAST_FLOPS: f64 = 200e9;
const CHARACTERS_PER_TOKEN: f64 = 4.0;
/// Fetching, loading, publishing.
const OVERHEAD_MS: [f64; 2] = [3_000.0, 30_000.0];
/// Thirty days: no quote is longer.
const LONGEST_MS: f64 = 30.0 * 24.0 * 3_600_000.0;

/// What an estimate is made from, and the estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) parameters: u64,
    /// Of the rows that are used.
    pub(crate) characters: u64,
    /// Least and most running time, in milliseconds.
    pub(crate) expected_ms: [i64; 2],
}

impl Estimate {
    /// Counts a dataset in, as far as `most_rows` of its rows are used.
    pub(super) fn add(&mut self, characters: u64, rows: u64, most_rows: Option<u64>) {
        let rows = u128::from(rows.max(1));
        let used = most_rows.map_or(rows, |most| rows.min(u128::from(most)));
        // Of at most as many rows as there are: it fits.
        let characters = (u128::from(characters) * used / rows) as u64;
        self.characters = self.characters.saturating_add(characters);
    }

    /// Works the range out from what was gathered.
    pub(super) fn finish(&mut self, spec: &TaskSpec) {
        let parameters = self.parameters as f64;
        let tokens = self.characters as f64 / CHARACTERS_PER_TOKEN;
        let work = match spec {
            TaskSpec::Training(spec) => {
                let mut seen = tokens * f64::from(spec.split.0[0]) / 100.0 * spec.epochs;
                if let Some(steps) = spec.max_steps {
                    seen = seen.min(steps as f64 * spec.rows_per_step() as f64 * spec.sequence_length as f64);
                }
                6.0 * parameters * seen
            }
            // Nothing is asked of the model.
            TaskSpec::Evaluation(spec) if spec.rescore.is_some() => 0.0,
            // Four choices, and a few shots in front of each.
            TaskSpec::Evaluation(_) => 2.0 * parameters * tokens * 4.0,
            TaskSpec::Compilation(_) => 2.0 * parameters * (tokens.min(65_536.0) + 16_384.0),
        };
        let ms = |flops: f64, overhead: f64| (work / flops * 1000.0 + overhead).min(LONGEST_MS) as i64;
        self.expected_ms = [ms(FAST_FLOPS, OVERHEAD_MS[0]), ms(SLOW_FLOPS, OVERHEAD_MS[1])];
    }
}

/// What billing is asked.
pub(crate) fn estimate(workspace: WorkspaceId, spec: &TaskSpec, estimate: &Estimate) -> QuoteRequest {
    let (free, by_estimate) = match spec {
        TaskSpec::Evaluation(spec) => (spec.is_free(), !spec.is_free()),
        _ => (false, false),
    };
    QuoteRequest {
        workspace,
        kind: spec.kind(),
        pool: spec.pool(),
        expected_ms: estimate.expected_ms,
        free,
        by_estimate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_counts_by_the_rows_that_are_used() {
        let mut estimate = Estimate::default();
        estimate.add(1_000, 100, Some(10));
        assert_eq!(estimate.characters, 100);
        // A limit past the end costs what the whole dataset costs, however large it is.
        for most in [None, Some(100), Some(u64::MAX)] {
            let mut whole = Estimate::default();
            whole.add(1_000, 100, most);
            assert_eq!(whole.characters, 1_000, "{most:?}");
        }
        estimate.add(u64::MAX, 0, None);
        estimate.add(u64::MAX, u64::MAX, Some(u64::MAX));
        assert_eq!(estimate.characters, u64::MAX);
    }
}
