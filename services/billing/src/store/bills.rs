//! Bills and their leases.

use std::collections::BTreeMap;

use anneal_domain::{
    Microcredits,
    id::{TaskId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::postings::{text_id, unusable};
use crate::{
    Error,
    metering::{Bill, Claim, Epoch, State, Terms},
};

/// A task's bill with all its leases.
pub async fn load<C: ConnectionTrait>(db: &C, task: TaskId) -> Result<Option<Bill>, Error> {
    let Some(row) = db.row("SELECT * FROM bills WHERE task = $1", [task.to_string().into()]).await? else {
        return Ok(None);
    };
    let mut bill = read_bill(&row, task)?;
    for row in db.rows("SELECT * FROM epochs WHERE task = $1", [task.to_string().into()]).await? {
        let epoch: i64 = row.try_get("", "epoch")?;
        bill.epochs.insert(u64::try_from(epoch).map_err(|_| unusable("epoch"))?, read_epoch(&row)?);
    }
    Ok(Some(bill))
}

/// As [`load`], or `not_found`.
pub async fn load_for_task<C: ConnectionTrait>(db: &C, task: TaskId) -> Result<Bill, Error> {
    load(db, task).await?.ok_or_else(|| Error::refused("not_found", format!("there is no bill of {task}")))
}

/// Writes a bill, and of its leases the one that changed.
pub async fn save(tx: &Tx, bill: &Bill, changed: Option<u64>) -> Result<(), Error> {
    let (terms, estimate) = match bill.terms {
        None => (None, 0),
        Some(Terms::Free) => (Some("free"), 0),
        Some(Terms::Estimate(amount)) => (Some("estimate"), amount.0),
        Some(Terms::Metered) => (Some("metered"), 0),
    };
    let now = tx.now_ms().await?;
    tx.run(
        "INSERT INTO bills (task, workspace, terms, estimate, rate, quoted, hold, held, captured, credited,
                            released, state, succeeded, pause_wanted, opened_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (task) DO UPDATE SET terms = $3, estimate = $4, rate = $5, quoted = $6, hold = $7,
            held = $8, captured = $9, credited = $10, released = $11, state = $12, succeeded = $13,
            pause_wanted = $14",
        [
            bill.task.to_string().into(),
            bill.workspace.to_string().into(),
            terms.map(str::to_owned).into(),
            estimate.into(),
            bill.rate.0.into(),
            bill.quoted.0.into(),
            bill.hold.map(|hold| hold.to_string()).into(),
            bill.held.0.into(),
            bill.captured.0.into(),
            bill.credited.0.into(),
            bill.released.0.into(),
            state_name(bill.state).into(),
            i64::from(bill.succeeded).into(),
            i64::from(bill.pause_wanted).into(),
            now.into(),
        ],
    )
    .await?;
    match changed.and_then(|number| Some((number, bill.epochs.get(&number)?))) {
        Some((number, epoch)) => save_epoch(tx, bill.task, number, epoch).await,
        None => Ok(()),
    }
}

async fn save_epoch(tx: &Tx, task: TaskId, number: u64, epoch: &Epoch) -> Result<(), Error> {
    let number = i64::try_from(number).map_err(|_| Error::Overflow)?;
    tx.run(
        "INSERT INTO epochs (task, epoch, watermark_ms, reported_at_ms, claimed_at_ms, rate, ended_at_ms, kept_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (task, epoch) DO UPDATE SET watermark_ms = $3, reported_at_ms = $4, claimed_at_ms = $5,
            rate = $6, ended_at_ms = $7, kept_ms = $8",
        [
            task.to_string().into(),
            number.into(),
            epoch.watermark_ms.into(),
            epoch.reported_at_ms.into(),
            epoch.claim.map(|claim| claim.at_ms).into(),
            epoch.claim.map(|claim| claim.rate.0).into(),
            epoch.ended_at_ms.into(),
            epoch.kept_ms.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Tasks that must be asked to pause.
pub async fn wanting_pause<C: ConnectionTrait>(db: &C) -> Result<Vec<TaskId>, Error> {
    tasks(db, "SELECT task FROM bills WHERE pause_wanted = 1 LIMIT 100", []).await
}

/// Tasks of a workspace that must be asked to pause.
pub async fn wanting_pause_in<C: ConnectionTrait>(
    db: &C,
    workspace: WorkspaceId,
) -> Result<Vec<TaskId>, Error> {
    let sql = "SELECT task FROM bills WHERE workspace = $1 AND pause_wanted = 1";
    tasks(db, sql, [workspace.to_string().into()]).await
}

/// Tasks whose hold was placed before this time and that nobody ever said to be accepted.
pub async fn overdue_holds<C: ConnectionTrait>(db: &C, placed_before_ms: i64) -> Result<Vec<TaskId>, Error> {
    let sql =
        "SELECT task FROM bills WHERE state = 'placed' AND hold IS NOT NULL AND opened_at_ms < $1 LIMIT 100";
    tasks(db, sql, [placed_before_ms.into()]).await
}

/// How every task of a workspace is charged, as far as that is known.
pub async fn terms_by_task<C: ConnectionTrait>(
    db: &C,
    workspace: WorkspaceId,
) -> Result<BTreeMap<TaskId, Terms>, Error> {
    let sql = "SELECT task, terms, estimate FROM bills WHERE terms IS NOT NULL AND workspace = $1";
    let rows = db.rows(sql, [workspace.to_string().into()]).await?;
    let pairs = rows.iter().map(|row| Ok(read_terms(row)?.map(|terms| (text_id(row, "task"), terms))));
    pairs
        .filter_map(Result::transpose)
        .map(|pair| pair.and_then(|(task, terms)| Ok((task?, terms))))
        .collect()
}

async fn tasks<C: ConnectionTrait, const N: usize>(
    db: &C,
    sql: &str,
    values: [Value; N],
) -> Result<Vec<TaskId>, Error> {
    let rows = db.rows(sql, values).await?;
    // One row that does not read back holds up no other.
    let read = |row: &QueryResult| {
        text_id(row, "task").inspect_err(|error| tracing::error!(%error, "a bill is unusable")).ok()
    };
    Ok(rows.iter().filter_map(read).collect())
}

fn read_bill(row: &QueryResult, task: TaskId) -> Result<Bill, Error> {
    let amount = |column: &str| -> Result<Microcredits, Error> { Ok(Microcredits(row.try_get("", column)?)) };
    let flag = |column: &str| -> Result<bool, Error> { Ok(row.try_get::<i64>("", column)? != 0) };
    let hold: Option<String> = row.try_get("", "hold")?;
    let state: String = row.try_get("", "state")?;
    Ok(Bill {
        task,
        workspace: text_id(row, "workspace")?,
        terms: read_terms(row)?,
        rate: amount("rate")?,
        quoted: amount("quoted")?,
        hold: hold.map(|text| text.parse()).transpose().map_err(|_| unusable("hold"))?,
        held: amount("held")?,
        captured: amount("captured")?,
        credited: amount("credited")?,
        released: amount("released")?,
        state: STATES
            .into_iter()
            .find(|known| state_name(*known) == state)
            .ok_or_else(|| unusable("state"))?,
        succeeded: flag("succeeded")?,
        pause_wanted: flag("pause_wanted")?,
        epochs: BTreeMap::new(),
    })
}

fn read_terms(row: &QueryResult) -> Result<Option<Terms>, Error> {
    let terms: Option<String> = row.try_get("", "terms")?;
    Ok(Some(match terms.as_deref() {
        None => return Ok(None),
        Some("free") => Terms::Free,
        Some("estimate") => Terms::Estimate(Microcredits(row.try_get("", "estimate")?)),
        Some("metered") => Terms::Metered,
        Some(_) => return Err(unusable("terms")),
    }))
}

fn read_epoch(row: &QueryResult) -> Result<Epoch, Error> {
    let claimed_at_ms: Option<i64> = row.try_get("", "claimed_at_ms")?;
    let rate: Option<i64> = row.try_get("", "rate")?;
    Ok(Epoch {
        watermark_ms: row.try_get("", "watermark_ms")?,
        reported_at_ms: row.try_get("", "reported_at_ms")?,
        claim: claimed_at_ms.zip(rate).map(|(at_ms, rate)| Claim { at_ms, rate: Microcredits(rate) }),
        ended_at_ms: row.try_get("", "ended_at_ms")?,
        kept_ms: row.try_get("", "kept_ms")?,
    })
}

const STATES: [State; 4] = [State::Placed, State::Lapsed, State::Open, State::Closed];

const fn state_name(state: State) -> &'static str {
    match state {
        State::Placed => "placed",
        State::Lapsed => "lapsed",
        State::Open => "open",
        State::Closed => "closed",
    }
}
