//! Batches of log lines, metrics and progress on their way to the broker.
//!
//! What cannot be sent in time is dropped, and said, and a long line is cut: the stage logs and metrics in the object store
//! are complete. A checkpoint waits until everything said before it has left ([`Telemetry::told`]): what it keeps is never
//! computed again, and so never said again.

use std::time::Duration;

use anneal_bus::Bus;
use anneal_contracts::{
    Envelope, Trace,
    subject::{self, Channel},
    telemetry::{LogLine, LogWritten, MetricPoint, MetricRecorded, ProgressReported},
};
use anneal_domain::id::{EventId, TaskId, WorkspaceId};
use anneal_runtime::{
    clock::{SharedClock, rfc3339},
    tasks,
};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// Batches leave this often at most: progress at most twice a second.
const INTERVAL: Duration = Duration::from_millis(500);
/// Log lines or metric points of one message.
const BATCH: usize = 500;
/// Text of one message, before JSON spells it; at its longest (`\u0000`) it is six times that, and the least payload that
/// a broker takes is a mebibyte.
const BATCH_BYTES: usize = 96 << 10;
/// A longer log line is cut.
const LONGEST_LINE_BYTES: usize = 32 << 10;
/// What a line or a value takes beside its text.
const FRAME_BYTES: usize = 64;
/// Items that wait while the broker is away.
const WAITING: usize = 20_000;
/// How long the end of a task waits for the last batches.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Which task speaks.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) bus: Bus,
    pub(crate) clock: SharedClock,
    pub(crate) source: String,
    pub(crate) workspace: WorkspaceId,
    pub(crate) task: TaskId,
    pub(crate) epoch: u64,
    pub(crate) trace: Trace,
}

/// One thing to tell.
#[derive(Debug)]
pub(crate) enum Item {
    Log(LogLine),
    Metric(MetricPoint),
    /// Its `task`, `epoch` and `seq` are filled in when it leaves.
    Progress {
        stage: String,
        done: u64,
        total: u64,
        unit: String,
        eta_seconds: Option<f64>,
    },
    /// Answered once everything said before it has left.
    Told(oneshot::Sender<()>),
}

/// The sending side and the task behind it.
#[derive(Debug)]
pub(crate) struct Telemetry {
    items: mpsc::Sender<Item>,
    task: AbortOnDropHandle<Option<()>>,
    dropped: u64,
}

impl Telemetry {
    pub(crate) fn start(speaker: Speaker) -> Self {
        let (items, waiting) = mpsc::channel(WAITING);
        let task =
            AbortOnDropHandle::new(tasks::spawn("worker.telemetry", Sender::new(speaker).run(waiting)));
        Self { items, task, dropped: 0 }
    }

    pub(crate) fn say(&mut self, item: Item) {
        if self.items.try_send(item).is_err() {
            self.dropped += 1;
        }
    }

    /// Ends (well, or in an error when it cannot be known) once everything said so far has left, or was dropped.
    pub(crate) fn told(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        // When too many wait, what was said just now was dropped.
        drop(self.items.try_send(Item::Told(tell)));
        told
    }

    /// Sends what is left, within a few seconds.
    pub(crate) async fn finish(self) {
        let Self { items, mut task, dropped } = self;
        drop(items);
        if dropped > 0 {
            tracing::warn!(dropped, "telemetry was dropped; the stage logs are complete");
        }
        if tokio::time::timeout(LAST_WAIT, &mut task).await.is_err() {
            tracing::warn!("the last telemetry could not be sent in time");
        }
    }
}

/// Batches what came and publishes it.
struct Sender {
    speaker: Speaker,
    next_line: u64,
    seq: u64,
    lines: Vec<LogLine>,
    points: Vec<MetricPoint>,
    /// Text of the lines and points.
    bytes: usize,
    progress: Option<ProgressReported>,
    waiting_to_be_told: Vec<oneshot::Sender<()>>,
}

impl Sender {
    fn new(speaker: Speaker) -> Self {
        Self {
            speaker,
            next_line: 0,
            seq: 0,
            lines: Vec::new(),
            points: Vec::new(),
            bytes: 0,
            progress: None,
            waiting_to_be_told: Vec::new(),
        }
    }

