//! Checkpoints on their way to the object store and, by one commit each, into existence.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anneal_artifacts::{ObjectStore, Prefix};
use anneal_contracts::rpc::{CommitCheckpoint, ResumePoint};
use anneal_domain::id::{CheckpointId, RequestId, TaskId};
use anneal_runtime::{fail, tasks};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{WorkerError, api::Api};

/// A complete checkpoint folder of the engine.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) step: u64,
    pub(crate) folder: PathBuf,
    pub(crate) best: bool,
    /// The epoch's running time when it was taken.
    pub(crate) running_ms: i64,
}

/// Whose checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct Saving {
    pub(crate) api: Api,
    pub(crate) store: Arc<ObjectStore>,
    pub(crate) prefix: Prefix,
    pub(crate) task: TaskId,
    pub(crate) epoch: u64,
}

/// What is known of an epoch's checkpoints at its end.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// A local copy of the newest one.
    pub(crate) newest: Option<PathBuf>,
}

/// The sending side and the task behind it.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    written: mpsc::UnboundedSender<Written>,
    task: AbortOnDropHandle<Option<Result<(), WorkerError>>>,
    copies: PathBuf,
    newest: Option<PathBuf>,
}

impl Checkpoints {
    /// `copies` is a folder on the same file system as the engine's output.
    pub(crate) fn start(saving: Saving, copies: PathBuf) -> Self {
        let (written, waiting) = mpsc::unbounded_channel();
        let task = AbortOnDropHandle::new(tasks::spawn("worker.checkpoints", run(saving, waiting)));
        Self { written, task, copies, newest: None }
    }

    /// Takes a copy (by hard links: the engine may remove its own) and lets it be stored while the engine goes on.
    pub(crate) fn take(&mut self, mut written: Written) -> Result<(), WorkerError> {
        let copy = self.copies.join(format!("{}", CheckpointId::new()));
        link_folder(&written.folder, &copy).map_err(WorkerError::local(&written.folder))?;
        self.newest = Some(copy.clone());
        // When the task behind has ended, its error is met in `finish`.
        written.folder = copy;
        drop(self.written.send(written));
        Ok(())
    }

    /// Waits until everything taken is committed.
    pub(crate) async fn finish(self) -> Result<Saved, WorkerError> {
        drop(self.written);
        match self.task.await {
            Ok(Some(result)) => result.map(|()| Saved { newest: self.newest }),
            _ => Ok(Saved { newest: self.newest }),
        }
    }
}

async fn run(saving: Saving, mut waiting: mpsc::UnboundedReceiver<Written>) -> Result<(), WorkerError> {
    let mut before: Option<PathBuf> = None;
    while let Some(mut next) = waiting.recv().await {
        // When several wait, only the newest is worth storing, and one that is the best so far.
        while let Ok(newer) = waiting.try_recv() {
            let passed = std::mem::replace(&mut next, newer);
            if passed.best && !next.best {
                store(&saving, &passed).await?;
            } else {
                tracing::info!(step = passed.step, "a checkpoint was overtaken by a newer one");
            }
            remove(&passed.folder);
        }
        store(&saving, &next).await?;
        if let Some(older) = before.replace(next.folder) {
            remove(&older);
        }
    }
    Ok(())
}

/// The newest copy stays, for a task that is stopped; the others only fill the disk.
fn remove(copy: &Path) {
    if let Err(error) = fs::remove_dir_all(copy) {
        tracing::warn!(%error, copy = %copy.display(), "a checkpoint's copy cannot be removed");
    }
}

/// A checkpoint that cannot be stored is a loss of safety, not of the task; a lost lease ends everything.
async fn store(saving: &Saving, written: &Written) -> Result<(), WorkerError> {
    match store_and_commit(saving, written).await {
        Ok(()) => Ok(()),
        Err(WorkerError::LeaseLost) => Err(WorkerError::LeaseLost),
        Err(error) => {
            tracing::error!(%error, step = written.step, "a checkpoint could not be stored");
            Ok(())
        }
    }
}

async fn store_and_commit(saving: &Saving, written: &Written) -> Result<(), WorkerError> {
    let checkpoint = CheckpointId::new();
    let prefix = saving.prefix.checkpoint(checkpoint, RequestId::new());
    fail::point("worker.before_upload");
    let folder = saving.store.put_folder(&prefix, &written.folder).await?;
    fail::point("worker.before_commit");
    let commit = CommitCheckpoint {
        task: saving.task,
        worker: saving.api.worker,
        epoch: saving.epoch,
        checkpoint,
        step: written.step,
        prefix: prefix.to_string(),
        manifest_sha256: folder.manifest_sha256,
        size_bytes: folder.size_bytes,
        running_ms: written.running_ms,
        best: written.best,
    };
    saving.api.commit_checkpoint(&commit).await?;
    fail::point("worker.after_commit");
    tracing::info!(step = written.step, %checkpoint, "checkpoint committed");
    Ok(())
}

/// Fetches a committed checkpoint.
pub(crate) async fn fetch(
    store: &ObjectStore,
    point: &ResumePoint,
    folder: &Path,
) -> Result<(), WorkerError> {
    let prefix = Prefix::parse(&point.prefix).map_err(anneal_artifacts::ArtifactError::from)?;
    store.get_folder(&prefix, Some(&point.manifest_sha256), folder).await?;
    Ok(())
}

fn link_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_folder(&entry.path(), &target)?;
        } else {
            fs::hard_link(entry.path(), target)?;
        }
    }
    Ok(())
}
