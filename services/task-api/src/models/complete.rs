//! An imported model becomes real: its files are looked at, then the manifest is written.

use anneal_artifacts::{ManifestFile, ObjectStore, Prefix};
use anneal_domain::FieldError;

use super::check::{Facts, gguf, huggingface, pickle, safetensors};
use crate::Error;

/// As much of a file's head as is ever looked at: a GGUF's tokenizer lies there.
const HEAD_BYTES: u64 = 64 << 20;

/// What an imported model is.
#[derive(Clone, Debug)]
pub(crate) struct Completed {
    pub(crate) format: &'static str,
    pub(crate) facts: Facts,
    pub(crate) manifest_sha256: String,
    pub(crate) size_bytes: u64,
}

/// Checks the uploaded files and writes their manifest. Everything that is wrong is named by file.
pub(crate) async fn complete(
    objects: &ObjectStore,
    prefix: &Prefix,
    files: Vec<ManifestFile>,
) -> Result<Completed, Error> {
    let mut errors = Vec::new();
    for file in &files {
        let head = objects.get_range(&prefix.file(&file.path)?, 0..file.size_bytes.min(64)).await?;
        if let Some(why) = pickle::refusal(&file.path, &head) {
            errors.push(FieldError::new(format!("files.{}", file.path), why));
        }
    }
    let ggufs: Vec<&ManifestFile> = files.iter().filter(|file| ends(file, ".gguf")).collect();
    let (format, facts) = match ggufs.as_slice() {
        [] => ("huggingface", of_folder(objects, prefix, &files, &mut errors).await?),
        [file] => ("gguf", of_gguf(objects, prefix, file, &mut errors).await?),
        _ => {
            errors.push(FieldError::new("files", "holds several .gguf files: give the one to use"));
            ("gguf", Facts::default())
        }
    };
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let folder = objects.put_manifest(prefix, files).await?;
    Ok(Completed { format, facts, manifest_sha256: folder.manifest_sha256, size_bytes: folder.size_bytes })
}

fn ends(file: &ManifestFile, ending: &str) -> bool {
    file.path.to_ascii_lowercase().ends_with(ending)
}

async fn of_gguf(
    objects: &ObjectStore,
    prefix: &Prefix,
    file: &ManifestFile,
    errors: &mut Vec<FieldError>,
) -> Result<Facts, Error> {
    let head = objects.get_range(&prefix.file(&file.path)?, 0..file.size_bytes.min(HEAD_BYTES)).await?;
    match gguf::read(&head, file.size_bytes) {
        Ok(facts) => Ok(facts),
        Err(why) => {
            errors.push(FieldError::new(format!("files.{}", file.path), why));
            Ok(Facts::default())
        }
    }
}

async fn of_folder(
    objects: &ObjectStore,
    prefix: &Prefix,
    files: &[ManifestFile],
    errors: &mut Vec<FieldError>,
) -> Result<Facts, Error> {
    let mut facts = Facts::default();
    match files.iter().find(|file| file.path == "config.json") {
        None => errors.push(FieldError::new(
            "files",
            "neither a .gguf file nor a config.json is here: upload a GGUF file or a Hugging Face folder",
        )),
        Some(file) if file.size_bytes > 1 << 20 => {
            errors.push(FieldError::new("files.config.json", "is larger than 1 MiB"));
        }
        Some(file) => {
            let bytes = objects.get_bytes(&prefix.file(&file.path)?).await?;
            match huggingface::read(&bytes) {
                Ok(read) => facts = read,
                Err(why) => errors.push(FieldError::new("files.config.json", why)),
            }
        }
    }
    if !files.iter().any(|file| file.path == "tokenizer.json") {
        errors.push(FieldError::new("files", "tokenizer.json is missing"));
    }
    let weights: Vec<&ManifestFile> = files.iter().filter(|file| ends(file, ".safetensors")).collect();
    if weights.is_empty() {
        errors.push(FieldError::new("files", "no .safetensors file is here"));
    }
    let mut parameters = 0_u64;
    for file in weights {
        let key = prefix.file(&file.path)?;
        let head = objects.get_range(&key, 0..file.size_bytes.min(safetensors::LARGEST_HEADER + 8)).await?;
        match safetensors::parameters(&head, file.size_bytes) {
            Ok(count) => parameters = parameters.saturating_add(count),
            Err(why) => errors.push(FieldError::new(format!("files.{}", file.path), why)),
        }
    }
    facts.parameters = Some(parameters);
    Ok(facts)
}
