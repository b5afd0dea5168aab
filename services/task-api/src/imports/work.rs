//! The work of an import: the repository's commit is looked up once, its files come one by one, and what they make is checked
//! as an upload is.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anneal_artifacts::{ManifestFile, Prefix};
use anneal_domain::id::{ModelId, RequestId, WorkspaceId};
use anneal_hub::{
    Chosen, DatasetChoice, Hub, HubError, RepoKind, Revision, Snapshot, dataset_files, model_files,
};
use anneal_runtime::fail;

use super::{HubImport, ImportKind, ImportRow, row};
use crate::{
    App, Error,
    datasets::{self, Plan, Wanted},
    models::{self, ModelRow},
};

/// How often the holder says that it is still there.
const STILL_THERE: Duration = Duration::from_secs(1);

/// Carries an import out and notes its end; an import that is lost to another holder is left to it.
pub(crate) async fn carry_out(app: &App, import: ImportRow) -> Result<(), Error> {
    let counted = Arc::new(Counted::default());
    let outcome = tokio::select! {
        outcome = work(app, &import, &counted) => outcome,
        lost = still_there(app, &import, &counted) => Err(lost),
    };
    let (error, again) = match outcome {
        Ok(()) => return Ok(()),
        Err(Error::Fenced) => {
            tracing::warn!(import = import.id, "another process has taken it over");
            return Ok(());
        }
        Err(error) => {
            let again = error.is_retryable() && import.attempts + 1 < row::MOST_ATTEMPTS;
            (error, again)
        }
    };
    tracing::warn!(%error, import = import.id, again, "an import failed");
    let why = told(&error);
    app.transaction(move |tx| async move {
        if again {
            return row::wait(&tx, &import, &why).await;
        }
        // Half a model is of no use.
        let now = row::current(&tx, &import).await?;
        row::fail(&tx, &import, &why).await?;
        let model = now.resource.and_then(|id| id.parse::<ModelId>().ok());
        match model.filter(|_| import.request().is_ok_and(|request| request.kind == ImportKind::Model)) {
            Some(model) => match models::delete(&tx, import.workspace()?, model).await {
                Err(Error::NotFound(_)) => Ok(()),
                deleted => deleted,
            },
            None => Ok(()),
        }
    })
    .await
}

/// Bytes that came, and bytes that are to come.
#[derive(Debug, Default)]
struct Counted {
    done: AtomicU64,
    total: AtomicU64,
}

/// Ends only when the import is lost.
async fn still_there(app: &App, import: &ImportRow, counted: &Counted) -> Error {
    loop {
        tokio::time::sleep(STILL_THERE).await;
        let (done, total) = (counted.done.load(Ordering::Relaxed), counted.total.load(Ordering::Relaxed));
        let held = import.clone();
        let said =
            app.transaction(move |tx| async move { row::progress(&tx, &held, done, total).await }).await;
        match said {
            Err(Error::Fenced) => return Error::Fenced,
            Err(error) => tracing::warn!(%error, import = import.id, "its progress could not be noted"),
            Ok(()) => {}
        }
    }
}

async fn work(app: &App, import: &ImportRow, counted: &Counted) -> Result<(), Error> {
    let request = import.request()?;
    let hub = Hub::new(&app.config.hub)?;
    // What began of one commit goes on of the same.
    let revision: Revision = match &import.commit_id {
        Some(commit) => commit.parse()?,
        None => request.revision()?,
    };
    let kind = match request.kind {
        ImportKind::Model => RepoKind::Model,
        ImportKind::Dataset => RepoKind::Dataset,
    };
    let snapshot = hub.snapshot(kind, &request.repo()?, &revision).await?;
    let chosen = match request.kind {
        ImportKind::Model => model_files(&snapshot, &request.files)?,
        ImportKind::Dataset => {
            let (config, split) = (request.config.as_deref(), request.split.as_deref());
            dataset_files(&snapshot, DatasetChoice { config, split, files: &request.files })?
        }
    };
    let most = app.config.max_upload_bytes;
    if let Some(large) = chosen.iter().find(|one| one.file.size_bytes > most) {
        let why =
            format!("`{}` is larger than the {most} bytes that one file may have here", large.file.path);
        return Err(Error::field("files", why));
    }
    counted.total.store(chosen.iter().map(|one| one.file.size_bytes).sum(), Ordering::Relaxed);
    let folder = app.work.upload();
    let folder = folder.map_err(|error| Error::Unavailable(format!("no place for the import: {error}")))?;
    let fetch = Fetch { app, hub: &hub, snapshot: &snapshot, folder: folder.path(), counted };
    match request.kind {
        ImportKind::Model => fetch.model(import, &request, &chosen).await,
        ImportKind::Dataset => fetch.dataset(import, &request, &chosen).await,
    }
}

struct Fetch<'a> {
    app: &'a App,
    hub: &'a Hub,
    snapshot: &'a Snapshot,
    folder: &'a Path,
    counted: &'a Counted,
}

