//! Checkpoints on their way to the object store and, by one commit each, into existence.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anneal_artifacts::{ObjectStore, Prefix};
use anneal_contracts::rpc::{CommitCheckpoint, ResumePoint};
use anneal_domain::id::{CheckpointId, RequestId, TaskId};
use anneal_runtime::{fail, tasks};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{WorkerError, api::Api};

/// A checkpoint that cannot be stored is tried again for this long, unless a newer one waits and it is not wanted itself.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A complete checkpoint folder of the engine.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) step: u64,
    pub(crate) folder: PathBuf,
    pub(crate) best: bool,
    /// It is stored even where newer ones wait.
    pub(crate) wanted: bool,
    /// The epoch's running time when it was taken.
    pub(crate) running_ms: i64,
    /// Ends once the telemetry said before it has left: what the checkpoint keeps is never said again.
    pub(crate) told: Option<oneshot::Receiver<()>>,
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
    /// Whether there was one and the newest is committed: what came before it is not done again.
    pub(crate) newest_is_kept: bool,
}

/// The sending side and the task behind it.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    written: mpsc::UnboundedSender<Written>,
    task: AbortOnDropHandle<Option<Result<Stored, WorkerError>>>,
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

    /// Takes a copy (by hard links: the engine may remove its own) and lets it be stored while the engine goes on. One that
    /// the engine has removed by now was overtaken by newer ones.
    pub(crate) fn take(&mut self, mut written: Written) -> Result<(), WorkerError> {
        let copy = self.copies.join(format!("{}", CheckpointId::new()));
        match link_folder(&written.folder, &copy) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::warn!(
                    step = written.step,
                    "the engine has removed a checkpoint before it was taken"
                );
                remove(&copy);
                return Ok(());
            }
            Err(error) => return Err(WorkerError::local(&written.folder)(error)),
        }
        self.newest = Some(copy.clone());
        // When the task behind has ended, its error is met in `finish`.
        written.folder = copy;
        drop(self.written.send(written));
        Ok(())
    }

    /// Waits until everything taken is committed, or given up.
    pub(crate) async fn finish(self) -> Result<Saved, WorkerError> {
        drop(self.written);
        let stored = match self.task.await {
            Ok(Some(result)) => result?,
            // It panicked, which is logged.
            _ => Stored::No,
        };
        Ok(Saved { newest: self.newest, newest_is_kept: stored == Stored::Yes })
    }
}

/// Whether a checkpoint became real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Yes,
    No,
}

/// Whether the last one became real.
async fn run(saving: Saving, mut waiting: mpsc::UnboundedReceiver<Written>) -> Result<Stored, WorkerError> {
    let mut before: Option<PathBuf> = None;
    let mut last = Stored::No;
    while let Some(mut next) = waiting.recv().await {
        // When several wait, only the newest is worth storing, one that is the best so far, and those that are wanted.
        while let Ok(newer) = waiting.try_recv() {
            let mut passed = std::mem::replace(&mut next, newer);
            if passed.wanted || passed.best && !next.best {
                store(&saving, &mut passed, &waiting).await?;
            } else {
                tracing::info!(step = passed.step, "a checkpoint was overtaken by a newer one");
            }
            remove(&passed.folder);
        }
        last = store(&saving, &mut next, &waiting).await?;
        if let Some(older) = before.replace(next.folder) {
            remove(&older);
        }
    }
    Ok(last)
}

/// The newest copy stays, for a task that is stopped; the others only fill the disk.
fn remove(copy: &Path) {
    if let Err(error) = fs::remove_dir_all(copy) {
        tracing::warn!(%error, copy = %copy.display(), "a checkpoint's copy cannot be removed");
    }
}

/// Tries until it is stored, a newer one waits (and it is not wanted itself) or patience ends: one that cannot be stored is a loss
/// of safety, not of the task. A lost lease ends everything.
async fn store(
    saving: &Saving,
    written: &mut Written,
    waiting: &mpsc::UnboundedReceiver<Written>,
) -> Result<Stored, WorkerError> {
    let step = written.step;
    let mut pause = FIRST_PAUSE;
    let mut until: Option<Instant> = None;
    loop {
        let error = match store_and_commit(saving, written).await {
            Ok(()) => return Ok(Stored::Yes),
            Err(WorkerError::LeaseLost) => return Err(WorkerError::LeaseLost),
            Err(error) => error,
        };
        let now = Instant::now();
        let patient = now < *until.get_or_insert(now + PATIENCE);
        if !(patient && error.is_retryable() && (waiting.is_empty() || written.wanted)) {
            tracing::error!(%error, step, "a checkpoint could not be stored");
            return Ok(Stored::No);
        }
        tracing::warn!(%error, step, "a checkpoint could not be stored; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn store_and_commit(saving: &Saving, written: &mut Written) -> Result<(), WorkerError> {
    let checkpoint = CheckpointId::new();
    let prefix = saving.prefix.checkpoint(checkpoint, RequestId::new());
    fail::point("worker.before_upload");
    let folder = saving.store.put_folder(&prefix, &written.folder).await?;
    if let Some(told) = written.told.take() {
        // An error says that it was dropped: there is nothing to wait for.
        told.await.ok();
    }
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
