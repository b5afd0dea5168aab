//! The data folder: who may use it, and where everything in it is.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;

use super::{StackError, UpOptions, child::Pids, ports::Ports, secrets::Secrets};

/// The data folder, locked for this process.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: PathBuf,
    _lock: Arc<File>,
}

impl Files {
    /// Makes the folder and locks it.
    pub(crate) fn open(root: &Path) -> Result<Self, StackError> {
        for folder in [root.to_owned(), root.join("etc"), root.join("logs"), root.join("work")] {
            fs::create_dir_all(&folder).map_err(StackError::io(folder.display()))?;
        }
        let root = root.canonicalize().map_err(StackError::io(root.display()))?;
        let lock = File::create(root.join("lock")).map_err(StackError::io("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: Arc::new(lock) }),
            Err(TryLockError::WouldBlock) => Err(StackError::Busy(root)),
            Err(TryLockError::Error(source)) => Err(StackError::io("lock")(source)),
        }
    }

    /// Logs of every child.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of one child.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join(format!("logs/{name}.log"))
    }

    /// The configuration file of one child.
    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.root.join(format!("etc/{name}"))
    }

    /// A folder of one child, made when absent.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, StackError> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).map_err(StackError::io(folder.display()))?;
        Ok(folder)
    }

    /// A SQLite database.
    pub(crate) fn database(&self, name: &str) -> String {
        format!("sqlite://{}/{name}.db?mode=rwc", self.root.display())
    }

    /// The first admin's API key.
    pub(crate) fn admin_key(&self) -> PathBuf {
        self.root.join("admin.key")
    }

    /// Where secrets are kept.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets.json")
    }

    /// Writes a file that only its owner may read, all of it or nothing.
    pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), StackError> {
        let whole = path.with_extension("new");
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&whole)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&whole, path)
        };
        write().map_err(StackError::io(path.display()))
    }

    /// Says where the stack is, to whoever started it.
    pub(crate) fn write_ready(
        &self,
        options: &UpOptions,
        ports: &Ports,
        secrets: &Secrets,
        pids: &Pids,
    ) -> Result<(), StackError> {
        let Some(path) = &options.ready_file else { return Ok(()) };
        let ready = json!({
            "url": ports.url(),
            "key": secrets.admin_key,
            "pids": pids,
            "data": self.root,
            "nats": ports.nats,
            "objects": ports.objects,
            "inference": ports.inference,
        });
        Self::write_private(path, &ready.to_string())
    }
}
