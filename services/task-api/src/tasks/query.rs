//! Listing tasks: filters and a cursor, newest first. Ids sort by the time they were made.

use anneal_domain::{
    id::{TaskId, WorkspaceId},
    spec::TaskKind,
    task::TaskState,
};
use anneal_store::Sql;
use sea_orm::Value;

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
