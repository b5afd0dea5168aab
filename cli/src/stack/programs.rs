//! The programs of the stack: ours beside this one, and nats-server among the parts.

use std::path::{Path, PathBuf};

use super::StackError;

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// This program, which starts every other one.
    pub(crate) ourselves: PathBuf,
    parts: PathBuf,
}

impl Programs {
    /// Finds these, or names the first that is missing.
    pub(crate) fn find(parts: &Path, names: impl Iterator<Item = &'static str>) -> Result<Self, StackError> {
        let ourselves = std::env::current_exe()?;
        let parts = parts.canonicalize().map_err(|_| StackError::Missing(parts.to_owned()))?;
        let programs = Self { ourselves, parts };
        for name in names {
            let path = programs.path(name);
            if !path.is_file() {
                return Err(StackError::Missing(path));
            }
        }
        Ok(programs)
    }

    /// The path of one.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name == "nats-server" { self.parts.join(name) } else { self.ourselves.with_file_name(name) }
    }
}
