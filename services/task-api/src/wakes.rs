//! Wakes the streams that wait for something new, each by what it is about.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anneal_domain::id::{TaskId, WorkspaceId};
use tokio::sync::watch;

/// What a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum About {
    /// The facts of a workspace.
    Facts(WorkspaceId),
    /// The log of a task.
    Log(TaskId),
}

type Waiting = HashMap<About, watch::Sender<()>>;

/// The streams of this process; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakes(Arc<Mutex<Waiting>>);

impl Wakes {
    /// Changes whenever there is something new.
    pub(crate) fn of(&self, about: About) -> watch::Receiver<()> {
        let mut waiting = self.waiting();
        waiting.retain(|_, stream| stream.receiver_count() > 0);
        waiting.entry(about).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// There is something new.
    pub(crate) fn wake(&self, about: About) {
        if let Some(stream) = self.waiting().get(&about) {
            stream.send_replace(());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_is_about_wakes_a_stream_and_nothing_is_kept_for_nobody() {
        let wakes = Wakes::default();
        let (one, two) = (About::Log(TaskId::from_u128(1)), About::Log(TaskId::from_u128(2)));
        let news = wakes.of(one);
        wakes.wake(two);
        assert!(!news.has_changed().unwrap());
        wakes.wake(one);
        assert!(news.has_changed().unwrap());
        drop(news);
        drop(wakes.of(two));
        let _news = wakes.of(About::Facts(WorkspaceId::from_u128(1)));
        assert_eq!(wakes.waiting().len(), 1);
    }
}
