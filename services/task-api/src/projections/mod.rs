//! What task-api reads out of the streams: telemetry, and the log of events that it serves.
//!
//! Every effect here is idempotent and does not depend on order, by its own key: a metric point by (task, name, step) under
//! the highest epoch, as far as no later epoch did the step again, a log line by (task, epoch, line), progress by the highest
//! (epoch, seq), an event by its id. The row itself is the inbox, so duplicates, reordering and replay change nothing, and a
//! projection equals its rebuild.

mod event_log;
mod telemetry;
#[cfg(test)]
mod tests;

pub(crate) use event_log::apply as apply_event;
pub(crate) use telemetry::{Telemetry, apply as apply_telemetry, begin_epoch, put_scores};
