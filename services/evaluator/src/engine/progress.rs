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

    /// Says that work goes on, unless something was said a moment ago.
    pub(super) fn beat(&mut self, now: Instant, output: &mut Output) {
        if self.done < self.total {
            self.advance(0, 0, now, output);
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

    #[test]
    fn long_work_makes_signs_of_life_but_not_too_many() {
        let start = Instant::now();
        let lines = Lines::default();
        let mut output = Output::new(Box::new(lines.clone()));
        let mut progress = Progress::new(0, 2, 10, start);
        for tenths in 0..20 {
            progress.beat(start + Duration::from_millis(100 * tenths), &mut output);
        }
        progress.advance(2, 10, start + Duration::from_secs(2), &mut output);
        progress.beat(start + Duration::from_secs(9), &mut output);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
