//! Progress, metrics and log lines of running tasks.

use anneal_contracts::{
    engine::Level,
    telemetry::{LogWritten, MetricRecorded, ProgressReported},
};
use anneal_domain::id::TaskId;
use anneal_store::{Sql, Tx};

use crate::Error;

/// One telemetry message.
#[derive(Clone, Debug)]
pub(crate) enum Telemetry {
    Progress(ProgressReported),
    Metric(MetricRecorded),
    Log(LogWritten),
}

impl Telemetry {
    /// Reads a message by its `ce-type`.
    pub(crate) fn parse(kind: &str, payload: &[u8]) -> Result<Self, String> {
        let parsed = match kind {
            ProgressReported::TYPE => serde_json::from_slice(payload).map(Self::Progress),
            MetricRecorded::TYPE => serde_json::from_slice(payload).map(Self::Metric),
            LogWritten::TYPE => serde_json::from_slice(payload).map(Self::Log),
            other => return Err(format!("unknown telemetry type `{other}`")),
        };
        parsed.map_err(|error| error.to_string())
    }

    /// The task it is about.
    pub(crate) fn task(&self) -> TaskId {
        match self {
            Self::Progress(message) => message.task,
            Self::Metric(message) => message.task,
            Self::Log(message) => message.task,
        }
    }

    fn epoch(&self) -> u64 {
        match self {
            Self::Progress(message) => message.epoch,
            Self::Metric(message) => message.epoch,
            Self::Log(message) => message.epoch,
        }
    }
}

/// A line's place in the whole log of its task: lines of a later epoch come after.
pub(crate) fn line_number(epoch: u64, line: u64) -> i64 {
    i64::try_from(epoch.min(1 << 20)).unwrap_or(0) << 32
        | i64::try_from(line.min(u64::from(u32::MAX))).unwrap_or(0)
}

/// Takes one message into the tables. What is about a task that does not exist, or of an epoch that never was, is dropped.
pub(crate) async fn apply(tx: &Tx, message: &Telemetry) -> Result<(), Error> {
    let epoch = i64::try_from(message.epoch()).unwrap_or(i64::MAX);
    let task = message.task().to_string();
    let known = tx
        .row(
            "SELECT 1 AS known FROM tasks WHERE id = $1 AND epoch >= $2",
            [task.clone().into(), epoch.into()],
        )
        .await?;
    if known.is_none() {
        return Ok(());
    }
    match message {
        Telemetry::Progress(progress) => apply_progress(tx, &task, epoch, progress).await,
        Telemetry::Metric(metric) => apply_metric(tx, &task, epoch, metric).await,
        Telemetry::Log(log) => apply_log(tx, &task, log).await,
    }
}

async fn apply_progress(tx: &Tx, task: &str, epoch: i64, progress: &ProgressReported) -> Result<(), Error> {
    tx.run(
        "INSERT INTO progress (task, epoch, seq, stage, done, total, unit, eta_seconds)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (task) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, stage = excluded.stage,
           done = excluded.done, total = excluded.total, unit = excluded.unit, eta_seconds = excluded.eta_seconds
         WHERE excluded.epoch > progress.epoch
            OR (excluded.epoch = progress.epoch AND excluded.seq > progress.seq)",
        [
            task.into(),
            epoch.into(),
            whole(progress.seq).into(),
            progress.stage.clone().into(),
            whole(progress.done).into(),
            whole(progress.total).into(),
            progress.unit.clone().into(),
            progress.eta_seconds.filter(|eta| eta.is_finite()).into(),
        ],
    )
    .await?;
    apply_stage_progress(tx, task, epoch, progress).await
}

