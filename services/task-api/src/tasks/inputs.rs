//! What a specification points at: datasets and models that exist, fit, and are frozen here for every attempt.

use anneal_contracts::rpc::InputFolder;
use anneal_domain::{
    FieldError,
    id::{CheckpointId, DatasetId, ModelId, TaskId, WorkspaceId},
    spec::{
        CalibrationSource, CompilationSpec, EvaluationDataset, EvaluationSpec, ModelSource, TaskSpec,
        TrainingKind, TrainingSpec,
    },
};
use anneal_store::Sql;
use serde_json::{Map, Value, json};

use super::{
    Estimate,
    checkpoint_evaluation::{self, Frozen},
    leak_check, model_of_task, rescore, scored_checkpoint,
};
use crate::{
    Error,
    datasets::{self, DatasetRow},
    models::{self, ModelRow},
};

/// The folders a worker fetches, the facts its engine needs, and what the cost is estimated from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) inputs: Vec<InputFolder>,
    pub(crate) facts: Map<String, Value>,
    pub(crate) estimate: Estimate,
}

struct Resolving<'a, D> {
    db: &'a D,
    workspace: WorkspaceId,
    errors: Vec<FieldError>,
    resolved: Resolved,
}

/// What a dataset is wanted for.
#[derive(Clone, Copy)]
struct Use<'a> {
    /// Kinds of dataset that can be used.
    kinds: &'a [&'a str],
    /// At most this many of its rows are used.
    most_rows: Option<u64>,
}

impl<'a> Use<'a> {
    const fn all(kinds: &'a [&'a str]) -> Self {
        Self { kinds, most_rows: None }
    }
}

/// Kinds whose rows are text: what calibrates a compilation, and what its perplexity is measured on.
const TEXT: [&str; 2] = ["pretrain", "sft"];

/// Kinds of dataset whose rows a benchmark can have.
fn kinds_of(dataset: &EvaluationDataset) -> &'static [&'static str] {
    match dataset.benchmark.as_str() {
        // A task of the user's own says what its rows are.
        _ if dataset.task.is_some() => &["evaluation", "pretrain", "sft"],
        "heldout_loss" => &["sft"],
        "perplexity" | "wikitext" | "lambada" | "lambada_openai" => &["evaluation", "pretrain"],
        // Their rows are a user's own, and may look like those of a conversation.
        "custom_multiple_choice" | "custom_question_answer" => &["evaluation", "sft"],
        _ => &["evaluation"],
    }
}

/// Resolves a specification; every reference that is absent or does not fit is named.
pub(crate) async fn resolve<D: Sql>(
    db: &D,
    workspace: WorkspaceId,
    spec: &TaskSpec,
) -> Result<Result<Resolved, Vec<FieldError>>, Error> {
    let mut resolving = Resolving { db, workspace, errors: Vec::new(), resolved: Resolved::default() };
    match spec {
        TaskSpec::Training(spec) => resolving.training(spec).await?,
        TaskSpec::Evaluation(spec) => resolving.evaluation(spec).await?,
        TaskSpec::Compilation(spec) => resolving.compilation(spec).await?,
    }
    let Resolving { errors, mut resolved, .. } = resolving;
    if errors.is_empty() {
        resolved.estimate.finish(spec);
        return Ok(Ok(resolved));
    }
    Ok(Err(errors))
}

