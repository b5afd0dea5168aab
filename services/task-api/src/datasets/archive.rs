//! A zip archive of data files: a dataset of several splits. Unpacked with suspicion; runs on a blocking thread.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use zip::{ZipArchive, read::ZipFile};

use crate::Error;

/// Files of one dataset.
const MOST_FILES: usize = 512;
/// Folders above a file.
const DEEPEST: usize = 3;

/// Whether a file begins as a zip archive does.
pub(crate) fn is_archive(path: &Path) -> Result<bool, Error> {
    let mut magic = Vec::with_capacity(4);
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic));
    read.map_err(disk)?;
    Ok(magic == b"PK\x03\x04")
}

/// Unpacks the data files of an archive below `into`; their relative paths, in the order of the names. At most `most_bytes`
/// come out of it, whatever it claims; a link, an encrypted entry or a path that leads out of it refuses the whole.
pub(crate) fn unpack(archive: &Path, into: &Path, most_bytes: u64) -> Result<Vec<String>, Error> {
    let file = File::open(archive).map_err(disk)?;
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(broken)?;
    if archive.len() > MOST_FILES {
        return Err(wrong(format!("the archive has {} entries: at most {MOST_FILES}", archive.len())));
    }
    let (mut paths, mut left) = (Vec::new(), most_bytes);
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(broken)?;
        if entry.is_dir() {
            continue;
        }
        let path = plain_path(&entry)?;
        if is_about(&path) {
            continue;
        }
        left -= extract(entry, &into.join(&path), left).map_err(|error| match error {
            Error::TooLarge(_) => Error::TooLarge(most_bytes),
            other => other,
        })?;
        paths.push(path);
    }
    if paths.is_empty() {
        return Err(wrong("the archive holds no data file"));
    }
    paths.sort();
    let twice = paths.windows(2).find(|pair| pair[0] == pair[1]);
    match twice {
        Some(pair) => Err(wrong(format!("the archive holds `{}` twice", pair[0]))),
        None => Ok(paths),
    }
}

/// The entry's relative path of plain names.
fn plain_path<R: io::Read>(entry: &ZipFile<'_, R>) -> Result<String, Error> {
    let name = entry.name().map_err(broken)?;
    let shown: String = name.chars().take(100).filter(|c| !c.is_control()).collect();
    if entry.is_symlink() || entry.encrypted() {
        return Err(wrong(format!("`{shown}` is a link or encrypted: give plain files")));
    }
    let path: Option<PathBuf> = entry.enclosed_name();
    let path = path.and_then(|path| path.to_str().map(str::to_owned));
    let path = path.filter(|path| {
        let plain = |c: char| c.is_alphanumeric() || "-_. ()+".contains(c);
        path.split('/').count() <= DEEPEST + 1
            && path.split('/').all(|name| !name.is_empty() && name.len() <= 100 && name.chars().all(plain))
    });
    path.ok_or_else(|| {
        wrong(format!("`{shown}`: paths have letters, digits and `-_.` and at most 3 folders"))
    })
}

/// What archivers and people put beside the data.
fn is_about(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    path.starts_with("__MACOSX/")
        || name.starts_with('.')
        || name.starts_with("readme")
        || name.starts_with("license")
        || ["dataset_info.json", "state.json", "dataset_dict.json", "manifest.json"].contains(&name.as_str())
}

/// Writes one entry; how many bytes it had.
fn extract<R: io::Read>(entry: ZipFile<'_, R>, to: &Path, most: u64) -> Result<u64, Error> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(disk)?;
    }
    let mut file = File::create_new(to).map_err(disk)?;
    // What the archive claims of its size is not believed.
    let size = io::copy(&mut entry.take(most.saturating_add(1)), &mut file).map_err(|error| {
        if error.kind() == io::ErrorKind::StorageFull { disk(error) } else { wrong(error.to_string()) }
    })?;
    if size > most { Err(Error::TooLarge(most)) } else { Ok(size) }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::field("body", why)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn broken(error: zip::result::ZipError) -> Error {
    wrong(format!("the archive cannot be read: {error}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn disk(error: io::Error) -> Error {
    Error::Unavailable(format!("the upload could not be kept while it is unpacked: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(folder: &Path, entries: &[(&str, &[u8])]) -> PathBuf {
        let path = folder.join("a.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    fn unpacked(entries: &[(&str, &[u8])], most: u64) -> Result<Vec<String>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(folder.path(), entries);
        assert!(is_archive(&archive).unwrap());
        let into = folder.path().join("into");
        let paths = unpack(&archive, &into, most)?;
        for path in &paths {
            assert!(into.join(path).is_file());
        }
        assert!(!folder.path().join("evil").exists());
        Ok(paths)
    }

    #[test]
    fn data_files_come_out_in_order_and_what_is_about_them_stays() {
        let entries: [(&str, &[u8]); 5] = [
            ("test.jsonl", b"{}\n"),
            ("dev/law.csv", b"a,b\n"),
            ("README.md", b"hello"),
            ("__MACOSX/._test.jsonl", b"x"),
            ("dev/.hidden", b"x"),
        ];
        assert_eq!(unpacked(&entries, 100).unwrap(), ["dev/law.csv", "test.jsonl"]);
    }

    #[test]
    fn a_slip_a_bomb_and_an_empty_archive_are_refused() {
        assert!(matches!(unpacked(&[("../evil", b"x")], 100), Err(Error::Invalid(_))));
        assert!(matches!(unpacked(&[("a/b/c/d/e.csv", b"x")], 100), Err(Error::Invalid(_))));
        assert!(matches!(unpacked(&[("a.csv", &[b'x'; 4096])], 100), Err(Error::TooLarge(100))));
        assert!(matches!(unpacked(&[("README", b"x")], 100), Err(Error::Invalid(_))));
    }
}