/// How far each stage came, such as each dataset of an evaluation: what a task says of one does not end with the next.
async fn apply_stage_progress(
    tx: &Tx,
    task: &str,
    epoch: i64,
    progress: &ProgressReported,
) -> Result<(), Error> {
    tx.run(
        "INSERT INTO stage_progress (task, stage, epoch, seq, done, total, unit) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (task, stage) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, done = excluded.done,
           total = excluded.total, unit = excluded.unit
         WHERE excluded.epoch > stage_progress.epoch
            OR (excluded.epoch = stage_progress.epoch AND excluded.seq > stage_progress.seq)",
        [
            task.into(),
            progress.stage.clone().into(),
            epoch.into(),
            whole(progress.seq).into(),
            whole(progress.done).into(),
            whole(progress.total).into(),
            progress.unit.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// An epoch goes on after this step (-1: it begins anew): what earlier epochs measured beyond it is of work that is done
/// again. Their points are dropped here, and those that come later by [`apply`].
pub(crate) async fn begin_epoch(tx: &Tx, task: &str, epoch: i64, after_step: i64) -> Result<(), Error> {
    tx.run(
        "INSERT INTO epochs (task, epoch, after_step) VALUES ($1, $2, $3)
         ON CONFLICT (task, epoch) DO UPDATE SET after_step = excluded.after_step",
        [task.into(), epoch.into(), after_step.into()],
    )
    .await?;
    tx.run(
        "DELETE FROM metrics WHERE task = $1 AND epoch < $2 AND step > $3",
        [task.into(), epoch.into(), after_step.into()],
    )
    .await?;
    Ok(())
}

/// The last step of this epoch that no later epoch has done again.
async fn last_kept_step(tx: &Tx, task: &str, epoch: i64) -> Result<i64, Error> {
    let sql = "SELECT MIN(after_step) AS step FROM epochs WHERE task = $1 AND epoch > $2";
    let row = tx.row(sql, [task.into(), epoch.into()]).await?;
    let step = row.map(|row| row.try_get::<Option<i64>>("", "step")).transpose()?.flatten();
    Ok(step.unwrap_or(i64::MAX))
}

async fn apply_metric(tx: &Tx, task: &str, epoch: i64, metric: &MetricRecorded) -> Result<(), Error> {
    let last = last_kept_step(tx, task, epoch).await?;
    for point in metric.points.iter().filter(|point| whole(point.step) <= last) {
        for (name, value) in &point.values {
            tx.run(
                "INSERT INTO metrics (task, name, step, epoch, value) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (task, name, step) DO UPDATE SET epoch = excluded.epoch, value = excluded.value
                 WHERE excluded.epoch > metrics.epoch",
                [task.into(), name.clone().into(), whole(point.step).into(), epoch.into(), (*value).into()],
            )
            .await?;
        }
    }
    Ok(())
}

/// A committed checkpoint's scores belong to no epoch: whichever does the step again arrives at the same weights.
const OF_NO_EPOCH: i64 = i64::MAX;

/// Puts the scores of a checkpoint on the curves of its training.
pub(crate) async fn put_scores(
    tx: &Tx,
    training: &str,
    step: i64,
    points: &[(String, f64)],
) -> Result<(), Error> {
    for (name, value) in points {
        tx.run(
            "INSERT INTO metrics (task, name, step, epoch, value) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (task, name, step) DO UPDATE SET epoch = excluded.epoch, value = excluded.value",
            [training.into(), name.clone().into(), step.into(), OF_NO_EPOCH.into(), (*value).into()],
        )
        .await?;
    }
    Ok(())
}

async fn apply_log(tx: &Tx, task: &str, log: &LogWritten) -> Result<(), Error> {
    for (line, number) in log.lines.iter().zip(log.first_line..) {
        tx.run(
            "INSERT INTO logs (task, line, stage, at_ms, level, message) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (task, line) DO NOTHING",
            [
                task.into(),
                line_number(log.epoch, number).into(),
                line.stage.clone().into(),
                line.at_ms.into(),
                level(line.level).into(),
                // PostgreSQL text holds no NUL.
                line.message.replace('\0', "\u{fffd}").into(),
            ],
        )
        .await?;
    }
    Ok(())
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
