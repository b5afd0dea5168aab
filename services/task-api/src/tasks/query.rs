//! Finding tasks: lists by filters and a cursor, newest first (ids sort by the time they were made), the queues, and who uses
//! a thing.

use anneal_domain::{
    id::{TaskId, WorkspaceId},
    spec::{Pool, TaskKind},
    task::TaskState,
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use crate::{
    Error,
    store::{TaskRow, all, like},
};

/// Which tasks are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) kind: Option<TaskKind>,
    pub(crate) state: Option<TaskState>,
    /// Part of the name.
    pub(crate) text: Option<String>,
    /// Only tasks older than this one.
    pub(crate) before: Option<TaskId>,
}

/// Up to `limit` + 1 rows: one more than asked for says that there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<TaskRow>, Error> {
    let mut sql = "SELECT * FROM tasks WHERE workspace = $1".to_owned();
    let mut values: Vec<Value> = vec![workspace.to_string().into()];
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(kind) = filter.kind {
        and(" AND kind = ?", kind.as_str().into());
    }
    if let Some(state) = filter.state {
        and(" AND state = ?", state.as_str().into());
    }
    if let Some(text) = &filter.text {
        and(" AND lower(name) LIKE lower(?) ESCAPE '\\'", like(text).into());
    }
    if let Some(before) = filter.before {
        and(" AND id < ?", before.to_string().into());
    }
    let sql = format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1);
    all(db, &sql, values).await
}

/// The evaluations that succeeded and name a benchmark whose name begins as this one's does, newest first.
pub(crate) async fn succeeded_evaluations(
    db: &impl Sql,
    workspace: WorkspaceId,
    benchmark: &str,
    before: Option<TaskId>,
    most: u64,
) -> Result<Vec<TaskRow>, Error> {
    // A subject, and a benchmark's other names, begin alike.
    let start = benchmark.split(['_', '-']).next().unwrap_or_default();
    let mut sql = "SELECT * FROM tasks WHERE workspace = $1 AND kind = $2 AND state = $3
                     AND spec LIKE $4 ESCAPE '\\'"
        .to_owned();
    let mut values: Vec<Value> = vec![
        workspace.to_string().into(),
        TaskKind::Evaluation.as_str().into(),
        TaskState::Succeeded.as_str().into(),
        like(&format!("\"benchmark\":\"{start}")).into(),
    ];
    if let Some(before) = before {
        values.push(before.to_string().into());
        sql.push_str(" AND id < $5");
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {most}"), values).await
}

/// The newest evaluations of a model; those of the checkpoints of a training that began from it are another model's.
pub(crate) async fn evaluations_of(
    db: &impl Sql,
    workspace: WorkspaceId,
    model: &str,
    most: u64,
) -> Result<Vec<TaskRow>, Error> {
    let sql = format!(
        "SELECT * FROM tasks WHERE workspace = $1 AND kind = $2 AND spec LIKE $3 ESCAPE '\\'
           AND spec NOT LIKE '%\"checkpoint\":\"%' ORDER BY id DESC LIMIT {most}"
    );
    let values = [
        workspace.to_string().into(),
        TaskKind::Evaluation.as_str().into(),
        like(&format!("\"model\":\"{model}\"")).into(),
    ];
    all(db, &sql, values).await
}

/// The unfinished evaluation that scores the answers of this one again.
pub(super) async fn rescored_by(
    tx: &Tx,
    workspace: WorkspaceId,
    task: &str,
) -> Result<Option<String>, Error> {
    let sql = "SELECT id FROM tasks WHERE workspace = $1 AND finished_at_ms IS NULL AND spec LIKE $2 ESCAPE '\\' LIMIT 1";
    let named = like(&format!("\"rescore\":\"{task}\""));
    let used = tx.row(sql, [workspace.to_string().into(), named.into()]).await?;
    Ok(used.map(|row| row.try_get("", "id")).transpose()?)
}

/// The unfinished task that works with a model or a dataset: named in its specification, or taken for it as an input.
pub(crate) async fn user_of(tx: &Tx, workspace: WorkspaceId, id: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT id FROM tasks WHERE workspace = $1 AND finished_at_ms IS NULL
                 AND (spec LIKE $2 OR inputs LIKE $2) LIMIT 1";
    let used = tx.row(sql, [workspace.to_string().into(), format!("%{id}%").into()]).await?;
    Ok(used.map(|row| row.try_get("", "id")).transpose()?)
}

/// The tasks that wait for one kind of worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) kind: TaskKind,
    pub(crate) pool: Pool,
    /// How many wait.
    pub(crate) queued: u64,
    /// When the one that waits longest was last dispatched.
    pub(crate) oldest_dispatch_ms: i64,
}

/// Every queue in which a task waits.
pub(crate) async fn queues(db: &impl Sql) -> Result<Vec<Queue>, Error> {
    let mut queues = Vec::new();
    for kind in TaskKind::ALL {
        for pool in Pool::ALL {
            let sql = "SELECT COUNT(*) AS queued, MIN(dispatched_at_ms) AS oldest FROM tasks
                       WHERE state = 'queued' AND kind = $1 AND pool = $2";
            let Some(row) = db.row(sql, [kind.as_str().into(), pool.as_str().into()]).await? else {
                continue;
            };
            let queued = row.try_get::<i64>("", "queued")?.unsigned_abs();
            if let Some(oldest_dispatch_ms) = row.try_get("", "oldest")? {
                queues.push(Queue { kind, pool, queued, oldest_dispatch_ms });
            }
        }
    }
    Ok(queues)
}

/// Up to `most` tasks of a queue that have waited since before this time without a claim, longest first.
pub(crate) async fn unclaimed(
    db: &impl Sql,
    queue: &Queue,
    before_ms: i64,
    most: u64,
) -> Result<Vec<TaskId>, Error> {
    #[derive(FromQueryResult)]
    struct Id {
        id: String,
    }
    let sql = format!(
        "SELECT id FROM tasks WHERE state = 'queued' AND kind = $1 AND pool = $2 AND dispatched_at_ms < $3
         ORDER BY dispatched_at_ms, id LIMIT {}",
        most.min(256)
    );
    let values = [queue.kind.as_str().into(), queue.pool.as_str().into(), before_ms.into()];
    let rows: Vec<Id> = all(db, &sql, values).await?;
    rows.iter().map(|row| row.id.parse().map_err(|_| Error::stored("task id"))).collect()
}
