//! Keeps what is served equal to what is deployed, and says how that goes: the decisions, apart from who carries them out.
//!
//! A deployment that does not load is tried again after a pause that grows; a report that was not delivered is repeated
//! without loading anything again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anneal_contracts::rpc::DeploymentTarget;
use anneal_domain::id::DeploymentId;
use anneal_runtime::clock::SharedClock;
use anyhow::Result;

/// Pause after a deployment's first failure to load; every further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Who knows what should be served, and can serve it.
pub(crate) trait Platform: Send + Sync {
    /// Everything that should be served.
    fn wanted(&self) -> impl Future<Output = Result<Vec<DeploymentTarget>>> + Send;
    /// Fetches and loads one.
    fn load(&self, target: &DeploymentTarget) -> impl Future<Output = Result<()>> + Send;
    /// Forgets one, with what was fetched for it.
    fn unload(&self, target: &DeploymentTarget) -> impl Future<Output = ()> + Send;
    /// Says that one serves, or why it does not.
    fn report(
        &self,
        target: &DeploymentTarget,
        failure: Option<&str>,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// What is served, and what could not be.
pub(crate) struct Keeper<P> {
    platform: P,
    clock: SharedClock,
    kept: HashMap<DeploymentId, Kept>,
}

/// One deployment since it was last loaded or tried.
struct Kept {
    target: DeploymentTarget,
    failure: Option<Failure>,
    /// Whether the platform knows how loading went.
    reported: bool,
}

struct Failure {
    reason: String,
    /// In a row.
    times: u32,
    again_at: Instant,
}

impl<P: Platform> Keeper<P> {
    /// Serves nothing yet.
    pub(crate) fn new(platform: P, clock: SharedClock) -> Self {
        Self { platform, clock, kept: HashMap::new() }
    }

    /// Makes what is served equal to what is wanted. An error means that something was not asked or told; every
    /// deployment had its turn nevertheless.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        let wanted = self.platform.wanted().await?;
        let is_wanted = |id: &DeploymentId| wanted.iter().any(|target| target.deployment == *id);
        let gone: Vec<_> = self.kept.keys().filter(|id| !is_wanted(id)).copied().collect();
        // A name that went may be wanted again at once, for another deployment.
        for id in gone {
            self.forget(id).await;
        }
        let mut outcome = Ok(());
        for target in wanted {
            let id = target.deployment;
            if self.is_due(&target) {
                self.bring_up(target).await;
            }
            outcome = outcome.and(self.report(id).await);
        }
        outcome
    }

    /// Whether it is new, changed, or failed long enough ago.
    fn is_due(&self, target: &DeploymentTarget) -> bool {
        match self.kept.get(&target.deployment) {
            Some(kept) if kept.target == *target => {
                kept.failure.as_ref().is_some_and(|failure| failure.again_at <= self.clock.monotonic())
            }
            _ => true,
        }
    }

    async fn bring_up(&mut self, target: DeploymentTarget) {
        let id = target.deployment;
        let before = self.kept.get(&id).filter(|kept| kept.target == target);
        let times = before.and_then(|kept| kept.failure.as_ref()).map_or(0, |failure| failure.times);
        self.forget(id).await;
        let failure = match self.platform.load(&target).await {
            Ok(()) => None,
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::warn!(error = reason, deployment = %id, "does not load");
                let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE);
                Some(Failure { reason, times: times + 1, again_at: self.clock.monotonic() + pause })
            }
        };
        self.kept.insert(id, Kept { target, failure, reported: false });
    }

    async fn forget(&mut self, id: DeploymentId) {
        if let Some(kept) = self.kept.remove(&id).filter(|kept| kept.failure.is_none()) {
            self.platform.unload(&kept.target).await;
        }
    }

    async fn report(&mut self, id: DeploymentId) -> Result<()> {
        let Some(kept) = self.kept.get_mut(&id).filter(|kept| !kept.reported) else { return Ok(()) };
        let reason = kept.failure.as_ref().map(|failure| failure.reason.as_str());
        self.platform.report(&kept.target, reason).await?;
        kept.reported = true;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::sync::{Arc, Mutex};

    use anneal_contracts::rpc::InputFolder;
    use anneal_domain::id::{ModelId, WorkspaceId};
    use anneal_runtime::clock::ManualClock;
    use anyhow::bail;

    use super::*;

    /// A platform whose answers a test sets, and which writes down what it was asked for.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<Script>>);

    #[derive(Default)]
    struct Script {
        wanted: Vec<DeploymentTarget>,
        /// Names that do not load.
        broken: Vec<&'static str>,
        /// Names whose reports are lost.
        unheard: Vec<&'static str>,
        done: Vec<String>,
    }

    impl Scripted {
        fn set(&self, change: impl FnOnce(&mut Script)) {
            change(&mut self.0.lock().unwrap());
        }

        /// What was done since the last time this was asked.
        fn done(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap().done)
        }
    }

    impl Platform for Scripted {
        async fn wanted(&self) -> Result<Vec<DeploymentTarget>> {
            Ok(self.0.lock().unwrap().wanted.clone())
        }

        async fn load(&self, target: &DeploymentTarget) -> Result<()> {
            let mut script = self.0.lock().unwrap();
            script.done.push(format!("load {}", target.name));
            if script.broken.contains(&target.name.as_str()) {
                bail!("broken");
            }
            Ok(())
        }

        async fn unload(&self, target: &DeploymentTarget) {
            self.0.lock().unwrap().done.push(format!("unload {}", target.name));
        }

        async fn report(&self, target: &DeploymentTarget, failure: Option<&str>) -> Result<()> {
            let mut script = self.0.lock().unwrap();
            script.done.push(format!("report {} {}", target.name, failure.unwrap_or("ready")));
            if script.unheard.contains(&target.name.as_str()) {
                bail!("nobody answers");
            }
            Ok(())
        }
    }

    fn target(name: &str) -> DeploymentTarget {
        DeploymentTarget {
            deployment: DeploymentId::new(),
            workspace: WorkspaceId::new(),
            model: ModelId::new(),
            name: name.to_owned(),
            folder: InputFolder {
                role: "compiled".to_owned(),
                prefix: "p".to_owned(),
                manifest_sha256: "0".repeat(64),
            },
        }
    }

    fn keeper(wanted: &[DeploymentTarget]) -> (Keeper<Scripted>, Scripted, ManualClock) {
        let (platform, clock) = (Scripted::default(), ManualClock::at(0));
        platform.set(|script| script.wanted = wanted.to_vec());
        (Keeper::new(platform.clone(), Arc::new(clock.clone())), platform, clock)
    }

    #[tokio::test]
    async fn what_is_wanted_is_loaded_once_and_unloaded_when_it_is_not() {
        let (a, b) = (target("a"), target("b"));
        let (mut keeper, platform, _) = keeper(&[a.clone(), b]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["load a", "report a ready", "load b", "report b ready"]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), [""; 0]);
        platform.set(|script| script.wanted = vec![a]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["unload b"]);
    }

    #[tokio::test]
    async fn a_name_goes_from_one_deployment_to_the_next_and_a_changed_one_is_loaded_again() {
        let (mut keeper, platform, _) = keeper(&[target("a")]);
        keeper.refresh().await.unwrap();
        platform.done();
        let mut next = target("a");
        platform.set(|script| script.wanted = vec![next.clone()]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["unload a", "load a", "report a ready"]);
        next.folder.prefix = "q".to_owned();
        platform.set(|script| script.wanted = vec![next]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["unload a", "load a", "report a ready"]);
    }

    #[tokio::test]
    async fn a_failed_deployment_is_tried_again_after_growing_pauses_only() {
        let (mut keeper, platform, clock) = keeper(&[target("bad"), target("good")]);
        platform.set(|script| script.broken = vec!["bad"]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["load bad", "report bad broken", "load good", "report good ready"]);
        for pause in [30, 60, 120] {
            clock.advance(Duration::from_secs(pause - 1));
            keeper.refresh().await.unwrap();
            assert_eq!(platform.done(), [""; 0], "before its pause of {pause} s was over");
            clock.advance(Duration::from_secs(1));
            keeper.refresh().await.unwrap();
            assert_eq!(platform.done(), ["load bad", "report bad broken"]);
        }
        platform.set(|script| script.broken = vec![]);
        clock.advance(LONGEST_PAUSE);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["load bad", "report bad ready"]);
    }

    #[tokio::test]
    async fn a_lost_report_is_repeated_without_loading_and_delays_nobody() {
        let (mut keeper, platform, _) = keeper(&[target("a"), target("b")]);
        platform.set(|script| script.unheard = vec!["a"]);
        keeper.refresh().await.unwrap_err();
        assert_eq!(platform.done(), ["load a", "report a ready", "load b", "report b ready"]);
        keeper.refresh().await.unwrap_err();
        assert_eq!(platform.done(), ["report a ready"]);
        platform.set(|script| script.unheard = vec![]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["report a ready"]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), [""; 0]);
    }

    #[tokio::test]
    async fn what_was_loaded_and_never_told_of_is_unloaded_all_the_same() {
        let (mut keeper, platform, _) = keeper(&[target("a")]);
        platform.set(|script| script.unheard = vec!["a"]);
        keeper.refresh().await.unwrap_err();
        platform.done();
        platform.set(|script| script.wanted = vec![]);
        keeper.refresh().await.unwrap();
        assert_eq!(platform.done(), ["unload a"]);
    }
}
