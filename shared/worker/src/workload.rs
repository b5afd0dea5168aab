//! What a worker must be told about its kind of task.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anneal_contracts::{event::Failure, rpc::ClaimedTask};
use anneal_domain::spec::TaskKind;
use serde_json::{Map, Value};

/// A program and the arguments before the path of the spec file.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// Arguments before the spec's path.
    pub arguments: Vec<OsString>,
    /// Variables it gets beside `PATH` and `LANG`; never a credential.
    pub environment: Vec<(String, OsString)>,
}

/// The local folders of a claimed task.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Fetched inputs by role.
    pub inputs: BTreeMap<String, PathBuf>,
    /// Where the engine writes.
    pub output: PathBuf,
    /// The checkpoint it goes on from.
    pub resume_from: Option<PathBuf>,
    /// CPU threads; 0 takes all.
    pub threads: usize,
}

impl Folders {
    /// The folder fetched for this role.
    pub fn input(&self, role: &str) -> Result<String, Failure> {
        let folder = self.inputs.get(role).ok_or_else(|| Failure {
            code: "missing_input".to_owned(),
            field: Some(role.to_owned()),
            message: format!("the task was claimed without its input `{role}`"),
        })?;
        Ok(text(folder))
    }
}

/// How an engine ended, for the choice of what to publish.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// The engine's figures; empty when it was stopped.
    pub figures: &'a Map<String, Value>,
    /// The newest complete checkpoint folder on disk.
    pub checkpoint: Option<&'a Path>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Where it wrote.
    pub output: &'a Path,
}

/// A local folder to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its role: `model`, `adapter`, `compiled`, `results`, `tensorboard`, `validation`.
    pub role: &'static str,
    /// The folder.
    pub folder: PathBuf,
}

/// One kind of task.
pub trait Workload: Send + Sync + 'static {
    /// Its kind.
    fn kind(&self) -> TaskKind;

    /// The engine.
    fn program(&self) -> Program;

    /// The engine's spec file. An error fails the task without another try.
    fn engine_spec(&self, task: &ClaimedTask, folders: &Folders) -> Result<Value, Failure>;

    /// Whether the checkpoint of this step is stored even where newer ones wait: somebody looks at it itself.
    fn wants_checkpoint(&self, _task: &ClaimedTask, _step: u64) -> bool {
        false
    }

    /// What to publish, in order. Folders that do not exist are an error of the engine.
    fn publications(&self, task: &ClaimedTask, ended: &Ended<'_>) -> Vec<Publication>;
}

/// A path as the text of a spec; work folders have plain names, so nothing is lost.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Program {
    /// This very program with the argument `run`, as the three engines are started; `libonnxruntime.so` is named to it when the
    /// worker's settings name one.
    pub fn current(config: &crate::WorkerConfig) -> std::io::Result<Self> {
        let environment = if config.onnxruntime.as_os_str().is_empty() {
            Vec::new()
        } else {
            let library = config.onnxruntime.canonicalize()?;
            vec![("ANNEAL_ONNXRUNTIME".to_owned(), library.into_os_string())]
        };
        Ok(Self { path: std::env::current_exe()?, arguments: vec!["run".into()], environment })
    }
}

/// A refusal of something that the platform's types allow and an engine does not do.
pub fn unsupported(field: &str, message: &str) -> Failure {
    Failure {
        code: "not_supported".to_owned(),
        field: Some(field.to_owned()),
        message: format!("not supported yet: {message}"),
    }
}
