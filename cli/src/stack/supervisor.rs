//! All children together.

use std::time::Duration;

use anneal_runtime::CancellationToken;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::{
    StackError,
    child::{Pids, Running},
    files::Files,
    programs::Programs,
    say,
    services::Service,
};

const LOOK: Duration = Duration::from_millis(250);
/// How long a child may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// The children, in the order they were started.
pub(crate) struct Supervisor {
    files: Files,
    programs: Programs,
    children: Vec<Running>,
}

impl Supervisor {
    pub(crate) fn new(files: Files, programs: Programs) -> Self {
        Self { files, programs, children: Vec::new() }
    }

    pub(crate) fn start(&mut self, service: &Service) -> Result<(), StackError> {
        self.children.push(Running::start(service.clone(), &self.files, &self.programs)?);
        Ok(())
    }

    /// Waits until a started service is ready.
    pub(crate) async fn wait_ready(
        &mut self,
        service: &Service,
        deadline: Instant,
    ) -> Result<(), StackError> {
        let name = service.name;
        let Some(child) = self.children.iter_mut().find(|child| child.service.name == name) else {
            return Ok(());
        };
        while !service.probe.holds(&child.log, child.log_from) {
            if let Some(status) = child.ended() {
                return Err(StackError::Ended { name, status: status.to_string(), log: child.log_end() });
            }
            if Instant::now() > deadline {
                return Err(StackError::NotReady { name, log: child.log_end() });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The process ids now.
    pub(crate) fn pids(&self) -> Pids {
        self.children.iter().filter_map(|child| Some((child.service.name, child.pid()?))).collect()
    }

    /// Restarts what ends, until shutdown; tells `changed` the process ids after each restart.
    pub(crate) async fn watch(
        &mut self,
        shutdown: &CancellationToken,
        changed: impl Fn(&Pids) -> Result<(), StackError>,
    ) -> Result<(), StackError> {
        while !shutdown.is_cancelled() {
            let mut restarted = false;
            for child in &mut self.children {
                if let Some(status) = child.ended() {
                    let name = child.service.name;
                    let end = child.log_end();
                    let pause = child.back_off();
                    say(&format!(
                        "{name} ended ({status}); starting it again in {pause:?}. Its last lines:\n{end}"
                    ));
                }
                restarted |= child.revive(&self.files, &self.programs)?;
            }
            if restarted {
                changed(&self.pids())?;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = sleep(LOOK) => {}
            }
        }
        Ok(())
    }

    /// Stops everything: workers and inference first, then the API and billing, the broker and the object store last.
    pub(crate) async fn stop(&mut self) {
        let (mut first, mut last): (Vec<_>, Vec<_>) = self
            .children
            .drain(..)
            .partition(|child| !matches!(child.service.name, "nats-server" | "objects"));
        stop_together(&mut first).await;
        stop_together(&mut last).await;
    }
}

async fn stop_together(children: &mut [Running]) {
    for child in children.iter() {
        child.signal(Signal::SIGTERM);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && !all_ended(children) {
        sleep(Duration::from_millis(20)).await;
    }
    for child in children.iter() {
        if child.pid().is_some() {
            say(&format!("{} does not stop: killing it", child.service.name));
            child.signal(Signal::SIGKILL);
        }
    }
    while !all_ended(children) {
        sleep(Duration::from_millis(20)).await;
    }
}

fn all_ended(children: &mut [Running]) -> bool {
    children.iter_mut().fold(true, |all, child| {
        child.ended();
        child.pid().is_none() && all
    })
}