    async fn run(mut self, mut waiting: mpsc::Receiver<Item>) {
        while let Some(first) = waiting.recv().await {
            self.take(first);
            // The first item leaves at once; what follows closely leaves together half a second later.
            self.send().await;
            let pause = tokio::time::sleep(INTERVAL);
            tokio::pin!(pause);
            let mut open = true;
            while open && !self.is_due() {
                tokio::select! {
                    () = &mut pause => break,
                    item = waiting.recv() => match item {
                        Some(item) => self.take(item),
                        None => open = false,
                    },
                }
            }
            self.send().await;
        }
    }

    /// Whether the batch must leave before its time.
    fn is_due(&self) -> bool {
        self.lines.len() >= BATCH
            || self.points.len() >= BATCH
            || self.bytes >= BATCH_BYTES
            || !self.waiting_to_be_told.is_empty()
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Log(line) => {
                let line = LogLine { message: cut(line.message), ..line };
                self.bytes += line.message.len() + line.stage.len() + FRAME_BYTES;
                self.lines.push(line);
            }
            Item::Metric(point) => {
                self.bytes += point.values.keys().map(|name| name.len() + FRAME_BYTES).sum::<usize>();
                self.points.push(point);
            }
            Item::Progress { stage, done, total, unit, eta_seconds } => {
                let (task, epoch, seq) = (self.speaker.task, self.speaker.epoch, self.seq + 1);
                self.progress =
                    Some(ProgressReported { task, epoch, seq, stage, done, total, unit, eta_seconds });
            }
            Item::Told(tell) => self.waiting_to_be_told.push(tell),
        }
    }

    async fn send(&mut self) {
        let (task, epoch) = (self.speaker.task, self.speaker.epoch);
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            let first_line = self.next_line;
            self.next_line += lines.len() as u64;
            let batch = LogWritten { task, epoch, first_line, lines };
            self.publish(Channel::Log, LogWritten::TYPE, &batch).await;
        }
        let points = std::mem::take(&mut self.points);
        if !points.is_empty() {
            let batch = MetricRecorded { task, epoch, points };
            self.publish(Channel::Metric, MetricRecorded::TYPE, &batch).await;
        }
        if let Some(mut progress) = self.progress.take() {
            progress.seq = self.seq + 1;
            self.publish(Channel::Progress, ProgressReported::TYPE, &progress).await;
        }
        for tell in self.waiting_to_be_told.drain(..) {
            // Who asked may have gone.
            tell.send(()).ok();
        }
    }

    /// Tried until the broker has it: meanwhile items wait, and when too many wait they are dropped.
    async fn publish<T: Serialize>(&mut self, channel: Channel, kind: &str, payload: &T) {
        self.seq += 1;
        let speaker = &self.speaker;
        let subject = subject::telemetry(speaker.workspace, speaker.task, channel);
        let envelope = Envelope {
            id: EventId::new(),
            kind: kind.to_owned(),
            source: speaker.source.clone(),
            subject: speaker.task.to_string(),
            time: rfc3339(speaker.clock.unix_ms()),
            workspace: speaker.workspace,
            epoch: speaker.epoch,
            seq: self.seq,
            trace: speaker.trace.child(),
        };
        while let Err(error) = speaker.bus.publish(&subject, &envelope, payload).await {
            tracing::warn!(%error, subject, "telemetry is not sent");
            if !error.is_retryable() {
                return;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// A line's beginning, at a character's boundary, with a word on what is missing.
fn cut(message: String) -> String {
    if message.len() <= LONGEST_LINE_BYTES {
        return message;
    }
    let end = message.floor_char_boundary(LONGEST_LINE_BYTES);
    format!("{} … ({} bytes more in the stage's stored log)", &message[..end], message.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut("short".to_owned()), "short");
        let cut = cut("é".repeat(LONGEST_LINE_BYTES));
        assert!(cut.starts_with("éé") && cut.contains(" bytes more"), "{}", cut.len());
        assert!(cut.len() < LONGEST_LINE_BYTES + 100);
    }
}
