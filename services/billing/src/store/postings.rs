//! The ledger itself.

use std::collections::BTreeMap;

use anneal_contracts::rpc::Posting;
use anneal_domain::{
    Microcredits,
    id::{TaskId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{ConnectionTrait, QueryResult};

use super::accounts;
use crate::{Error, ledger::Entry};

const COLUMNS: &str = "id, operation, reason, debit, credit, amount, task, at_ms";
/// A bill shows at most this many postings: the newest.
const BILL_POSTINGS: u64 = 2_000;

/// Posts an entry and moves the balances; whether it was new. The same operation again changes nothing.
pub async fn post(tx: &Tx, entry: &Entry) -> Result<bool, Error> {
    if entry.amount < Microcredits::ZERO {
        return Err(Error::Overflow);
    }
    let (debit, credit) = entry.reason.accounts(entry.workspace);
    let at_ms = tx.now_ms().await?;
    let inserted = tx
        .run(
            "INSERT INTO postings (operation, reason, debit, credit, amount, workspace, task, at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (operation) DO NOTHING",
            [
                entry.operation.clone().into(),
                entry.reason.as_str().into(),
                debit.to_string().into(),
                credit.to_string().into(),
                entry.amount.0.into(),
                entry.workspace.to_string().into(),
                entry.task.map(|task| task.to_string()).into(),
                at_ms.into(),
            ],
        )
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    accounts::add(tx, debit, Microcredits(-entry.amount.0)).await?;
    accounts::add(tx, credit, entry.amount).await?;
    Ok(true)
}

/// The amount posted under an operation key.
pub async fn posted(tx: &Tx, operation: &str) -> Result<Option<Microcredits>, Error> {
    let row = tx.row("SELECT amount FROM postings WHERE operation = $1", [operation.into()]).await?;
    row.map(|row| Ok(Microcredits(row.try_get("", "amount")?))).transpose()
}

/// A task's postings, in order.
pub async fn of_task<C: ConnectionTrait>(db: &C, task: TaskId) -> Result<Vec<Posting>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM postings WHERE task = $1 ORDER BY id DESC LIMIT {BILL_POSTINGS}");
    let mut postings = read(&db.rows(&sql, [task.to_string().into()]).await?)?;
    postings.reverse();
    Ok(postings)
}

/// A page of a workspace's postings, oldest first.
pub async fn of_workspace<C: ConnectionTrait>(
    db: &C,
    workspace: WorkspaceId,
    after: i64,
    limit: u64,
) -> Result<Vec<Posting>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM postings WHERE workspace = $1 AND id > $2 ORDER BY id LIMIT {limit}");
    read(&db.rows(&sql, [workspace.to_string().into(), after.into()]).await?)
}

/// What the ledger charged every task of a workspace: captured minus credited.
pub async fn charged_by_task<C: ConnectionTrait>(
    db: &C,
    workspace: WorkspaceId,
) -> Result<BTreeMap<TaskId, Microcredits>, Error> {
    let sql =
        "SELECT task, CAST(sum(CASE reason WHEN 'capture' THEN amount ELSE -amount END) AS BIGINT) AS charged
               FROM postings WHERE workspace = $1 AND task IS NOT NULL AND reason IN ('capture', 'credit')
               GROUP BY task";
    let rows = db.rows(sql, [workspace.to_string().into()]).await?;
    rows.iter().map(|row| Ok((text_id(row, "task")?, Microcredits(row.try_get("", "charged")?)))).collect()
}

fn read(rows: &[QueryResult]) -> Result<Vec<Posting>, Error> {
    rows.iter().map(read_row).collect()
}

fn read_row(row: &QueryResult) -> Result<Posting, Error> {
    let task: Option<String> = row.try_get("", "task")?;
    Ok(Posting {
        id: row.try_get("", "id")?,
        operation: row.try_get("", "operation")?,
        reason: row.try_get("", "reason")?,
        debit: row.try_get("", "debit")?,
        credit: row.try_get("", "credit")?,
        amount: Microcredits(row.try_get("", "amount")?),
        task: task.map(|text| text.parse()).transpose().map_err(|_| unusable("task"))?,
        at_ms: row.try_get("", "at_ms")?,
    })
}

/// A column that holds an id.
pub(super) fn text_id<T: std::str::FromStr>(row: &QueryResult, column: &str) -> Result<T, Error> {
    let text: String = row.try_get("", column)?;
    text.parse().map_err(|_| unusable(column))
}

pub(super) fn unusable(column: &str) -> Error {
    anneal_store::Error::Row(format!("column `{column}` does not read back")).into()
}
