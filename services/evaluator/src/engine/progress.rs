//! How far a dataset is, and how long the rest takes: by tokens, since rows are scored longest first.

use std::time::{Duration, Instant};

use super::output::Output;

/// At most one line in this time.
const INTERVAL: Duration = Duration::from_millis(500);

/// Progress over one dataset.
pub(super) struct Progress {
    started: Instant,
    said: Option<Instant>,
    total: usize,
    done: usize,
    work_total: usize,
    work_done: usize,
}

impl Progress {
    /// `done` of `total` rows were scored before; `work` tokens are left.
    pub(super) fn new(done: usize, total: usize, work: usize, now: Instant) -> Self {
        Self { started: now, said: None, total, done, work_total: work, work_done: 0 }
    }

    /// Rows were scored; says so, unless it did a moment ago.
    pub(super) fn advance(&mut self, rows: usize, work: usize, now: Instant, output: &mut Output) {
        self.done += rows;
        self.work_done += work;
        if self.done >= self.total || self.said.is_none_or(|said| now.duration_since(said) >= INTERVAL) {
            self.said = Some(now);
            output.progress(self.done as u64, self.total as u64, "samples", self.eta(now));
        }
    }

    fn eta(&self, now: Instant) -> Option<f64> {
        let left = self.work_total.saturating_sub(self.work_done) as f64;
        (self.work_done > 0)
            .then(|| now.duration_since(self.started).as_secs_f64() / self.work_done as f64 * left)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_told_by_tokens() {
        let start = Instant::now();
        let mut progress = Progress::new(5, 10, 1000, start);
        let mut output = Output::new(Box::new(std::io::sink()));
        progress.advance(1, 250, start + Duration::from_secs(10), &mut output);
        assert!((progress.eta(start + Duration::from_secs(10)).unwrap() - 30.0).abs() < 1e-9);
    }
}
