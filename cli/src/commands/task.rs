//! Tasks: create, look, and the verbs.

use std::path::{Path, PathBuf};

use anneal_domain::id::TaskId;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    Page, comparison,
    rescore::{self, RescoreArguments},
    task_follow,
    task_next::{self, CompileArguments, EvaluateArguments},
    task_results,
};
use crate::{client::Api, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Create a task from a YAML or JSON file with `name`, `description` and `spec`.
    Create {
        /// The file; `-` reads standard input.
        #[arg(short, long)]
        file: PathBuf,
        /// Stay until it has ended or is paused; exit code 5 when it did not succeed.
        #[arg(long)]
        wait: bool,
    },
    /// Score the model that a task made.
    Evaluate(EvaluateArguments),
    /// Compile the model that an evaluation scored, or that a task made.
    Compile(CompileArguments),
    /// Score the answers of an evaluation again, with other filters or metrics; nothing is generated.
    Rescore(RescoreArguments),
    /// What a task would cost.
    Quote {
        /// The file; `-` reads standard input.
        #[arg(short, long)]
        file: PathBuf,
    },
    /// List tasks.
    List {
        /// `training`, `evaluation` or `compilation`.
        #[arg(long)]
        kind: Option<String>,
        /// Such as `running`.
        #[arg(long)]
        state: Option<String>,
        /// Part of the name.
        #[arg(short)]
        q: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Show a task.
    Show {
        /// The task.
        task: TaskId,
    },
    /// Stay with a task until it has ended or is paused; exit code 5 when it did not succeed.
    Watch {
        /// The task.
        task: TaskId,
    },
    /// Its log.
    Logs {
        /// The task.
        task: TaskId,
        /// One stage only.
        #[arg(long)]
        stage: Option<String>,
        /// Stay until the task has ended or is paused.
        #[arg(short, long)]
        follow: bool,
    },
    /// Download the whole log of a stage that has ended.
    StageLog {
        /// The task.
        task: TaskId,
        /// The stage, as `task stages` names it; its latest run when there were several.
        stage: String,
        /// Plain lines, or JSON lines.
        #[arg(long, value_enum, default_value_t = LogFormat::Text)]
        format: LogFormat,
        /// Where to; a name of its own in this folder when absent.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Its measured values.
    Metrics {
        /// The task.
        task: TaskId,
        /// Such as `loss,eval/loss`; all when absent.
        #[arg(long)]
        names: Option<String>,
    },
    /// Its stages.
    Stages {
        /// The task.
        task: TaskId,
    },
    /// What happened to it.
    Events {
        /// The task.
        task: TaskId,
    },
    /// Write a checkpoint and give the machine back; resumable.
    Pause {
        /// The task.
        task: TaskId,
    },
    /// Queue a paused task again.
    Resume {
        /// The task.
        task: TaskId,
    },
    /// End now and keep a usable model.
    Stop {
        /// The task.
        task: TaskId,
    },
    /// End now and discard.
    Cancel {
        /// The task.
        task: TaskId,
    },
    /// Print the form of a task filled in, to be changed and created again.
    Clone {
        /// The task.
        task: TaskId,
    },
    /// Delete a task that has ended.
    Delete {
        /// The task.
        task: TaskId,
    },
    /// What it published.
    Artifacts {
        /// The task.
        task: TaskId,
    },
    /// Download an artifact: the whole folder as a zip, or one file of it.
    Download {
        /// The task.
        task: TaskId,
        /// Such as `model`, `adapter`, `compiled`, `results`.
        role: String,
        /// One file of it.
        path: Option<String>,
        /// Where to; a name of its own in this folder when absent.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Per-sample results of an evaluation.
    Samples {
        /// The task.
        task: TaskId,
        /// One benchmark only.
        #[arg(long)]
        benchmark: Option<String>,
        /// `pass` or `fail`.
        #[arg(long)]
        outcome: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Scores of an evaluation.
    Scores {
        /// The task.
        task: TaskId,
    },
    /// Hold an evaluation against another: what changed, whether by chance, and why they may differ.
    Compare {
        /// The first evaluation.
        a: TaskId,
        /// The second.
        b: TaskId,
    },
    /// Which checkpoints of a training are scored, and how far that is; the scores are among its metrics.
    Curve {
        /// The training.
        task: TaskId,
    },
    /// Its checkpoints.
    Checkpoints {
        /// The task.
        task: TaskId,
    },
}

/// How a downloaded log is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

const COLUMNS: [&str; 7] = ["id", "kind", "name", "state", "progress.percent", "stage", "created_at"];

pub(crate) async fn run(command: TaskCommand, api: &Api, output: &Output) -> Result<(), Failure> {
    match command {
        TaskCommand::Create { file, wait } => submit(api, output, &form(&file)?, wait).await,
        TaskCommand::Evaluate(arguments) => task_next::evaluate(arguments, api, output).await,
        TaskCommand::Rescore(arguments) => rescore::rescore(arguments, api, output).await,
        TaskCommand::Compile(arguments) => task_next::compile(arguments, api, output).await,
        TaskCommand::Quote { file } => output.show(&api.post("tasks/quote", &form(&file)?).await?),
        TaskCommand::List { kind, state, q, page } => {
            let mut query = page.query();
            let filters = [("kind", kind), ("state", state), ("q", q)];
            query.extend(filters.into_iter().filter_map(|(key, value)| Some((key, value?))));
            output.list(&api.get("tasks", &query).await?, &COLUMNS)
        }
        TaskCommand::Show { task } => output.show(&api.get(&format!("tasks/{task}"), &[]).await?),
        TaskCommand::Watch { task } => task_follow::watch(api, output, task).await,
        TaskCommand::Logs { task, stage, follow } => {
            task_follow::logs(api, output, task, stage, follow).await
        }
        TaskCommand::Pause { task } => verb(api, output, task, "pause").await,
        TaskCommand::Resume { task } => verb(api, output, task, "resume").await,
        TaskCommand::Stop { task } => verb(api, output, task, "stop").await,
        TaskCommand::Cancel { task } => verb(api, output, task, "cancel").await,
        TaskCommand::Clone { task } => {
            let form = api.post(&format!("tasks/{task}/clone"), &json!({})).await?;
            if output.is_json() {
                return output.value(&form);
            }
            let yaml = serde_yaml_ng::to_string(&form).map_err(|error| Failure::Failed(error.to_string()))?;
            output.text(&yaml)
        }
        TaskCommand::Delete { task } => {
            api.delete(&format!("tasks/{task}")).await?;
            output.done(&format!("deleted {task}"))
        }
        TaskCommand::Compare { a, b } => comparison::compare(api, output, a, b).await,
        other => task_results::run(other, api, output).await,
    }
}

/// Creates a task, and stays with it on request.
pub(super) async fn submit(api: &Api, output: &Output, form: &Value, wait: bool) -> Result<(), Failure> {
    let task = api.post("tasks", form).await?;
    if !wait {
        return output.show(&task);
    }
    let id = task["id"].as_str().and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Failure::Failed("the server gave the task no id".to_owned()))?;
    task_follow::watch(api, output, id).await
}

async fn verb(api: &Api, output: &Output, task: TaskId, verb: &str) -> Result<(), Failure> {
    let task = api.post(&format!("tasks/{task}/{verb}"), &json!({})).await?;
    if output.is_json() {
        return output.value(&task);
    }
    output.done(&format!(
        "{} is {}",
        task["id"].as_str().unwrap_or("the task"),
        task["state"].as_str().unwrap_or("?")
    ))
}

/// YAML, of which JSON is a part.
pub(super) fn form(file: &Path) -> Result<Value, Failure> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file)
            .map_err(|error| Failure::Invalid(format!("{}: {error}", file.display())))?
    };
    serde_yaml_ng::from_str(&text).map_err(|error| Failure::Invalid(format!("{}: {error}", file.display())))
}
