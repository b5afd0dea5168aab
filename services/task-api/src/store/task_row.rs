//! A task as it is stored. Only the functions here write the `tasks` table.

use anneal_contracts::Trace;
use anneal_domain::{
    id::{TaskId, WorkerId, WorkspaceId},
    spec::TaskSpec,
    task::TaskState,
};
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;
use serde::{Serialize, de::DeserializeOwned};

use super::{all, for_update, one};
use crate::Error;

/// One row of `tasks`.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct TaskRow {
    pub(crate) id: String,
    pub(crate) workspace: String,
    pub(crate) kind: String,
    pub(crate) pool: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) state: String,
    pub(crate) spec: String,
    pub(crate) inputs: String,
    pub(crate) facts: String,
    pub(crate) epoch: i64,
    pub(crate) event_seq: i64,
    pub(crate) worker: Option<String>,
    pub(crate) claim_request: Option<String>,
    pub(crate) claimed_at_ms: i64,
    pub(crate) lease_until_ms: i64,
    pub(crate) running_ms: i64,
    pub(crate) usage_seq: i64,
    /// The last epoch whose end was taken note of: a repeated end changes nothing.
    pub(crate) ended_epoch: i64,
    pub(crate) failed_attempts: i64,
    pub(crate) rate_per_hour: i64,
    pub(crate) hold: Option<String>,
    pub(crate) held: i64,
    pub(crate) stage: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) figures: String,
    pub(crate) model: Option<String>,
    pub(crate) traceparent: String,
    pub(crate) created_by: String,
    pub(crate) created_at_ms: i64,
    pub(crate) updated_at_ms: i64,
    pub(crate) dispatched_at_ms: i64,
    pub(crate) started_at_ms: Option<i64>,
    pub(crate) finished_at_ms: Option<i64>,
}

impl TaskRow {
    /// The task, locked to the end of the transaction.
    pub(crate) async fn lock(tx: &Tx, task: TaskId) -> Result<Self, Error> {
        let sql = format!("SELECT * FROM tasks WHERE id = $1{}", for_update(tx));
        one(&**tx, &sql, [task.to_string().into()]).await?.ok_or_else(|| Error::not_found("task"))
    }

    /// The task, locked, on condition that this worker holds its lease under this epoch; anyone else is fenced.
    pub(crate) async fn lock_held(
        tx: &Tx,
        task: TaskId,
        epoch: u64,
        worker: WorkerId,
        now_ms: i64,
    ) -> Result<Self, Error> {
        let row = match Self::lock(tx, task).await {
            Err(Error::NotFound(_)) => return Err(Error::Fenced),
            other => other?,
        };
        if row.is_held_by(epoch, &worker.to_string(), now_ms)? { Ok(row) } else { Err(Error::Fenced) }
    }

    /// The task of this workspace, locked; another workspace's is not found.
    pub(crate) async fn lock_in(tx: &Tx, workspace: WorkspaceId, task: TaskId) -> Result<Self, Error> {
        let row = Self::lock(tx, task).await?;
        if row.workspace == workspace.to_string() { Ok(row) } else { Err(Error::not_found("task")) }
    }

    /// The task of this workspace, to be read only.
    pub(crate) async fn find_in(db: &impl Sql, workspace: WorkspaceId, task: TaskId) -> Result<Self, Error> {
        let sql = "SELECT * FROM tasks WHERE id = $1 AND workspace = $2";
        let row = one(db, sql, [task.to_string().into(), workspace.to_string().into()]).await?;
        row.ok_or_else(|| Error::not_found("task"))
    }

    /// The task, of any workspace, to be read only: for what runs beside the requests.
    pub(crate) async fn find(db: &impl Sql, task: TaskId) -> Result<Self, Error> {
        let sql = "SELECT * FROM tasks WHERE id = $1";
        one(db, sql, [task.to_string().into()]).await?.ok_or_else(|| Error::not_found("task"))
    }

