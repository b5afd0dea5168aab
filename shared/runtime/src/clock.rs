//! Time, passed in: wall clock for people, monotonic clock for leases.
//!
//! The wall clock may jump; nothing that decides who holds a lease may use it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Wall clock, in milliseconds since 1970-01-01 UTC. It may jump.
    fn unix_ms(&self) -> i64;

    /// Monotonic clock. It never goes back.
    fn monotonic(&self) -> Instant;
}

/// A clock shared by the parts of a process.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clocks, ready to be passed around.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn unix_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
        let now = SystemTime::now();
        now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that moves only when told to; clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    start: Instant,
    now: Arc<Mutex<Now>>,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    unix_ms: i64,
    elapsed: Duration,
}

impl ManualClock {
    /// A clock that stands at this wall-clock time.
    pub fn at(unix_ms: i64) -> Self {
        let now = Now { unix_ms, elapsed: Duration::ZERO };
        Self { start: Instant::now(), now: Arc::new(Mutex::new(now)) }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.change(|now| {
            now.unix_ms = now.unix_ms.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
            now.elapsed = now.elapsed.saturating_add(by);
        });
    }

    /// Makes the wall clock jump, forwards or back; the monotonic clock does not notice.
    pub fn set_unix_ms(&self, unix_ms: i64) {
        self.change(|now| now.unix_ms = unix_ms);
    }

    fn change<T>(&self, f: impl FnOnce(&mut Now) -> T) -> T {
        f(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for ManualClock {
    fn unix_ms(&self) -> i64 {
        self.change(|now| now.unix_ms)
    }

    fn monotonic(&self) -> Instant {
        self.start + self.change(|now| now.elapsed)
    }
}

/// A wall-clock time as RFC 3339 in UTC, such as `2026-01-02T03:04:05.678Z`; times outside the years 1 to 9999 are clamped
/// to the start of 1970.
pub fn rfc3339(unix_ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_jump_leaves_the_monotonic_clock_alone() {
        let clock = ManualClock::at(1_000_000);
        let before = clock.monotonic();
        clock.set_unix_ms(5);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.unix_ms(), 2_005);
        assert_eq!(clock.monotonic() - before, Duration::from_secs(2));
    }

    #[test]
    fn rfc3339_keeps_milliseconds() {
        assert_eq!(rfc3339(1_767_323_045_678), "2026-01-02T03:04:05.678Z");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00Z");
    }
}
