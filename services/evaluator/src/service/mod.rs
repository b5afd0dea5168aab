//! The worker service around the evaluation engine: from a claimed task to the engine's spec, and from its output to what is
//! published.

mod user_task;

use std::{io, path::Path};

use anneal_contracts::{
    engine::{Adapted, Backend, EvaluationTask, EvaluatorSpec, ModelInput, TrainingData},
    event::Failure,
    rpc::ClaimedTask,
};
use anneal_domain::spec::{EvaluationSpec, TaskKind, TaskSpec};
use anneal_worker::{Ended, Folders, Program, Publication, WorkerConfig, Workload, unsupported};
use serde_json::{Map, Value};

/// Seed of few-shot sampling when the task names none, as in lm-evaluation-harness.
const DEFAULT_SEED: u64 = 1234;

/// Resamples behind a standard error that has no closed form, as in lm-evaluation-harness.
const BOOTSTRAP_ITERATIONS: usize = 100_000;
/// The share of a split's rows that may be unusable.
const BAD_ROW_SHARE: f64 = 0.01;
/// Least seconds of scoring between two checkpoints.
const CHECKPOINT_SECONDS: u64 = 60;
/// Where in its folder the engine writes its results; what is published.
const RESULTS: &str = "results";
/// Where in its folder the engine writes its checkpoints.
const CHECKPOINTS: &str = "checkpoints";

/// Evaluation tasks.
#[derive(Debug)]
pub struct Evaluation {
    program: Program,
}

impl Evaluation {
    /// Runs this very program as the engine.
    pub fn new(config: &WorkerConfig) -> io::Result<Self> {
        Ok(Self { program: Program::current(config)? })
    }
}

impl Workload for Evaluation {
    fn kind(&self) -> TaskKind {
        TaskKind::Evaluation
    }

    fn program(&self) -> Program {
        self.program.clone()
    }

    fn engine_spec(&self, task: &ClaimedTask, folders: &Folders) -> Result<Value, Failure> {
        let TaskSpec::Evaluation(spec) = &task.spec else {
            return Err(unsupported("spec.kind", "this worker evaluates"));
        };
        write(spec, folders, &task.facts)
    }

    fn publications(&self, _task: &ClaimedTask, ended: &Ended<'_>) -> Vec<Publication> {
        // Half an evaluation is no result.
        if ended.stopped {
            return Vec::new();
        }
        vec![Publication { role: "results", folder: ended.output.join(RESULTS) }]
    }
}

fn write(spec: &EvaluationSpec, folders: &Folders, facts: &Map<String, Value>) -> Result<Value, Failure> {
    let base = folders.input("model")?;
    let model = if folders.inputs.contains_key("adapter") {
        ModelInput::Adapted(Adapted { base, adapter: folders.input("adapter")? })
    } else {
        ModelInput::Path(base)
    };
    let tasks = spec.datasets.iter().enumerate().map(|(place, dataset)| {
        Ok(EvaluationTask {
            name: user_task::name(dataset, place, &folders.output)?,
            dataset: folders.input(&format!("dataset.{place}"))?,
            alias: dataset.alias.clone(),
            num_fewshot: dataset.num_fewshot,
            limit: dataset.limit,
        })
    });
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let engine = EvaluatorSpec {
        model,
        model_name: Some(
            spec.checkpoint.map_or_else(|| spec.model.to_string(), |checkpoint| checkpoint.to_string()),
        ),
        backend: Backend::Auto,
        device: "auto".to_owned(),
        precision: "fp32".to_owned(),
        tasks: tasks.collect::<Result<_, Failure>>()?,
        apply_chat_template: spec.apply_chat_template,
        batch_tokens: None,
        threads: folders.threads,
        seed: spec.seed.unwrap_or(DEFAULT_SEED),
        max_length: spec.max_length,
        bootstrap_iterations: BOOTSTRAP_ITERATIONS,
        bad_row_share: BAD_ROW_SHARE,
        resume: true,
        resume_from: folders.resume_from.as_deref().map(text),
        leak_check: if spec.leak_check { training_data(folders, facts)? } else { Vec::new() },
        rescore_from: spec.rescore.map(|_| folders.input("answers")).transpose()?,
        checkpoint_dir: Some(text(&folders.output.join(CHECKPOINTS))),
        checkpoint_seconds: CHECKPOINT_SECONDS,
        output_dir: text(&folders.output.join(RESULTS)),
    };
    Ok(serde_json::to_value(engine).expect("a spec of numbers, text and lists is always JSON"))
}

/// The data along the model's lineage, each named by its dataset.
fn training_data(folders: &Folders, facts: &Map<String, Value>) -> Result<Vec<TrainingData>, Failure> {
    let roles = (0..).map(|place| format!("training.{place}"));
    roles
        .take_while(|role| folders.inputs.contains_key(role))
        .map(|role| {
            let about = facts.get(&role).unwrap_or(&Value::Null);
            let (dataset, version) = (about["dataset"].as_str().unwrap_or(&role), &about["version"]);
            Ok(TrainingData { name: format!("{dataset} v{version}"), path: folders.input(&role)? })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_adapted_model_and_its_benchmarks_reach_the_engine() {
        let spec: EvaluationSpec = serde_json::from_value(json!({
            "model_source": "trained", "model": "model-00000000000000000000000000000001", "max_length": 512,
            "rescore": "task-00000000000000000000000000000004", "leak_check": true,
            "datasets": [
                {"benchmark": "arc_easy", "dataset": "ds-00000000000000000000000000000002", "limit": 5, "alias": "mine"},
                {"benchmark": "piqa", "dataset": "ds-00000000000000000000000000000003", "num_fewshot": 2}
            ]
        }))
        .unwrap();
        let roles = ["model", "adapter", "dataset.0", "dataset.1", "answers", "training.0"];
        let inputs = roles.iter().map(|role| ((*role).to_owned(), format!("/in/{role}").into())).collect();
        let folders =
            Folders { inputs, output: "/out".into(), resume_from: Some("/resume".into()), threads: 1 };
        let facts = json!({"training.0": {"dataset": "ds-1", "version": 2}});
        let written = write(&spec, &folders, facts.as_object().unwrap()).unwrap();
        assert_eq!(written["leak_check"], json!([{"name": "ds-1 v2", "path": "/in/training.0"}]));
        assert_eq!(written["model"], json!({"base": "/in/model", "adapter": "/in/adapter"}));
        assert_eq!(written["model_name"], "model-00000000000000000000000000000001");
        assert_eq!(written["tasks"][0]["dataset"], "/in/dataset.0");
        assert_eq!(written["tasks"][0]["limit"], 5);
        assert_eq!(
            (&written["tasks"][0]["alias"], &written["tasks"][1]["num_fewshot"]),
            (&json!("mine"), &json!(2))
        );
        assert_eq!(written["seed"], 1234);
        assert_eq!(
            (&written["resume_from"], &written["rescore_from"]),
            (&json!("/resume"), &json!("/in/answers"))
        );
        assert_eq!(written["checkpoint_dir"], "/out/checkpoints");
        assert_eq!(written["output_dir"], "/out/results", "checkpoints are not published");
        serde_json::from_value::<EvaluatorSpec>(written).unwrap();
        let of_checkpoint = EvaluationSpec {
            checkpoint: Some("ckpt-00000000000000000000000000000005".parse().unwrap()),
            ..spec
        };
        let written = write(&of_checkpoint, &folders, facts.as_object().unwrap()).unwrap();
        assert_eq!(written["model_name"], "ckpt-00000000000000000000000000000005");
    }
}
