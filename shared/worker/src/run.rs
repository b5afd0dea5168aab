//! One run of an engine child: its lines out, orders in, its end.

use std::{path::Path, process::ExitStatus, time::Duration};

use anneal_contracts::{
    engine::{ExitKind, Level, Line},
    event::Failure,
    rpc::ClaimedTask,
    telemetry::MetricPoint,
};
use anneal_runtime::{CancellationToken, fail};
use serde_json::{Map, Value};
use tokio::{sync::watch, time::Instant};

use crate::{
    Program, WorkerConfig, WorkerError, Workload,
    checkpoints::{Checkpoints, Saved, Written},
    ending::{Asked, Complaint, EngineEnd},
    engine::{self, Engine},
    keeper::{Order, Usage},
    output::{Output, Said},
    recorder::Recorder,
    session::{asked_by, interruption},
};

/// How long the pipes may stay open once the engine has ended.
const PIPE_WAIT: Duration = Duration::from_secs(5);

/// What is needed to run an engine once.
pub(crate) struct Run<'a> {
    pub(crate) program: Program,
    pub(crate) spec: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) config: &'a WorkerConfig,
    pub(crate) usage: &'a Usage,
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) workload: &'a dyn Workload,
    pub(crate) task: &'a ClaimedTask,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct EngineRun {
    pub(crate) end: EngineEnd,
    pub(crate) figures: Map<String, Value>,
    /// What is known of its checkpoints.
    pub(crate) saved: Saved,
}

/// What the engine said so far that matters at its end.
#[derive(Debug, Default)]
struct Heard {
    result: Option<Map<String, Value>>,
    complaint: Option<Complaint>,
}

impl Run<'_> {
    /// Runs it to its end, whatever that is, and commits the checkpoints it wrote.
    pub(crate) async fn finish_engine(mut self) -> Result<EngineRun, WorkerError> {
        let (mut engine, pipes) = Engine::start(&self.program, self.spec, self.folder)?;
        let mut output = Output::read(pipes);
        let mut heard = Heard::default();
        let mut asked = Asked::Nothing;
        let mut hung = false;
        // Until when the engine must say something; once asked to stop, until when it must end.
        let mut patience = Instant::now() + self.config.hang_timeout();
        let mut exited: Option<ExitStatus> = None;
        let mut orders = self.orders.clone();
        let mut closed = false;
        while exited.is_none() || !closed {
            tokio::select! {
                said = output.next(), if !closed => match said {
                    Some(said) => {
                        self.hear(said, &mut heard)?;
                        if asked == Asked::Nothing {
                            patience = Instant::now() + self.config.hang_timeout();
                        }
                    }
                    None => closed = true,
                },
                status = engine.wait(), if exited.is_none() => {
                    exited = Some(status.map_err(WorkerError::local(self.spec))?);
                    patience = Instant::now() + PIPE_WAIT;
                }
                now = next_order(&mut orders, &self.shutdown, asked), if exited.is_none() => {
                    if now == Asked::Cancel {
                        engine.kill();
                    } else if asked == Asked::Nothing {
                        engine.ask_to_stop();
                        patience = Instant::now() + self.config.stop_grace();
                    }
                    asked = now;
                }
                // A process that left the engine's group may hold its pipes open.
                () = tokio::time::sleep_until(patience), if exited.is_some() => closed = true,
                () = tokio::time::sleep_until(patience), if exited.is_none() => {
                    hung = asked == Asked::Nothing;
                    self.complain_of_silence(asked)?;
                    engine.kill();
                    patience = Instant::now() + Duration::from_secs(3600);
                }
            }
        }
        let saved = self.checkpoints.finish().await?;
        let status = exited.unwrap_or_default();
        let mut description = engine::describe(status);
        let tail = output.tail();
        if !tail.is_empty() {
            description = format!("{description}; its last words:\n{tail}");
        }
        let end = EngineEnd {
            exit: ExitKind::from_status(status.code()),
            asked,
            hung,
            has_result: heard.result.is_some(),
            complaint: heard.complaint,
            description: format!("the engine failed: {description}"),
        };
        Ok(EngineRun { end, figures: heard.result.unwrap_or_default(), saved })
    }

    fn hear(&mut self, said: Said, heard: &mut Heard) -> Result<(), WorkerError> {
        match said {
            Said::Text(level, text) => self.recorder.log(level, None, text),
            Said::Line(Line::Stage { name, state }) => self.recorder.stage(&name, state),
            Said::Line(Line::Progress { done, total, unit, eta_seconds }) => {
                self.recorder.progress(done, total, unit, eta_seconds);
                Ok(())
            }
            Said::Line(Line::Metric { step, values }) => {
                fail::point("worker.mid_run");
                self.recorder.metric(MetricPoint { step, values })
            }
            Said::Line(Line::Log { level, stage, message }) => {
                self.recorder.log(level, Some(&stage), message)
            }
            Said::Line(Line::Checkpoint { step, path, best }) => {
                let folder = self.folder.join(path);
                let running_ms = self.usage.running_ms();
                let told = Some(self.recorder.told());
                let wanted = self.workload.wants_checkpoint(self.task, step);
                self.checkpoints.take(Written { step, folder, best, wanted, running_ms, told })
            }
            Said::Line(Line::Result { figures }) => {
                heard.result = Some(figures);
                Ok(())
            }
            Said::Line(Line::Error { code, field, message, retryable }) => {
                let failure = Failure { code, field, message };
                heard.complaint = Some(Complaint { failure, retryable });
                Ok(())
            }
        }
    }

    fn complain_of_silence(&mut self, asked: Asked) -> Result<(), WorkerError> {
        let text = if asked == Asked::Nothing {
            format!(
                "no line for {}: the engine is taken for hung and killed",
                engine::seconds(self.config.hang_timeout())
            )
        } else {
            format!("the engine did not stop within {}: killed", engine::seconds(self.config.stop_grace()))
        };
        self.recorder.log(Level::Error, None, text)
    }
}

/// Waits for an order beyond the one that is being carried out: a stop may follow a pause, and a cancel follows anything.
async fn next_order(
    orders: &mut watch::Receiver<Order>,
    shutdown: &CancellationToken,
    asked: Asked,
) -> Asked {
    let beyond = |order: &Order| match asked_by(*order) {
        Asked::Cancel => asked != Asked::Cancel,
        Asked::Stop => matches!(asked, Asked::Pause | Asked::Shutdown),
        Asked::Pause => asked == Asked::Shutdown,
        Asked::Nothing | Asked::Shutdown => false,
    };
    if asked == Asked::Nothing {
        return interruption(orders, shutdown).await;
    }
    match orders.wait_for(beyond).await.map(|order| asked_by(*order)) {
        Ok(now) => now,
        Err(_) => std::future::pending().await,
    }
}
