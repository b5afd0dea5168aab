//! A model as it is stored.

use anneal_artifacts::{Key, ManifestFile, Prefix};
use anneal_contracts::rpc::InputFolder;
use anneal_domain::{
    Name,
    id::{ModelId, TaskId, WorkspaceId},
    spec::ModelSource,
};
use anneal_store::{Sql, Tx};
use sea_orm::{FromQueryResult, Value};

use crate::{
    Error, builtins, discarded,
    store::{all, for_update, one},
    tasks,
};

/// One row of `models`.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct ModelRow {
    pub(crate) id: String,
    pub(crate) workspace: String,
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) format: String,
    pub(crate) state: String,
    pub(crate) architecture: Option<String>,
    pub(crate) parameters: Option<i64>,
    /// The longest sequence it takes; unknown of models that were imported before it was noted.
    pub(crate) context_tokens: Option<i64>,
    pub(crate) size_bytes: i64,
    pub(crate) task: Option<String>,
    pub(crate) base_model: Option<String>,
    pub(crate) prefix: String,
    pub(crate) manifest_sha256: Option<String>,
    pub(crate) figures: String,
    pub(crate) created_at_ms: i64,
}

impl ModelRow {
    /// A new model whose files are still to come.
    pub(crate) fn uploading(workspace: WorkspaceId, name: &Name, source: &str, now_ms: i64) -> Self {
        let model = ModelId::new();
        Self {
            id: model.to_string(),
            workspace: workspace.to_string(),
            name: name.to_string(),
            source: source.to_owned(),
            format: "unknown".to_owned(),
            state: "uploading".to_owned(),
            architecture: None,
            parameters: None,
            context_tokens: None,
            size_bytes: 0,
            task: None,
            base_model: None,
            prefix: Prefix::model(workspace, model).as_str().to_owned(),
            manifest_sha256: None,
            figures: "{}".to_owned(),
            created_at_ms: now_ms,
        }
    }

    /// Its folder, for whoever fetches it.
    pub(crate) fn folder(&self, role: &str) -> Result<InputFolder, Error> {
        let manifest_sha256 =
            self.manifest_sha256.clone().ok_or_else(|| Error::conflict("the model is not complete"))?;
        Ok(InputFolder { role: role.to_owned(), prefix: self.prefix.clone(), manifest_sha256 })
    }

    /// Where it comes from, as specifications say it.
    pub(crate) fn named_source(&self) -> ModelSource {
        match self.source.as_str() {
            "builtin" | "imported" => ModelSource::Builtin,
            _ => ModelSource::Trained,
        }
    }

    /// Everything that was uploaded for it.
    pub(crate) fn root(&self) -> Result<Prefix, Error> {
        let workspace = self.workspace.parse().map_err(|_| Error::stored("workspace id"))?;
        let model = self.id.parse().map_err(|_| Error::stored("model id"))?;
        Ok(Prefix::model(workspace, model))
    }

    /// Where its manifest is.
    pub(crate) fn prefix(&self) -> Result<Prefix, Error> {
        Prefix::parse(&self.prefix).map_err(|_| Error::stored("prefix"))
    }
}

