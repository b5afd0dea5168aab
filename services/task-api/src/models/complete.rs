//! An imported model becomes real: its files are looked at, then the manifest is written.
//!
//! Only the heads of the files are fetched, as far as they go and no further.

use anneal_artifacts::{Key, ManifestFile, ObjectStore, Prefix};
use anneal_domain::{FieldError, id::RequestId};
use bytes::BytesMut;

use super::check::{
    Facts,
    gguf::{self, Unread},
    huggingface, pickle, safetensors,
};
use crate::Error;

/// First piece of a GGUF's head; the next ones are as long as all before them.
const FIRST_PIECE: u64 = 256 << 10;
/// As much of a GGUF's head as is ever looked at: its tokenizer lies there.
const LONGEST_GGUF_HEAD: u64 = 64 << 20;
/// A `config.json` larger than this is none.
const LONGEST_CONFIG: u64 = 1 << 20;

/// What an imported model is.
#[derive(Clone, Debug)]
pub(crate) struct Completed {
    pub(crate) format: &'static str,
    pub(crate) facts: Facts,
    /// The files that were looked at: the model is these and no others.
    pub(crate) files: Vec<ManifestFile>,
    /// The folder of this completion alone.
    pub(crate) prefix: Prefix,
    pub(crate) manifest_sha256: String,
    pub(crate) size_bytes: u64,
}

/// Checks the uploaded files of the model at `root` and writes their manifest into a folder of its own. Everything that is
/// wrong is named by file.
pub(crate) async fn complete(
    objects: &ObjectStore,
    root: &Prefix,
    files: Vec<ManifestFile>,
) -> Result<Completed, Error> {
    let prefix = root.join(&format!("manifest/{}", RequestId::new()))?;
    let mut check = Check { objects, prefix: &prefix, errors: Vec::new() };
    for file in &files {
        check.is_safe(file).await?;
    }
    let ggufs: Vec<&ManifestFile> = files.iter().filter(|file| ends(file, ".gguf")).collect();
    let (format, facts) = match ggufs.as_slice() {
        [] => ("huggingface", check.folder(&files).await?),
        [file] => ("gguf", check.gguf(file).await?),
        _ => {
            check.wrong("files", "holds several .gguf files: give the one to use");
            ("gguf", Facts::default())
        }
    };
    if !check.errors.is_empty() {
        return Err(Error::Invalid(check.errors));
    }
    let folder = objects.put_manifest(&prefix, files.clone()).await?;
    Ok(Completed {
        format,
        facts,
        files,
        prefix,
        manifest_sha256: folder.manifest_sha256,
        size_bytes: folder.size_bytes,
    })
}

fn ends(file: &ManifestFile, ending: &str) -> bool {
    file.path.to_ascii_lowercase().ends_with(ending)
}

struct Check<'a> {
    objects: &'a ObjectStore,
    prefix: &'a Prefix,
    errors: Vec<FieldError>,
}

impl Check<'_> {
    fn wrong(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.errors.push(FieldError::new(field, why));
    }

    fn wrong_file(&mut self, file: &ManifestFile, why: impl Into<String>) {
        self.wrong(format!("files.{}", file.path), why);
    }

    /// The object is there, as long as it was when it was uploaded, and is no pickle.
    async fn is_safe(&mut self, file: &ManifestFile) -> Result<(), Error> {
        let key = file.key(self.prefix)?;
        if self.objects.size(&key).await? != Some(file.size_bytes) {
            self.wrong_file(file, "is not there as it was uploaded: upload it again");
            return Ok(());
        }
        let head = self.objects.get_range(&key, 0..file.size_bytes.min(64)).await?;
        if let Some(why) = pickle::refusal(&file.path, &head) {
            self.wrong_file(file, why);
        }
        Ok(())
    }

    async fn gguf(&mut self, file: &ManifestFile) -> Result<Facts, Error> {
        let key = file.key(self.prefix)?;
        let most = file.size_bytes.min(LONGEST_GGUF_HEAD);
        let mut head = BytesMut::new();
        loop {
            let got = head.len() as u64;
            let end = most.min((got * 2).max(FIRST_PIECE));
            head.extend_from_slice(&self.objects.get_range(&key, got..end).await?);
            match gguf::read(&head, file.size_bytes) {
                Ok(facts) => return Ok(facts),
                Err(Unread::GoesOn) if end < most => continue,
                Err(Unread::GoesOn) => self.wrong_file(file, format!("breaks off at byte {end}")),
                Err(Unread::Wrong(why)) => self.wrong_file(file, why),
            }
            return Ok(Facts::default());
        }
    }

    async fn folder(&mut self, files: &[ManifestFile]) -> Result<Facts, Error> {
        let mut facts = self.configuration(files).await?;
        if !files.iter().any(|file| file.path == "tokenizer.json") {
            self.wrong("files", "tokenizer.json is missing");
        }
        let weights: Vec<&ManifestFile> = files.iter().filter(|file| ends(file, ".safetensors")).collect();
        if weights.is_empty() {
            self.wrong("files", "no .safetensors file is here");
        }
        let mut parameters = 0_u64;
        for file in weights {
            match self.safetensors(file).await? {
                Ok(count) => parameters = parameters.saturating_add(count),
                Err(why) => self.wrong_file(file, why),
            }
        }
        facts.parameters = Some(parameters);
        Ok(facts)
    }

    async fn configuration(&mut self, files: &[ManifestFile]) -> Result<Facts, Error> {
        let Some(file) = files.iter().find(|file| file.path == "config.json") else {
            let why =
                "neither a .gguf file nor a config.json is here: upload a GGUF file or a Hugging Face folder";
            self.wrong("files", why);
            return Ok(Facts::default());
        };
        if file.size_bytes > LONGEST_CONFIG {
            self.wrong_file(file, "is larger than 1 MiB");
            return Ok(Facts::default());
        }
        let bytes = self.objects.get_bytes(&file.key(self.prefix)?).await?;
        match huggingface::read(&bytes) {
            Ok(facts) => Ok(facts),
            Err(why) => {
                self.wrong_file(file, why);
                Ok(Facts::default())
            }
        }
    }

    /// How many parameters the file holds, or why it is corrupt: the length of its header first, then the header alone.
    async fn safetensors(&self, file: &ManifestFile) -> Result<Result<u64, String>, Error> {
        let key: Key = file.key(self.prefix)?;
        let size = file.size_bytes;
        let length = self.objects.get_range(&key, 0..size.min(8)).await?;
        let end = match safetensors::header_end(&length, size) {
            Ok(end) => end,
            Err(why) => return Ok(Err(why)),
        };
        let head = self.objects.get_range(&key, 0..end).await?;
        // A header may be long: it is read beside the requests.
        let read = tokio::task::spawn_blocking(move || safetensors::parameters(&head, size)).await;
        read.map_err(|_| Error::field(format!("files.{}", file.path), "made its reader give up"))
    }
}