impl<D: Sql> Resolving<'_, D> {
    async fn training(&mut self, spec: &TrainingSpec) -> Result<(), Error> {
        if let Some(model) = self.model("spec.model", spec.model, None).await? {
            match model.format.as_str() {
                "onnx" => self.wrong("spec.model", "is a compiled model: training needs its source model"),
                "adapter" => {
                    self.wrong(
                        "spec.model",
                        "is an adapter: training begins from its base, or a whole model",
                    );
                }
                _ => {}
            }
            self.fits_context(spec.sequence_length, &model);
        }
        let wanted = match spec.task_type {
            TrainingKind::Pretrain => "pretrain",
            TrainingKind::Sft => "sft",
            TrainingKind::Dpo => "preference",
        };
        self.dataset("spec.dataset", "dataset", spec.dataset, Use::all(&[wanted])).await?;
        self.checkpoint_evaluation(spec).await
    }

    /// The datasets that checkpoints are scored on, in today's versions: a fact, for no trainer fetches or pays for them.
    async fn checkpoint_evaluation(&mut self, spec: &TrainingSpec) -> Result<(), Error> {
        let Some(evaluation) = &spec.checkpoint_evaluation else { return Ok(()) };
        let of_training = std::mem::take(&mut self.resolved);
        self.benchmarks("spec.checkpoint_evaluation.datasets", &evaluation.datasets).await?;
        let Resolved { inputs, facts, .. } = std::mem::replace(&mut self.resolved, of_training);
        let frozen = json!(Frozen { inputs, facts });
        self.resolved.facts.insert(checkpoint_evaluation::FACT.to_owned(), frozen);
        Ok(())
    }

    async fn benchmarks(&mut self, field: &str, datasets: &[EvaluationDataset]) -> Result<(), Error> {
        for (i, dataset) in datasets.iter().enumerate() {
            let field = format!("{field}[{i}].dataset");
            let use_of = Use { kinds: kinds_of(dataset), most_rows: dataset.limit.map(|rows| rows as u64) };
            self.dataset(&field, &format!("dataset.{i}"), dataset.dataset, use_of).await?;
        }
        Ok(())
    }

    /// A row longer than the model's context would get positions that the model never saw.
    fn fits_context(&mut self, sequence_length: usize, model: &ModelRow) {
        let Some(context) = model.context_tokens.map(i64::unsigned_abs) else { return };
        if sequence_length as u64 > context {
            self.wrong("spec.sequence_length", format!("the model's context is {context} tokens"));
        }
    }

    async fn evaluation(&mut self, spec: &EvaluationSpec) -> Result<(), Error> {
        let model = self.model("spec.model", spec.model, Some(spec.model_source)).await?;
        match (spec.checkpoint, spec.from_task) {
            (Some(checkpoint), Some(training)) => self.checkpoint(training, checkpoint, spec.model).await?,
            _ => self.origin(spec.from_task, spec.model).await?,
        }
        self.benchmarks("spec.datasets", &spec.datasets).await?;
        self.answers(spec).await?;
        match model.filter(|_| spec.leak_check) {
            Some(model) => self.training_data(model).await,
            None => Ok(()),
        }
    }

    /// The data along the model's lineage, in which leaks are looked for.
    async fn training_data(&mut self, model: ModelRow) -> Result<(), Error> {
        match leak_check::training_data(self.db, self.workspace, model).await? {
            Err(why) => self.wrong("spec.leak_check", why),
            Ok(data) => {
                for (folder, about) in data {
                    self.resolved.facts.insert(folder.role.clone(), about);
                    self.resolved.inputs.push(folder);
                }
            }
        }
        Ok(())
    }

    /// The answers that are scored again, over the rows that were asked.
    async fn answers(&mut self, spec: &EvaluationSpec) -> Result<(), Error> {
        let Some(task) = spec.rescore else { return Ok(()) };
        let earlier = match rescore::earlier(self.db, self.workspace, task, spec).await? {
            Ok(earlier) => earlier,
            Err(why) => {
                self.wrong("spec.rescore", why);
                return Ok(());
            }
        };
        let Resolved { inputs, facts, .. } = &mut self.resolved;
        for input in inputs.iter_mut() {
            let Some(about) = facts.get_mut(&input.role) else { continue };
            let then = about["dataset"].as_str().and_then(|id| earlier.dataset(id));
            if let Some((folder, said)) = then {
                *input = InputFolder { role: input.role.clone(), ..folder.clone() };
                about.clone_from(said);
            }
        }
        inputs.push(earlier.answers);
        Ok(())
    }

    async fn compilation(&mut self, spec: &CompilationSpec) -> Result<(), Error> {
        let model = self.model("spec.model", spec.model, Some(spec.model_source)).await?;
        self.origin(spec.from_task, spec.model).await?;
        if model.is_some_and(|model| model.format == "onnx") {
            self.wrong("spec.model", "is compiled already");
        }
        match spec.calibration {
            None => {}
            Some(CalibrationSource::Dataset(id)) => {
                self.dataset("spec.calibration.dataset", "calibration", id, Use::all(&TEXT)).await?;
            }
            Some(CalibrationSource::C4) => self.builtin("spec.calibration", "calibration", "c4").await?,
            Some(CalibrationSource::Ceval) => {
                self.builtin("spec.calibration", "calibration", "ceval").await?;
            }
        }
        if let Some(id) = spec.validation_dataset {
            self.dataset("spec.validation_dataset", "validation", id, Use::all(&TEXT)).await?;
        }
        Ok(())
    }

    /// A checkpoint takes the place of the model it was trained from; an adapter stands on it.
    async fn checkpoint(&mut self, task: TaskId, id: CheckpointId, base: ModelId) -> Result<(), Error> {
        match scored_checkpoint::folder(self.db, self.workspace, task, id, base).await? {
            Ok(folder) => {
                self.resolved.inputs.retain(|input| input.role != folder.role);
                self.resolved.inputs.push(folder);
            }
            Err(wrong) => self.errors.push(wrong),
        }
        Ok(())
    }

    /// The task that the model is said to come from has this very model.
    async fn origin(&mut self, from_task: Option<TaskId>, model: ModelId) -> Result<(), Error> {
        let Some(task) = from_task else { return Ok(()) };
        match model_of_task::of_task(self.db, self.workspace, task).await? {
            Ok(found) if found == model => {}
            Ok(found) => self.wrong("spec.from_task", format!("the model of {task} is {found}")),
            Err(why) => self.wrong("spec.from_task", why),
        }
        Ok(())
    }

    fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    /// A usable model; its folders become `model` and, for an adapter, `adapter`.
    async fn model(
        &mut self,
        field: &str,
        id: ModelId,
        source: Option<ModelSource>,
    ) -> Result<Option<ModelRow>, Error> {
        let Some(model) = known(models::readable(self.db, self.workspace, id).await)? else {
            self.wrong(field, format!("there is no model {id} in this workspace"));
            return Ok(None);
        };
        if source.is_some_and(|source| source != model.named_source()) {
            self.wrong("spec.model_source", format!("this model's source is `{}`", model.source));
        }
        if model.state != "ready" {
            self.wrong(field, format!("the model is {}: complete it first", model.state));
            return Ok(None);
        }
        self.folders_of(field, &model).await?;
        self.resolved.estimate.parameters = model.parameters.unwrap_or(model.size_bytes / 2).unsigned_abs();
        Ok(Some(model))
    }

    async fn folders_of(&mut self, field: &str, model: &ModelRow) -> Result<(), Error> {
        if model.format != "adapter" {
            self.resolved.inputs.push(model.folder("model")?);
            return Ok(());
        }
        let base: Option<ModelId> = model.base_model.as_deref().and_then(|id| id.parse().ok());
        let base = match base {
            Some(base) => known(models::readable(self.db, self.workspace, base).await)?,
            None => None,
        };
        match base.filter(|base| base.format != "adapter" && base.state == "ready") {
            Some(base) => {
                self.resolved.inputs.push(base.folder("model")?);
                self.resolved.inputs.push(model.folder("adapter")?);
            }
            None => self.wrong(field, "is an adapter whose base model is not here any more"),
        }
        Ok(())
    }

    async fn dataset(
        &mut self,
        field: &str,
        role: &str,
        id: DatasetId,
        use_of: Use<'_>,
    ) -> Result<(), Error> {
        match known(datasets::readable(self.db, self.workspace, id).await)? {
            None => self.wrong(field, format!("there is no dataset {id} in this workspace")),
            Some(row) if !use_of.kinds.contains(&row.kind.as_str()) => {
                let wanted = use_of.kinds.join("` or `");
                self.wrong(
                    field,
                    format!("this dataset's kind is `{}`; needed here is `{wanted}`", row.kind),
                );
            }
            Some(row) => self.take(role, &row, use_of.most_rows),
        }
        Ok(())
    }

    async fn builtin(&mut self, field: &str, role: &str, name: &str) -> Result<(), Error> {
        match datasets::builtin(self.db, name).await? {
            None => self.wrong(
                field,
                format!("no built-in dataset named `{name}` is registered here: give {{\"dataset\": id}}"),
            ),
            Some(row) => self.take(role, &row, None),
        }
        Ok(())
    }

    fn take(&mut self, role: &str, row: &DatasetRow, most_rows: Option<u64>) {
        self.resolved.inputs.push(InputFolder {
            role: role.to_owned(),
            prefix: row.prefix.clone(),
            manifest_sha256: row.manifest_sha256.clone(),
        });
        let about = json!({
            "dataset": row.id, "version": row.version, "kind": row.kind, "format": row.format,
            "file": row.file_name, "rows": row.total_rows - row.invalid_rows,
        });
        self.resolved.facts.insert(role.to_owned(), about);
        let (characters, rows) = (row.characters.unsigned_abs(), row.total_rows.unsigned_abs());
        self.resolved.estimate.add(characters, rows, most_rows);
    }
}

/// `None` for what is not there.
fn known<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(row) => Ok(Some(row)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
