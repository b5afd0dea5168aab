//! Which files of a repository are the model, or the dataset. Pure.

use std::{collections::BTreeSet, path::Path};

use crate::{HubError, RemoteFile, Repo, Snapshot};

/// A file to fetch, and the name it gets here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The file on the hub.
    pub file: RemoteFile,
    /// A name without folders.
    pub name: String,
}

/// Endings of weights that run code when they are loaded.
const PICKLES: [&str; 7] = ["bin", "pt", "pth", "pkl", "pickle", "ckpt", "h5"];
/// What stands beside the weights of a model and is read by someone.
const BESIDE: [&str; 13] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "model.safetensors.index.json",
];

/// The files of a model: those named, else `model*.safetensors` with what belongs to it, else the one GGUF file.
///
/// # Errors
/// Nothing in the repository can be used, or it is not clear what.
pub fn model_files(snapshot: &Snapshot, named: &[String]) -> Result<Vec<Chosen>, HubError> {
    if !named.is_empty() {
        return these(snapshot, named);
    }
    let at_root = || snapshot.files.iter().filter(|file| !file.path.contains('/'));
    let is_weights = |file: &&RemoteFile| file.path.starts_with("model") && has_ending(file, "safetensors");
    if at_root().any(|file| is_weights(&file)) {
        let wanted = at_root().filter(|file| is_weights(file) || BESIDE.contains(&file.path.as_str()));
        return Ok(wanted.map(as_it_is).collect());
    }
    let ggufs: Vec<&RemoteFile> = snapshot.files.iter().filter(|file| has_ending(file, "gguf")).collect();
    match ggufs.as_slice() {
        [one] => Ok(vec![as_it_is(one)]),
        [] => {
            let is_pickle = |file: &RemoteFile| PICKLES.iter().any(|ending| has_ending(file, ending));
            let why = if snapshot.files.iter().any(is_pickle) {
                "its weights are pickles only, which can run code when they are loaded: take a repository or revision with \
                 safetensors"
            } else {
                "it holds neither model*.safetensors nor a GGUF file"
            };
            unusable(&snapshot.repo, why)
        }
        several => {
            let names = listed(several.iter().map(|file| file.path.as_str()));
            unusable(&snapshot.repo, format!("it holds several GGUF files: name the one to take: {names}"))
        }
    }
}

/// What of a dataset is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatasetChoice<'a> {
    /// One of its configurations: the folder of the data files.
    pub config: Option<&'a str>,
    /// Only this split.
    pub split: Option<&'a str>,
    /// These files and no others.
    pub files: &'a [String],
}

/// The data files of a dataset. A configuration is the folder they lie in, as the hub lays datasets out; `data` is none.
///
/// # Errors
/// Nothing in the repository can be used, or it is not clear what.
pub fn dataset_files(snapshot: &Snapshot, choice: DatasetChoice<'_>) -> Result<Vec<Chosen>, HubError> {
    let repo = &snapshot.repo;
    if !choice.files.is_empty() {
        return these(snapshot, choice.files);
    }
    let data: Vec<&RemoteFile> =
        snapshot.files.iter().filter(|file| anneal_datasets::is_data_file(Path::new(&file.path))).collect();
    if data.is_empty() {
        let why = if snapshot.files.iter().any(|file| has_ending(file, "py")) {
            "it is a script, which is never run here: its data may lie at the revision `refs/convert/parquet`"
        } else {
            "it holds no data file (.jsonl, .json, .csv, .tsv, .parquet, .arrow or .txt)"
        };
        return unusable(repo, why);
    }
    let configs: BTreeSet<&str> = data.iter().map(|file| config_of(&file.path)).collect();
    let config = match choice.config {
        Some(config) if configs.contains(config) => config,
        Some(config) => {
            let why = format!("it has no configuration `{config}`: {}", listed(configs.iter().copied()));
            return unusable(repo, why);
        }
        None if configs.len() == 1 => configs.first().copied().unwrap_or_default(),
        // Files beside the folders are the dataset's own default.
        None if configs.contains("default") => "default",
        None => {
            let why = format!("it has several configurations: name one: {}", listed(configs.iter().copied()));
            return unusable(repo, why);
        }
    };
    let of_config: Vec<&RemoteFile> =
        data.into_iter().filter(|file| config_of(&file.path) == config).collect();
    let chosen: Vec<Chosen> = of_config
        .iter()
        .filter(|file| choice.split.is_none_or(|split| is_split(&file.path, split)))
        .map(|file| Chosen { file: (*file).clone(), name: flat(&file.path, config) })
        .collect();
    if chosen.is_empty() {
        let split = choice.split.unwrap_or_default();
        let names = listed(of_config.iter().map(|file| file.path.as_str()));
        return unusable(repo, format!("none of its files is the split `{split}`: {names}"));
    }
    each_once(repo, chosen)
}

/// The first folder of a data file; files at the root, and in `data`, are of the configuration `default`.
fn config_of(path: &str) -> &str {
    match path.split_once('/') {
        None | Some(("data", _)) => "default",
        // A folder that is a split holds no configuration.
        Some((folder, _)) if SPLITS.contains(&folder) => "default",
        Some((folder, _)) => folder,
    }
}

const SPLITS: [&str; 7] = ["train", "validation", "valid", "val", "dev", "test", "auxiliary_train"];

/// Whether a folder or a word of the name is the split.
fn is_split(path: &str, split: &str) -> bool {
    path.split('/').any(|part| {
        part == split
            || part.strip_prefix(split).is_some_and(|rest| rest.starts_with(['-', '.', '_']))
            || part.split(['-', '_', '.']).any(|word| word == split)
    })
}

