//! Named fail points: places where a fault test can kill, stop or delay this process.
//!
//! Without the cargo feature `failpoints` a point is nothing at all. With it, `ANNEAL_FAILPOINTS` names what happens where:
//! `relay.after_puback=kill;worker.before_claim=sleep(500)@3`. Actions are `kill` (SIGKILL), `stop` (SIGSTOP) and
//! `sleep(ms)`; `@n` acts at the n-th passing only.

/// Passes the point of this name.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn point(_name: &'static str) {}

/// Passes the point of this name.
#[cfg(feature = "failpoints")]
pub fn point(name: &'static str) {
    armed::pass(name);
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::{
        collections::BTreeMap,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
        thread,
        time::Duration,
    };

    use nix::sys::signal::{Signal, raise};

    static POINTS: LazyLock<BTreeMap<String, Point>> = LazyLock::new(|| {
        let text = std::env::vars().find(|(name, _)| name == "ANNEAL_FAILPOINTS").map(|(_, value)| value);
        parse(&text.unwrap_or_default())
    });

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Action {
        Kill,
        Stop,
        Sleep(Duration),
    }

    #[derive(Debug)]
    pub(super) struct Point {
        pub(super) action: Action,
        pub(super) at: Option<u64>,
        passed: AtomicU64,
    }

    pub(super) fn pass(name: &str) {
        let Some(point) = POINTS.get(name) else { return };
        let nth = point.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if point.at.is_some_and(|at| at != nth) {
            return;
        }
        tracing::warn!(name, action = ?point.action, "fail point");
        let raised = match point.action {
            Action::Kill => raise(Signal::SIGKILL),
            Action::Stop => raise(Signal::SIGSTOP),
            Action::Sleep(duration) => {
                thread::sleep(duration);
                Ok(())
            }
        };
        if let Err(error) = raised {
            tracing::error!(name, %error, "a fail point could not signal its process");
        }
    }

    /// What does not parse is a mistake in a test, and loud.
    pub(super) fn parse(text: &str) -> BTreeMap<String, Point> {
        let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| parse_entry(entry).unwrap_or_else(|| panic!("unusable fail point `{entry}`")))
            .collect()
    }

    fn parse_entry(entry: &str) -> Option<(String, Point)> {
        let (name, rest) = entry.split_once('=')?;
        let (action, at) = match rest.split_once('@') {
            Some((action, nth)) => (action, Some(nth.parse().ok()?)),
            None => (rest, None),
        };
        let action = match action {
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            sleep => {
                let ms = sleep.strip_prefix("sleep(")?.strip_suffix(')')?.parse().ok()?;
                Action::Sleep(Duration::from_millis(ms))
            }
        };
        Some((name.to_owned(), Point { action, at, passed: AtomicU64::new(0) }))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn points_are_read_with_their_counts() {
            let points = parse("relay.after_puback=kill; a.b=sleep(5)@3;c=stop");
            assert_eq!(points["relay.after_puback"].action, Action::Kill);
            assert_eq!(points["a.b"].action, Action::Sleep(Duration::from_millis(5)));
            assert_eq!(points["a.b"].at, Some(3));
            assert_eq!(points["c"].action, Action::Stop);
            pass("not.there");
        }
    }
}
