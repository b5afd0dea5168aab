//! A read-only memory map of a whole file, with the length it had when it was opened.

use std::{fs::File, ops::Deref, path::Path};

use memmap2::Mmap;

use crate::{Error, Result};

/// The bytes of a file, mapped private and read-only.
///
/// Model files are immutable by convention (artifacts never change once written). A process that truncates a mapped file
/// anyway makes the next access past its end a fault of this process; [`MappedFile::open`] refuses a file whose length
/// changes while it is being opened, and nothing can be done about later truncation.
#[derive(Debug)]
pub struct MappedFile {
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps the whole file. An empty file gives an empty slice.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        map(path).map_err(|source| Error::Map { path: path.to_path_buf(), source })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

fn map(path: &Path) -> std::io::Result<MappedFile> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if metadata.len() == 0 {
        return Ok(MappedFile { map: None });
    }
    #[allow(
        unsafe_code,
        reason = "a map is unsafe because the file may change; see the type's documentation"
    )]
    // SAFETY: the map is private and read-only and lives as long as the value; its bytes are only read as `u8`, for which
    // any content is valid.
    let map = unsafe { Mmap::map(&file)? };
    if map.len() as u64 != file.metadata()?.len() {
        return Err(std::io::Error::other("the file changed its length while it was opened"));
    }
    Ok(MappedFile { map: Some(map) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn maps_bytes_and_names_the_missing_file() {
        let folder = std::env::temp_dir().join(format!("anneal-mapped-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.bin");
        std::fs::write(&path, [1, 2, 3]).unwrap();
        assert_eq!(&*MappedFile::open(&path).unwrap(), &[1, 2, 3]);
        std::fs::write(&path, []).unwrap();
        assert!(MappedFile::open(&path).unwrap().bytes().is_empty());
        let error = MappedFile::open(folder.join("none")).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
        assert!(MappedFile::open(&folder).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