    /// Ids of tasks for which `condition` holds, with one value. One that does not read back is said and left out.
    pub(crate) async fn ids_where(db: &impl Sql, condition: &str, value: i64) -> Result<Vec<TaskId>, Error> {
        #[derive(FromQueryResult)]
        struct Id {
            id: String,
        }
        let sql = format!("SELECT id FROM tasks WHERE {condition} ORDER BY id LIMIT 256");
        let rows: Vec<Id> = all(db, &sql, [value.into()]).await?;
        let read = |row: &Id| {
            let id = row.id.parse();
            id.inspect_err(|error| tracing::error!(%error, id = row.id, "a stored task id is unusable")).ok()
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    pub(crate) fn task(&self) -> Result<TaskId, Error> {
        self.id.parse().map_err(|_| Error::stored("task id"))
    }

    pub(crate) fn workspace(&self) -> Result<WorkspaceId, Error> {
        self.workspace.parse().map_err(|_| Error::stored("workspace id"))
    }

    pub(crate) fn state(&self) -> Result<TaskState, Error> {
        TaskState::parse(&self.state).ok_or_else(|| Error::stored("task state"))
    }

    pub(crate) fn spec(&self) -> Result<TaskSpec, Error> {
        from_json(&self.spec, "task specification")
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.unsigned_abs()
    }

    pub(crate) fn trace(&self) -> Trace {
        Trace::parse(&self.traceparent).unwrap_or_else(Trace::fresh)
    }

    /// Whether this epoch holds the lease now.
    pub(crate) fn is_held_by(&self, epoch: u64, worker: &str, now_ms: i64) -> Result<bool, Error> {
        Ok(self.state()?.is_leased()
            && self.epoch() == epoch
            && self.worker.as_deref() == Some(worker)
            && self.lease_until_ms > now_ms)
    }

    pub(crate) async fn insert(&self, tx: &Tx) -> Result<(), Error> {
        let sql = format!("INSERT INTO tasks ({COLUMNS}) VALUES ({})", super::places(1, 34));
        tx.run(&sql, self.values()).await?;
        Ok(())
    }

    /// Writes everything that may change, on condition that state and epoch are still those that were read, and that a
    /// terminal state stays.
    pub(crate) async fn save(&self, tx: &Tx, read_state: TaskState, read_epoch: i64) -> Result<(), Error> {
        if read_state.is_terminal() && self.state()? != read_state {
            return Err(Error::conflict("the task has ended"));
        }
        let changed = tx
            .run(
                "UPDATE tasks SET state = $1, epoch = $2, event_seq = $3, worker = $4, claim_request = $5,
                   claimed_at_ms = $6, lease_until_ms = $7, running_ms = $8, usage_seq = $9, ended_epoch = $10,
                   failed_attempts = $11, stage = $12, failure = $13, figures = $14, model = $15,
                   updated_at_ms = $16, dispatched_at_ms = $17, started_at_ms = $18, finished_at_ms = $19
                 WHERE id = $20 AND state = $21 AND epoch = $22",
                [
                    self.state.clone().into(),
                    self.epoch.into(),
                    self.event_seq.into(),
                    self.worker.clone().into(),
                    self.claim_request.clone().into(),
                    self.claimed_at_ms.into(),
                    self.lease_until_ms.into(),
                    self.running_ms.into(),
                    self.usage_seq.into(),
                    self.ended_epoch.into(),
                    self.failed_attempts.into(),
                    self.stage.clone().into(),
                    self.failure.clone().into(),
                    self.figures.clone().into(),
                    self.model.clone().into(),
                    self.updated_at_ms.into(),
                    self.dispatched_at_ms.into(),
                    self.started_at_ms.into(),
                    self.finished_at_ms.into(),
                    self.id.clone().into(),
                    read_state.as_str().into(),
                    read_epoch.into(),
                ],
            )
            .await?;
        if changed == 1 { Ok(()) } else { Err(Error::conflict("the task changed meanwhile: try again")) }
    }

    fn values(&self) -> Vec<sea_orm::Value> {
        vec![
            self.id.clone().into(),
            self.workspace.clone().into(),
            self.kind.clone().into(),
            self.pool.clone().into(),
            self.name.clone().into(),
            self.description.clone().into(),
            self.state.clone().into(),
            self.spec.clone().into(),
            self.inputs.clone().into(),
            self.facts.clone().into(),
            self.epoch.into(),
            self.event_seq.into(),
            self.worker.clone().into(),
            self.claim_request.clone().into(),
            self.claimed_at_ms.into(),
            self.lease_until_ms.into(),
            self.running_ms.into(),
            self.usage_seq.into(),
            self.ended_epoch.into(),
            self.failed_attempts.into(),
            self.rate_per_hour.into(),
            self.hold.clone().into(),
            self.held.into(),
            self.stage.clone().into(),
            self.failure.clone().into(),
            self.figures.clone().into(),
            self.model.clone().into(),
            self.traceparent.clone().into(),
            self.created_by.clone().into(),
            self.created_at_ms.into(),
            self.updated_at_ms.into(),
            self.dispatched_at_ms.into(),
            self.started_at_ms.into(),
            self.finished_at_ms.into(),
        ]
    }
}

const COLUMNS: &str = "id, workspace, kind, pool, name, description, state, spec, inputs, facts, epoch, event_seq, \
    worker, claim_request, claimed_at_ms, lease_until_ms, running_ms, usage_seq, ended_epoch, failed_attempts, \
    rate_per_hour, hold, held, stage, failure, figures, model, traceparent, created_by, created_at_ms, \
    updated_at_ms, dispatched_at_ms, started_at_ms, finished_at_ms";

/// Reads stored JSON; what does not read back names `what` it was.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::stored(what))
}

/// Writes JSON to be stored.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::stored("JSON"))
}
