//! Finding and loading `libonnxruntime.so`, once a process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use ort::environment::Environment;

use crate::{Error, Result};

/// Where the parts of a checkout or an installation keep the library.
const IN_PARTS: &str = "onnxruntime/libonnxruntime.so";

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// The library to load: `explicit`, else `ANNEAL_ONNXRUNTIME`, else `$ANNEAL_PARTS/onnxruntime/…`, else
/// `.local/parts/onnxruntime/…` in the working directory or the nearest folder above it.
pub fn find_library(explicit: Option<&Path>) -> Result<PathBuf> {
    let mut looked_at = Vec::new();
    if let Some(named) =
        explicit.map(PathBuf::from).or_else(|| env::var_os("ANNEAL_ONNXRUNTIME").map(PathBuf::from))
    {
        looked_at.push(named);
    } else {
        looked_at.extend(env::var_os("ANNEAL_PARTS").map(|parts| Path::new(&parts).join(IN_PARTS)));
        if let Ok(here) = env::current_dir() {
            looked_at.extend(here.ancestors().map(|folder| folder.join(".local/parts").join(IN_PARTS)));
        }
    }
    match looked_at.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(Error::LibraryMissing { looked_at }),
    }
}

/// Loads ONNX Runtime from `library`. Later calls do nothing: a process has one.
///
/// # Errors
/// [`Error::LibraryMissing`] when the file does not exist, [`Error::LibraryUnusable`] when it is not an ONNX Runtime
/// of a usable version.
pub fn init(library: &Path) -> Result<()> {
    let _loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if ENVIRONMENT.get().is_some() {
        return Ok(());
    }
    // An absolute path: a bare name would make the system's loader search its own folders.
    let Ok(path) = fs::canonicalize(library) else {
        return Err(Error::LibraryMissing { looked_at: vec![library.to_owned()] });
    };
    let unusable = |reason: String| Error::LibraryUnusable { path: path.clone(), reason };
    let builder = ort::init_from(&path).map_err(|error| unusable(error.to_string()))?;
    let environment = builder
        .with_name("anneal")
        .with_telemetry(false)
        .build()
        .map_err(|error| unusable(error.message().to_owned()))?;
    environment.set_log_level(ort::logging::LogLevel::Error);
    ENVIRONMENT.get_or_init(|| environment);
    Ok(())
}

pub(crate) fn environment() -> Result<&'static Environment> {
    ENVIRONMENT.get().ok_or(Error::NotInitialised)
}

/// The build of the loaded library, for reports; `None` before [`init`].
pub fn version() -> Option<&'static str> {
    ENVIRONMENT.get().map(|_| ort::info())
}