/// A name without folders: that of the configuration falls away, the others stand in front.
fn flat(path: &str, config: &str) -> String {
    let below = path.strip_prefix(config).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    let below = below.strip_prefix("data/").unwrap_or(below);
    below.replace('/', "-")
}

fn these(snapshot: &Snapshot, named: &[String]) -> Result<Vec<Chosen>, HubError> {
    let mut chosen = Vec::with_capacity(named.len());
    for name in named {
        let Some(file) = snapshot.files.iter().find(|file| file.path == *name) else {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
            return unusable(&snapshot.repo, format!("it holds no file `{shown}`"));
        };
        chosen.push(as_it_is(file));
    }
    each_once(&snapshot.repo, chosen)
}

fn has_ending(file: &RemoteFile, ending: &str) -> bool {
    Path::new(&file.path).extension().is_some_and(|own| own.eq_ignore_ascii_case(ending))
}

fn as_it_is(file: &RemoteFile) -> Chosen {
    Chosen { file: file.clone(), name: file.path.rsplit('/').next().unwrap_or(&file.path).to_owned() }
}

fn each_once(repo: &Repo, chosen: Vec<Chosen>) -> Result<Vec<Chosen>, HubError> {
    let mut seen = BTreeSet::new();
    match chosen.iter().find(|one| !seen.insert(one.name.clone())) {
        Some(twice) => unusable(repo, format!("two of the files would be named `{}`", twice.name)),
        None => Ok(chosen),
    }
}

fn unusable<T>(repo: &Repo, why: impl Into<String>) -> Result<T, HubError> {
    Err(HubError::Unusable { repo: repo.to_string(), why: why.into() })
}

/// The first of a list, for people.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 20 { format!("{shown} and {} more", names.len() - 20) } else { shown }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::RepoKind;

    fn snapshot(paths: &[&str]) -> Snapshot {
        let file = |path: &&str| RemoteFile {
            path: (*path).to_owned(),
            size_bytes: 1,
            sha256: None,
            git_sha1: None,
        };
        Snapshot {
            kind: RepoKind::Model,
            repo: "org/name".parse().unwrap(),
            commit: "c0ffee".parse().unwrap(),
            files: paths.iter().map(file).collect(),
        }
    }

    fn names(chosen: &[Chosen]) -> Vec<&str> {
        chosen.iter().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn a_model_is_its_safetensors_and_what_belongs_to_them() {
        let folder = [
            "README.md",
            "config.json",
            "consolidated.safetensors",
            "model-1.safetensors",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "tokenizer.json",
        ];
        let chosen = model_files(&snapshot(&folder), &[]).unwrap();
        assert_eq!(names(&chosen), ["config.json", "model-1.safetensors", "tokenizer.json"]);
        assert_eq!(names(&model_files(&snapshot(&["a.md", "x/q4.gguf"]), &[]).unwrap()), ["q4.gguf"]);
        let several = model_files(&snapshot(&["q4.gguf", "q8.gguf"]), &[]).unwrap_err().to_string();
        assert!(several.contains("q4.gguf, q8.gguf"), "{several}");
        let named = model_files(&snapshot(&["q4.gguf", "q8.gguf"]), &["q8.gguf".to_owned()]).unwrap();
        assert_eq!(names(&named), ["q8.gguf"]);
        let pickles = model_files(&snapshot(&["config.json", "pytorch_model.bin"]), &[]).unwrap_err();
        assert!(pickles.to_string().contains("pickles only"), "{pickles}");
        assert!(model_files(&snapshot(&["README.md"]), &[]).is_err());
        assert!(model_files(&snapshot(&["q4.gguf"]), &["../x".to_owned()]).is_err());
    }

    #[test]
    fn a_dataset_is_one_configuration_of_its_data_files() {
        let gsm8k = snapshot(&[
            "README.md",
            "main/test-00000-of-00001.parquet",
            "main/train-00000-of-00001.parquet",
            "socratic/test-00000-of-00001.parquet",
        ]);
        let of = |config: Option<&'static str>, split: Option<&'static str>| {
            dataset_files(&gsm8k, DatasetChoice { config, split, files: &[] })
        };
        assert_eq!(
            names(&of(Some("main"), None).unwrap()),
            ["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"]
        );
        assert_eq!(names(&of(Some("main"), Some("test")).unwrap()), ["test-00000-of-00001.parquet"]);
        assert!(of(None, None).unwrap_err().to_string().contains("main, socratic"));
        assert!(of(Some("x"), None).unwrap_err().to_string().contains("no configuration `x`"));
        assert!(of(Some("main"), Some("dev")).unwrap_err().to_string().contains("the split `dev`"));
        let plain = snapshot(&["data/train-00000-of-00001.parquet", "data/test.jsonl"]);
        let chosen = dataset_files(&plain, DatasetChoice::default()).unwrap();
        assert_eq!(names(&chosen), ["train-00000-of-00001.parquet", "test.jsonl"]);
        let converted = snapshot(&["plain_text/validation/0000.parquet"]);
        assert_eq!(
            names(&dataset_files(&converted, DatasetChoice::default()).unwrap()),
            ["validation-0000.parquet"]
        );
        let script = dataset_files(&snapshot(&["piqa.py"]), DatasetChoice::default()).unwrap_err();
        assert!(script.to_string().contains("refs/convert/parquet"), "{script}");
    }
}
