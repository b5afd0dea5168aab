//! The data files of a dataset: a file stands for itself, a folder for the data files in it, in name order.

use std::path::{Path, PathBuf};

use crate::{Error, Format, Result};

/// Files beside the data that are about it.
const ABOUT: [&str; 4] = ["dataset_info.json", "state.json", "dataset_dict.json", "manifest.json"];

/// The data files under `path`, in the order they are read.
///
/// # Errors
/// The path cannot be read, or a folder holds no file with a data extension.
pub fn data_files(path: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.is_file() && is_data_file(&file) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(Error::NoFiles { path: path.to_owned() }) } else { Ok(files) }
}

/// Whether a file of a folder is one of its data files, by its name.
pub fn is_data_file(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    !name.starts_with('.')
        && !ABOUT.contains(&name.as_str())
        && !name.starts_with("readme")
        && extension(file).is_some_and(|extension| Format::of_extension(&extension).is_some())
}

/// The extension without a trailing `.gz`.
pub(crate) fn extension(file: &Path) -> Option<String> {
    let extension = file.extension()?.to_string_lossy().to_ascii_lowercase();
    if extension == "gz" {
        return Path::new(file.file_stem()?)
            .extension()
            .map(|inner| inner.to_string_lossy().to_ascii_lowercase());
    }
    Some(extension)
}
