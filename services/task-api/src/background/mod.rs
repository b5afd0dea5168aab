//! What runs beside the requests: the relay, the reaper, the sweeper, the scorer, the importer, the collector, the projections, and
//! the answers over the broker.

mod answers;
mod collector;
mod importer;
mod projector;
mod publisher;
mod reaper;
mod repeat;
mod scorer;
mod sweeper;

use anneal_runtime::tasks::Supervisor;
use anneal_store::outbox::Relay;

use crate::App;

/// Starts all of it, until the supervisor's shutdown.
pub(crate) fn start(app: &App, tasks: &Supervisor) {
    let relay = Relay::new(app.store.clone());
    tasks.spawn("relay", relay.run(publisher::Publisher(app.bus.clone()), tasks.shutdown()));
    tasks.spawn("reaper", reaper::run(app.clone(), tasks.shutdown()));
    tasks.spawn("sweeper", sweeper::run(app.clone(), tasks.shutdown()));
    tasks.spawn("scorer", scorer::run(app.clone(), tasks.shutdown()));
    tasks.spawn("importer", importer::run(app.clone(), tasks.shutdown()));
    tasks.spawn("collector", collector::run(app.clone(), tasks.shutdown()));
    tasks.spawn("telemetry", projector::telemetry(app.clone(), tasks.shutdown()));
    tasks.spawn("event-log", projector::events(app.clone(), tasks.shutdown()));
    answers::start(app, tasks);
}
