//! Stages of the running task.

use anneal_contracts::{
    engine::StageState,
    event::{StageChanged, TaskEvent},
    rpc::{Done, ReportStage},
};
use anneal_store::{Sql, Tx};

use super::{checkpoint::check_prefix, record};
use crate::{Error, store::TaskRow};

/// Notes that a stage began or ended. A repeated `seq` changes nothing; a stale epoch is fenced.
pub(crate) async fn report(tx: &Tx, report: &ReportStage) -> Result<Done, Error> {
    let now = tx.now_ms().await?;
    let mut row = TaskRow::lock_held(tx, report.task, report.epoch, report.worker, now).await?;
    let stage: String = report.stage.chars().filter(|c| !c.is_control()).take(64).collect();
    if let Some(key) = &report.log_key {
        check_prefix(&row, key)?;
    }
    let inserted = tx
        .run(
            "INSERT INTO stages (task, epoch, seq, stage, state, at_ms, log_key) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (task, epoch, seq) DO NOTHING",
            [
                row.id.clone().into(),
                row.epoch.into(),
                i64::try_from(report.seq).unwrap_or(i64::MAX).into(),
                stage.clone().into(),
                name(report.state).into(),
                now.into(),
                report.log_key.clone().into(),
            ],
        )
        .await?;
    if inserted == 0 {
        return Ok(Done {});
    }
    let (state, epoch) = (row.state()?, row.epoch);
    if report.state == StageState::Started {
        row.stage = Some(stage.clone());
    }
    row.updated_at_ms = now;
    let changed = StageChanged {
        task: report.task,
        epoch: report.epoch,
        seq: report.seq,
        stage,
        state: report.state,
        at_ms: now,
    };
    record::event(tx, &mut row, TaskEvent::StageChanged(changed), now).await?;
    row.save(tx, state, epoch).await?;
    Ok(Done {})
}

const fn name(state: StageState) -> &'static str {
    match state {
        StageState::Started => "started",
        StageState::Finished => "finished",
    }
}
