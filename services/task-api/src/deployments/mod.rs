//! Deployments of compiled models: what should be served, and what the inference service says of it.

use anneal_contracts::rpc::{DeploymentTarget, DeploymentsReply, ReportDeployment};
use anneal_domain::{
    Name,
    id::{DeploymentId, ModelId, WorkspaceId},
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use crate::{
    Error, models,
    store::{all, one},
};

/// One row of `deployments`.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct DeploymentRow {
    pub(crate) id: String,
    pub(crate) workspace: String,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) state: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) created_at_ms: i64,
}

/// Deployments of a workspace that are not stopped, newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    before: Option<DeploymentId>,
    limit: u32,
) -> Result<Vec<DeploymentRow>, Error> {
    let mut sql = "SELECT * FROM deployments WHERE workspace = $1 AND state <> 'stopped'".to_owned();
    let mut values: Vec<Value> = vec![workspace.to_string().into()];
    if let Some(before) = before {
        sql.push_str(" AND id < $2");
        values.push(before.to_string().into());
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// Deployments of a workspace that answer, newest first.
pub(crate) async fn ready(db: &impl Sql, workspace: WorkspaceId) -> Result<Vec<DeploymentRow>, Error> {
    let sql = "SELECT * FROM deployments WHERE workspace = $1 AND state = 'ready' ORDER BY id DESC";
    all(db, sql, [workspace.to_string().into()]).await
}

/// The deployment of this workspace.
pub(crate) async fn find(
    db: &impl Sql,
    workspace: WorkspaceId,
    id: DeploymentId,
) -> Result<DeploymentRow, Error> {
    let sql = "SELECT * FROM deployments WHERE id = $1 AND workspace = $2";
    let row = one(db, sql, [id.to_string().into(), workspace.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("deployment"))
}

/// The deployment that requests name.
pub(crate) async fn named(
    db: &impl Sql,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<DeploymentRow>, Error> {
    let sql = "SELECT * FROM deployments WHERE workspace = $1 AND name = $2 AND state <> 'stopped'";
    one(db, sql, [workspace.to_string().into(), name.into()]).await
}

/// Wants a compiled model served under a name that is free.
pub(crate) async fn create(
    tx: &Tx,
    workspace: WorkspaceId,
    name: &Name,
    model: ModelId,
) -> Result<DeploymentRow, Error> {
    let found = match models::locked(tx, workspace, model).await {
        Err(Error::NotFound(_)) => {
            return Err(Error::field("model", format!("there is no model {model} in this workspace")));
        }
        other => other?,
    };
    if found.format != "onnx" || found.state != "ready" {
        return Err(Error::field("model", "only a compiled model can be deployed: compile it first"));
    }
    if named(&**tx, workspace, name.as_ref()).await?.is_some() {
        return Err(Error::conflict(format!("a deployment is named `{name}` already")));
    }
    let row = DeploymentRow {
        id: DeploymentId::new().to_string(),
        workspace: workspace.to_string(),
        name: name.to_string(),
        model: model.to_string(),
        state: "starting".to_owned(),
        endpoint: None,
        failure: None,
        created_at_ms: tx.now_ms().await?,
    };
    tx.run(
        "INSERT INTO deployments (id, workspace, name, model, state, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            row.id.clone().into(),
            row.workspace.clone().into(),
            row.name.clone().into(),
            row.model.clone().into(),
            row.state.clone().into(),
            row.created_at_ms.into(),
        ],
    )
    .await?;
    Ok(row)
}

/// Wants it served no more.
pub(crate) async fn stop(tx: &Tx, workspace: WorkspaceId, id: DeploymentId) -> Result<(), Error> {
    find(&**tx, workspace, id).await?;
    tx.run("UPDATE deployments SET state = 'stopped' WHERE id = $1", [id.to_string().into()]).await?;
    Ok(())
}

/// What the inference service calls it: two workspaces may use one name, and never reach each other's.
pub(crate) fn served_name(workspace: WorkspaceId, name: &str) -> String {
    format!("{workspace}/{name}")
}

/// Everything that should be served, of every workspace: the inference service asks.
pub(crate) async fn wanted(db: &impl Sql) -> Result<DeploymentsReply, Error> {
    let rows: Vec<DeploymentRow> =
        all(db, "SELECT * FROM deployments WHERE state <> 'stopped' ORDER BY id", []).await?;
    let mut deployments = Vec::with_capacity(rows.len());
    for row in rows {
        let workspace = row.workspace.parse().map_err(|_| Error::stored("workspace id"))?;
        let model = row.model.parse().map_err(|_| Error::stored("model id"))?;
        let folder = models::find(db, workspace, model).await?.folder("compiled")?;
        deployments.push(DeploymentTarget {
            deployment: row.id.parse().map_err(|_| Error::stored("deployment id"))?,
            workspace,
            model,
            name: served_name(workspace, &row.name),
            folder,
        });
    }
    Ok(DeploymentsReply { deployments })
}

/// What the inference service says of one; a stopped one stays stopped.
pub(crate) async fn report(tx: &Tx, report: &ReportDeployment) -> Result<(), Error> {
    let state = if report.ready { "ready" } else { "failed" };
    tx.run(
        "UPDATE deployments SET state = $1, endpoint = $2, failure = $3 WHERE id = $4 AND state <> 'stopped'",
        [
            state.into(),
            report.endpoint.clone().into(),
            report.failure.clone().into(),
            report.deployment.to_string().into(),
        ],
    )
    .await?;
    Ok(())
}
