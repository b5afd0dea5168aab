//! The tables of task-api, and how their rows are read and written.
//!
//! SQL is plain text with `$n` placeholders, which SQLite and PostgreSQL both understand; ids are text, times Unix
//! milliseconds, structures JSON text.

mod migrations;
mod task_row;

pub(crate) use migrations::migrations;
pub(crate) use task_row::{TaskRow, from_json, to_json};

use anneal_store::{Sql, Tx};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};

use crate::Error;

/// What a `SELECT` appends to lock its rows to the end of the transaction; SQLite's writer is alone anyway.
pub(crate) fn for_update(tx: &Tx) -> &'static str {
    if tx.get_database_backend() == DbBackend::Postgres { " FOR UPDATE" } else { "" }
}

/// Every row as a `T`.
pub(crate) async fn all<T: FromQueryResult>(
    db: &impl Sql,
    sql: &str,
    values: impl IntoIterator<Item = Value> + Send,
) -> Result<Vec<T>, Error> {
    let rows = db.rows(sql, values).await?;
    Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

/// The first row as a `T`.
pub(crate) async fn one<T: FromQueryResult>(
    db: &impl Sql,
    sql: &str,
    values: impl IntoIterator<Item = Value> + Send,
) -> Result<Option<T>, Error> {
    let row = db.row(sql, values).await?;
    Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
}

/// `$1, $2, …` for `count` values, beginning at `from`.
pub(crate) fn places(from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// Text that a `LIKE … ESCAPE '\\'` takes literally, between wildcards.
pub(crate) fn like(text: &str) -> String {
    format!("%{}", like_start(text))
}

/// Text that a `LIKE … ESCAPE '\\'` takes literally, before a wildcard.
pub(crate) fn like_start(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("{escaped}%")
}