impl Fetch<'_> {
    async fn download(&self, one: &Chosen, to: &Path) -> Result<(), Error> {
        let count = |bytes| {
            self.counted.done.fetch_add(bytes, Ordering::Relaxed);
        };
        Ok(self.hub.download(self.snapshot, &one.file, to, count).await?)
    }

    /// Each file is stored and noted before the next one comes: whoever goes on finds what is there.
    async fn model(&self, import: &ImportRow, request: &HubImport, chosen: &[Chosen]) -> Result<(), Error> {
        let workspace = import.workspace()?;
        let model = self.model_row(import, request).await?;
        let known = models::files(self.app.store.read(), &model).await?;
        for one in chosen {
            if known.iter().any(|file| file.path == one.name && file.size_bytes == one.file.size_bytes) {
                self.counted.done.fetch_add(one.file.size_bytes, Ordering::Relaxed);
                continue;
            }
            let local = self.folder.join(&one.name);
            self.download(one, &local).await?;
            self.note(workspace, &model, one, &local).await?;
            tokio::fs::remove_file(&local).await.map_err(disk)?;
            fail::point("importer.after_file");
        }
        let files = models::files(self.app.store.read(), &model).await?;
        let done = models::complete(&self.app.objects, &model.root()?, files).await?;
        let total = self.counted.total.load(Ordering::Relaxed);
        let (id, held): (ModelId, _) =
            (model.id.parse().map_err(|_| Error::stored("model id"))?, import.clone());
        self.app
            .transaction(move |tx| async move {
                let row = models::make_ready(&tx, workspace, id, done).await?;
                row::finish(&tx, &held, &row.id, total).await
            })
            .await
    }

    /// The model that the files become: that of an earlier attempt, or a new one.
    async fn model_row(&self, import: &ImportRow, request: &HubImport) -> Result<ModelRow, Error> {
        let workspace = import.workspace()?;
        if let Some(model) = import.resource.as_deref().and_then(|id| id.parse().ok()) {
            return models::find(self.app.store.read(), workspace, model).await;
        }
        let name = request.name().map_err(|error| Error::field("name", error.to_string()))?;
        let source = if request.builtin { "builtin" } else { "imported" };
        let (held, commit) = (import.clone(), self.snapshot.commit.to_string());
        self.app
            .transaction(move |tx| async move {
                let row = ModelRow::uploading(workspace, &name, source, tx.now_ms().await?);
                models::insert(&tx, &row).await?;
                row::begin(&tx, &held, &commit, Some(&row.id)).await?;
                Ok(row)
            })
            .await
    }

    async fn note(
        &self,
        workspace: WorkspaceId,
        model: &ModelRow,
        one: &Chosen,
        local: &Path,
    ) -> Result<(), Error> {
        // An object never changes: each attempt at a file has a folder of its own, and counts once it is noted.
        let folder: Prefix = model.root()?.join(&format!("file/{}", RequestId::new()))?;
        let key = folder.file(&one.name)?;
        let stored = self.app.objects.put_file(&key, local).await?;
        let (path, size_bytes) = (one.name.clone(), stored.size_bytes);
        let entry = ManifestFile { path, size_bytes, sha256: stored.sha256, object: Some(key) };
        let id = model.id.parse().map_err(|_| Error::stored("model id"))?;
        self.app
            .transaction(move |tx| async move { models::note_file(&tx, workspace, id, &entry).await })
            .await
    }

    async fn dataset(&self, import: &ImportRow, request: &HubImport, chosen: &[Chosen]) -> Result<(), Error> {
        let (held, commit) = (import.clone(), self.snapshot.commit.to_string());
        self.app.transaction(move |tx| async move { row::begin(&tx, &held, &commit, None).await }).await?;
        let files = self.folder.join("files");
        tokio::fs::create_dir_all(&files).await.map_err(disk)?;
        for one in chosen {
            self.download(one, &files.join(&one.name)).await?;
        }
        let wrong = |field: &'static str| move |why: String| Error::field(field, why);
        let wanted = Wanted {
            kind: request.kind_of_rows().map_err(wrong("dataset_kind"))?,
            format: request.format_of_rows().map_err(wrong("format"))?,
            skip_invalid: request.skip_invalid,
        };
        let names: Vec<String> = chosen.iter().map(|one| one.name.clone()).collect();
        let read = tokio::task::spawn_blocking(move || datasets::check(&files, &names, wanted)).await;
        let checked = read.map_err(|_| Error::field("files", "a file made its reader give up"))??;
        let name = request.name().map_err(|error| Error::field("name", error.to_string()))?;
        let plan = Plan {
            known: None,
            name: Some(name),
            wanted,
            builtin: request.builtin,
            split: None,
            file_name: String::new(),
        };
        let new = datasets::keep(&self.app.objects, import.workspace()?, plan, checked).await?;
        let (held, total) = (import.clone(), self.counted.total.load(Ordering::Relaxed));
        self.app
            .transaction(move |tx| async move {
                let row = datasets::add_version(&tx, new).await?;
                row::finish(&tx, &held, &row.id, total).await
            })
            .await
    }
}

/// For whoever asked: every wrong field, and the first wrong rows.
fn told(error: &Error) -> String {
    match error {
        Error::Invalid(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|wrong| format!("{}: {}", wrong.field, wrong.message)).collect();
            fields.join("; ")
        }
        Error::InvalidRows { errors, .. } => {
            let first = errors.first().map(|row| {
                let file = row.file.as_ref().map(|file| format!("`{file}`, ")).unwrap_or_default();
                format!("; {file}line {}: {}", row.line, row.reason)
            });
            format!("{error}{}", first.unwrap_or_default())
        }
        other => other.to_string(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn disk(error: std::io::Error) -> Error {
    Error::Unavailable(format!("the import could not be kept: {error}"))
}

impl From<HubError> for Error {
    fn from(error: HubError) -> Self {
        if error.is_retryable() {
            Self::Unavailable(error.to_string())
        } else {
            Self::field("hub", error.to_string())
        }
    }
}