/// The model of this workspace.
pub(crate) async fn find(db: &impl Sql, workspace: WorkspaceId, id: ModelId) -> Result<ModelRow, Error> {
    let sql = "SELECT * FROM models WHERE id = $1 AND workspace = $2";
    let row = one(db, sql, [id.to_string().into(), workspace.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("model"))
}

/// A model that this workspace may use: its own, or one of the platform's.
pub(crate) async fn readable(db: &impl Sql, workspace: WorkspaceId, id: ModelId) -> Result<ModelRow, Error> {
    let sql = format!("SELECT * FROM models WHERE id = $3 AND {READABLE}");
    let row = one(db, &sql, [workspace.to_string().into(), builtins::home(), id.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("model"))
}

/// Which rows a workspace ($1) may read; $2 is where the platform's own are.
const READABLE: &str = "(workspace = $1 OR (workspace = $2 AND source = 'builtin' AND state = 'ready'))";

/// The model of this workspace, locked to the end of the transaction.
pub(crate) async fn locked(tx: &Tx, workspace: WorkspaceId, id: ModelId) -> Result<ModelRow, Error> {
    let sql = format!("SELECT * FROM models WHERE id = $1 AND workspace = $2{}", for_update(tx));
    let row = one(&**tx, &sql, [id.to_string().into(), workspace.to_string().into()]).await?;
    row.ok_or_else(|| Error::not_found("model"))
}

/// Which models are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter {
    /// Where they come from.
    pub(crate) source: Option<&'static str>,
    /// The task that made them.
    pub(crate) task: Option<TaskId>,
    /// Only models older than this one.
    pub(crate) before: Option<ModelId>,
}

/// Models that this workspace may use, newest first, one more than `limit` where there are more.
pub(crate) async fn list(
    db: &impl Sql,
    workspace: WorkspaceId,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<ModelRow>, Error> {
    let mut sql = format!("SELECT * FROM models WHERE {READABLE}");
    let mut values: Vec<Value> = vec![workspace.to_string().into(), builtins::home()];
    let Filter { source, task, before } = filter;
    for (condition, value) in [
        ("source =", source.map(str::to_owned)),
        ("task =", task.map(|task| task.to_string())),
        ("id <", before.map(|before| before.to_string())),
    ] {
        if let Some(value) = value {
            values.push(value.into());
            sql = format!("{sql} AND {condition} ${}", values.len());
        }
    }
    all(db, &format!("{sql} ORDER BY id DESC LIMIT {}", u64::from(limit) + 1), values).await
}

/// Writes a new model.
pub(crate) async fn insert(tx: &Tx, row: &ModelRow) -> Result<(), Error> {
    tx.run(
        "INSERT INTO models (id, workspace, name, source, format, state, architecture, parameters, size_bytes, task,
           base_model, prefix, manifest_sha256, figures, created_at_ms, context_tokens)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        [
            row.id.clone().into(),
            row.workspace.clone().into(),
            row.name.clone().into(),
            row.source.clone().into(),
            row.format.clone().into(),
            row.state.clone().into(),
            row.architecture.clone().into(),
            row.parameters.into(),
            row.size_bytes.into(),
            row.task.clone().into(),
            row.base_model.clone().into(),
            row.prefix.clone().into(),
            row.manifest_sha256.clone().into(),
            row.figures.clone().into(),
            row.created_at_ms.into(),
            row.context_tokens.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Notes an uploaded file of a model that is not complete yet. Each upload is an object of its own, so the one that is
/// noted last is the model's, whole, whichever bytes came last; the object before it is discarded.
pub(crate) async fn note_file(
    tx: &Tx,
    workspace: WorkspaceId,
    model: ModelId,
    file: &ManifestFile,
) -> Result<(), Error> {
    let row = locked(tx, workspace, model).await?;
    if row.state != "uploading" {
        return Err(Error::conflict("the model is complete: its files never change"));
    }
    let before = files(&**tx, &row).await?.into_iter().find(|before| before.path == file.path);
    tx.run(
        "INSERT INTO model_files (model, path, size_bytes, sha256, object) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (model, path) DO UPDATE SET size_bytes = excluded.size_bytes, sha256 = excluded.sha256,
           object = excluded.object",
        [
            row.id.into(),
            file.path.clone().into(),
            i64::try_from(file.size_bytes).unwrap_or(i64::MAX).into(),
            file.sha256.clone().into(),
            file.object.as_ref().map(Key::to_string).into(),
        ],
    )
    .await?;
    let folder = before.and_then(|before| {
        let object = before.object?.to_string();
        object.strip_suffix(&format!("/{}", before.path)).map(str::to_owned)
    });
    match folder {
        Some(folder) => {
            let folder = Prefix::parse(&folder).map_err(|_| Error::stored("prefix"))?;
            discarded::discard(tx, &folder).await
        }
        None => Ok(()),
    }
}

/// The uploaded files of a model, in the order of their paths.
pub(crate) async fn files(db: &impl Sql, model: &ModelRow) -> Result<Vec<ManifestFile>, Error> {
    #[derive(FromQueryResult)]
    struct File {
        path: String,
        size_bytes: i64,
        sha256: String,
        object: Option<String>,
    }
    let sql = "SELECT path, size_bytes, sha256, object FROM model_files WHERE model = $1 ORDER BY path";
    let rows: Vec<File> = all(db, sql, [model.id.clone().into()]).await?;
    let root = model.root()?;
    let file = |row: File| {
        let object = match row.object {
            Some(text) => Key::try_from(text),
            None => root.file(&row.path),
        };
        Ok(ManifestFile {
            object: Some(object.map_err(|_| Error::stored("object key"))?),
            path: row.path,
            size_bytes: row.size_bytes.unsigned_abs(),
            sha256: row.sha256,
        })
    };
    rows.into_iter().map(file).collect()
}

/// Removes a model that nothing stands on: no live deployment, no unfinished task, no adapter over it.
pub(crate) async fn delete(tx: &Tx, workspace: WorkspaceId, id: ModelId) -> Result<(), Error> {
    let row = locked(tx, workspace, id).await?;
    builtins::unused_elsewhere(tx, workspace, &row.id).await?;
    for (sql, why) in [
        ("SELECT id FROM deployments WHERE model = $1 AND state <> 'stopped' LIMIT 1", "is deployed as"),
        ("SELECT id FROM models WHERE base_model = $1 AND format = 'adapter' LIMIT 1", "is the base of"),
    ] {
        if let Some(used) = tx.row(sql, [row.id.clone().into()]).await? {
            let by: String = used.try_get("", "id")?;
            return Err(Error::conflict(format!("the model {why} {by}: remove that first")));
        }
    }
    if let Some(by) = tasks::user_of(tx, workspace, &row.id).await? {
        return Err(Error::conflict(format!("the model is used by {by}: end that first")));
    }
    tx.run("DELETE FROM model_files WHERE model = $1", [row.id.clone().into()]).await?;
    tx.run("DELETE FROM models WHERE id = $1", [row.id.clone().into()]).await?;
    // A trained model's files are its task's artifacts: they stay as long as those do.
    discarded::discard(tx, &row.prefix()?).await?;
    discarded::discard(tx, &row.root()?).await
}

/// A checked import becomes usable, on condition that its files are still those that were checked; one that another request
/// completed stays as it is.
pub(crate) async fn make_ready(
    tx: &Tx,
    workspace: WorkspaceId,
    id: ModelId,
    done: super::complete::Completed,
) -> Result<ModelRow, Error> {
    let row = locked(tx, workspace, id).await?;
    if row.state != "uploading" {
        discarded::discard(tx, &done.prefix).await?;
        return Ok(row);
    }
    if files(&**tx, &row).await? != done.files {
        return Err(Error::conflict("a file was uploaded meanwhile: complete the model again"));
    }
    tx.run(
        "UPDATE models SET state = 'ready', format = $1, architecture = $2, parameters = $3, size_bytes = $4,
           manifest_sha256 = $5, prefix = $6, context_tokens = $8 WHERE id = $7",
        [
            done.format.into(),
            done.facts.architecture.into(),
            done.facts.parameters.map(|count| i64::try_from(count).unwrap_or(i64::MAX)).into(),
            i64::try_from(done.size_bytes).unwrap_or(i64::MAX).into(),
            done.manifest_sha256.into(),
            done.prefix.as_str().into(),
            row.id.clone().into(),
            done.facts.context_tokens.map(|count| i64::try_from(count).unwrap_or(i64::MAX)).into(),
        ],
    )
    .await?;
    // What uploads that broke off or were replaced left behind.
    discarded::discard(tx, &row.root()?).await?;
    find(&**tx, workspace, id).await
}
