//! An import as it is stored.

use anneal_domain::id::{ImportId, WorkspaceId};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use super::{HubImport, ImportKind};
use crate::{
    Error,
    store::{all, for_update, from_json, like, one, to_json},
};

/// Whoever holds an import says so at least this often, or loses it.
pub(super) const HELD_MS: i64 = 15_000;
/// Tries before an import fails for want of the hub.
pub(super) const MOST_ATTEMPTS: i64 = 5;

/// One row of `imports`.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct ImportRow {
    pub(crate) id: String,
    pub(crate) workspace: String,
    pub(crate) request: String,
    /// `waiting`, `running`, `done` or `failed`.
    pub(crate) state: String,
    /// The commit that is imported, once the hub was asked.
    pub(crate) commit_id: Option<String>,
    pub(crate) done_bytes: i64,
    pub(crate) total_bytes: i64,
    /// The model, from the beginning; the dataset, at the end.
    pub(crate) resource: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) holder: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) finished_at_ms: Option<i64>,
}

impl ImportRow {
    pub(crate) fn workspace(&self) -> Result<WorkspaceId, Error> {
        self.workspace.parse().map_err(|_| Error::stored("workspace id"))
    }

    pub(crate) fn request(&self) -> Result<HubImport, Error> {
        from_json(&self.request, "import")
    }
}

/// Writes a new import.
pub(crate) async fn insert(
    tx: &Tx,
    id: ImportId,
    workspace: WorkspaceId,
    request: &HubImport,
) -> Result<ImportRow, Error> {
    tx.run(
        "INSERT INTO imports (id, workspace, request, state, done_bytes, total_bytes, look_after_ms, attempts, created_at_ms)
         VALUES ($1, $2, $3, 'waiting', 0, 0, 0, 0, $4)",
        [
            id.to_string().into(),
            workspace.to_string().into(),
            to_json(request)?.into(),
            tx.now_ms().await?.into(),
        ],
    )
    .await?;
    find(&**tx, workspace, id).await
}

/// The import of this workspace.
pub(crate) async fn find(db: &impl Sql, workspace: WorkspaceId, id: ImportId) -> Result<ImportRow, Error> {
    let sql = "SELECT * FROM imports WHERE id = $1 AND workspace = $2";
    let row = one(db, sql, [id.to_string().into(), workspace.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("import"))
}

/// Imports of a workspace, of one kind or of both, newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    kind: Option<ImportKind>,
    before: Option<ImportId>,
    limit: u32,
) -> Result<Vec<ImportRow>, Error> {
    let mut values: Vec<Value> = vec![workspace.to_string().into()];
    let mut sql = "SELECT * FROM imports WHERE workspace = $1".to_owned();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(kind) = kind {
        // Within a value, a quotation mark would be escaped.
        and(" AND request LIKE ? ESCAPE '\\'", like(&format!("\"kind\":{}", to_json(&kind)?)).into());
    }
    if let Some(before) = before {
        and(" AND id < ?", before.to_string().into());
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// Whether there is an import that nobody holds: a look that writes nothing.
pub(crate) async fn is_one_due(db: &impl Sql, now_ms: i64) -> Result<bool, Error> {
    let sql = "SELECT 1 AS found FROM imports WHERE state IN ('waiting', 'running') AND look_after_ms <= $1 LIMIT 1";
    Ok(db.row(sql, [now_ms.into()]).await?.is_some())
}

/// Takes the next import that nobody holds, if there is one: `holder` has it from here on.
pub(crate) async fn next(tx: &Tx, holder: &str) -> Result<Option<ImportRow>, Error> {
    let now = tx.now_ms().await?;
    let sql = format!(
        "SELECT * FROM imports WHERE state IN ('waiting', 'running') AND look_after_ms <= $1
         ORDER BY look_after_ms, id LIMIT 1{}",
        for_update(tx)
    );
    let Some(row) = one::<ImportRow>(&**tx, &sql, [now.into()]).await? else { return Ok(None) };
    tx.run(
        "UPDATE imports SET state = 'running', holder = $1, look_after_ms = $2 WHERE id = $3",
        [holder.into(), (now + HELD_MS).into(), row.id.clone().into()],
    )
    .await?;
    Ok(Some(ImportRow { holder: Some(holder.to_owned()), state: "running".to_owned(), ..row }))
}

/// Says that the holder is still there, and how far it is; one that lost the import is told so.
pub(super) async fn progress(tx: &Tx, row: &ImportRow, done: u64, total: u64) -> Result<(), Error> {
    let until = tx.now_ms().await? + HELD_MS;
    let whole = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    held(
        tx,
        row,
        "done_bytes = $3, total_bytes = $4, look_after_ms = $5",
        [whole(done).into(), whole(total).into(), until.into()],
    )
    .await
}

/// Notes the commit, and the model that it becomes.
pub(super) async fn begin(
    tx: &Tx,
    row: &ImportRow,
    commit: &str,
    resource: Option<&str>,
) -> Result<(), Error> {
    let resource = resource.map(str::to_owned);
    held(tx, row, "commit_id = $3, resource = COALESCE($4, resource)", [commit.into(), resource.into()]).await
}

/// It is there.
pub(super) async fn finish(tx: &Tx, row: &ImportRow, resource: &str, bytes: u64) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    let set = "state = 'done', resource = $3, finished_at_ms = $4, done_bytes = $5, total_bytes = $5, failure = NULL";
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    held(tx, row, set, [resource.into(), now.into(), bytes.into()]).await
}

/// It failed for good.
pub(super) async fn fail(tx: &Tx, row: &ImportRow, why: &str) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    let set = "state = 'failed', failure = $3, finished_at_ms = $4, resource = NULL";
    held(tx, row, set, [why.into(), now.into()]).await
}

/// It is tried again later.
pub(super) async fn wait(tx: &Tx, row: &ImportRow, why: &str) -> Result<(), Error> {
    let later = tx.now_ms().await? + (2_000 << row.attempts.clamp(0, MOST_ATTEMPTS));
    let set = "state = 'waiting', attempts = attempts + 1, failure = $3, look_after_ms = $4";
    held(tx, row, set, [why.into(), later.into()]).await
}

async fn held(
    tx: &Tx,
    row: &ImportRow,
    set: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<(), Error> {
    let sql = format!("UPDATE imports SET {set} WHERE id = $1 AND holder = $2 AND state = 'running'");
    let own: [Value; 2] = [row.id.clone().into(), row.holder.clone().into()];
    let values: Vec<Value> = own.into_iter().chain(values).collect();
    if tx.run(&sql, values).await? == 1 { Ok(()) } else { Err(Error::Fenced) }
}

/// The row as it is now.
pub(super) async fn current(tx: &Tx, row: &ImportRow) -> Result<ImportRow, Error> {
    let sql = "SELECT * FROM imports WHERE id = $1";
    one(&**tx, sql, [row.id.clone().into()]).await?.ok_or_else(|| Error::not_found("import"))
}
