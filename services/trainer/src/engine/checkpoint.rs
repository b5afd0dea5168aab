//! Checkpoint folders `checkpoint-<step>/`: weights, moments, everything else of the run's state, and checksums of it all.
//!
//! A folder has its name only when it is whole. What continues a run is in `training_state.json`; `trainer_state.json` has
//! transformers' shape, for people and tools.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Read,
    path::Path,
};

use anneal_contracts::engine::{Line, TrainerSpec};
use anneal_model::{
    Source,
    save::{StoredType, write_safetensors},
};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Error, Output, Result, artifacts, best,
    point::Point,
    session::{Position, Session},
};

/// What a checkpoint says of itself.
pub(crate) const STATE_FILE: &str = "training_state.json";
/// AdamW's moments, `<parameter>.first` and `<parameter>.second`.
pub(crate) const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// transformers' view of the run.
pub(crate) const TRAINER_FILE: &str = "trainer_state.json";

/// The shape of [`SavedState`].
pub(crate) const FORMAT: u32 = 2;

/// `training_state.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedState {
    /// [`FORMAT`].
    pub(crate) format: u32,
    pub(crate) position: Position,
    pub(crate) optimizer_steps: u64,
    /// The spec's fields that say what the next step computes.
    pub(crate) recipe: Map<String, Value>,
    /// Items and checksum of the training part.
    pub(crate) corpus: (u64, u32),
    /// What the weights are built on: see `base::checksum`.
    pub(crate) base: u32,
    /// The instruction set the kernels used: another one gives the same results within rounding only.
    pub(crate) isa: String,
    /// Every other file's length and CRC-32C.
    pub(crate) files: BTreeMap<String, (u64, u32)>,
}

/// The fields of a spec that say what a step computes; the others may differ when a run is continued.
pub(crate) fn recipe(spec: &TrainerSpec) -> Map<String, Value> {
    const FREE: [&str; 17] = [
        "device",
        "threads",
        "model",
        "model_name",
        "initial_weights",
        "dataset",
        "dataset_format",
        "log_interval",
        "eval_interval",
        "early_stopping_patience",
        "save_interval",
        "keep_checkpoints",
        "resume_from",
        "output_dir",
        "global_batch_size",
        "gradient_checkpointing",
        "flash_attention",
    ];
    let mut recipe = match serde_json::to_value(spec) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    recipe.retain(|field, _| !FREE.contains(&field.as_str()));
    if let Some(lora) = recipe.get_mut("lora").and_then(Value::as_object_mut) {
        lora.remove("initial_adapter");
    }
    recipe
}

/// The instruction set in use.
pub(crate) fn isa() -> String {
    format!("{:?}", anneal_kernels::isa())
}

/// Writes the run's checkpoint and tells it.
pub(crate) fn save(session: &Session, source: &Source, history: &[Point], output: &mut Output) -> Result<()> {
    let step = session.position.step;
    let root = &session.plan.output_dir;
    let folder = root.join(format!("checkpoint-{step}"));
    let partial = root.join(format!(".checkpoint-{step}.partial"));
    remove(&partial)?;
    artifacts::save(session, source, &partial)?;
    save_moments(session, &partial.join(OPTIMIZER_FILE))?;
    write_json(&partial.join(TRAINER_FILE), &trainer_state(session, history))?;
    best::add_to(session, &partial)?;
    let state = SavedState {
        format: FORMAT,
        position: session.position.clone(),
        optimizer_steps: session.optimizer.steps(),
        recipe: recipe(&session.plan.spec),
        corpus: (session.corpus.train.len(), session.corpus.train.checksum()),
        base: session.base,
        isa: isa(),
        files: checksums(&partial)?,
    };
    write_json(&partial.join(STATE_FILE), &json!(state))?;
    remove(&folder)?;
    std::fs::rename(&partial, &folder).map_err(|error| Error::io(&folder, error))?;
    let best = session.position.best.is_some_and(|(best, _)| best == step);
    if best {
        best::keep(session, &session.position, &folder)?;
    }
    output.line(&Line::Checkpoint { step, path: folder.display().to_string(), best });
    Ok(())
}

fn save_moments(session: &Session, path: &Path) -> Result<()> {
    let mut moments = HashMap::new();
    let mut shapes = Vec::new();
    for (name, of_parameter) in session.optimizer.moments() {
        for (part, values) in [("first", &of_parameter.first), ("second", &of_parameter.second)] {
            let name = format!("{name}.{part}");
            shapes.push((name.clone(), vec![values.len()]));
            moments.insert(name, values);
        }
    }
    let tensor = |name: &str| Ok(Tensor::from_slice(moments[name], moments[name].len(), &Device::Cpu)?);
    write_safetensors(path, &shapes, StoredType::F32, &HashMap::new(), tensor)
        .map_err(Error::model("output_dir"))
}

/// transformers' `TrainerState`.
fn trainer_state(session: &Session, history: &[Point]) -> Value {
    let (spec, position) = (&session.plan.spec, &session.position);
    let best = position.best.map(|(step, _)| format!("checkpoint-{step}"));
    json!({
        "best_global_step": position.best.map(|(step, _)| step),
        "best_metric": position.best.map(|(_, loss)| loss),
        "best_model_checkpoint": best,
        "epoch": session.epoch(),
        "eval_steps": spec.eval_interval.unwrap_or(spec.save_interval),
        "global_step": position.step,
        "is_hyper_param_search": false,
        "is_local_process_zero": session.plan.rank.leads(),
        "is_world_process_zero": session.plan.rank.leads(),
        "log_history": history.iter().map(Point::entry).collect::<Vec<_>>(),
        "logging_steps": spec.log_interval,
        "max_steps": session.steps(),
        "num_input_tokens_seen": position.tokens,
        "num_train_epochs": spec.epochs.ceil() as u64,
        "save_steps": spec.save_interval,
        "stateful_callbacks": {},
        "total_flos": 0.0,
        "train_batch_size": spec.micro_batch_size,
        "trial_name": null,
        "trial_params": null,
    })
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).expect("a value is always JSON");
    std::fs::write(path, text).map_err(|error| Error::io(path, error))
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder, error)),
        _ => Ok(()),
    }
}

/// Length and CRC-32C of every file in a folder but the state file.
pub(crate) fn checksums(folder: &Path) -> Result<BTreeMap<String, (u64, u32)>> {
    let mut sums = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let path = entry.map_err(|error| Error::io(folder, error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name != STATE_FILE && path.is_file() {
            sums.insert(name, checksum(&path).map_err(|error| Error::io(&path, error))?);
        }
    }
    Ok(sums)
}

fn checksum(path: &Path) -> std::io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let (mut length, mut crc) = (0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, crc));
        }
        length += read as u64;
        crc = crc32c::crc32c_append(crc, &buffer[..read]);
    }
}

/// Deletes the oldest checkpoints beyond those to keep; the best one stays.
pub(crate) fn prune(session: &Session) -> Result<()> {
    let root = &session.plan.output_dir;
    let best = session.position.best.map(|(step, _)| step);
    let mut steps = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| Error::io(root, error))? {
        let name = entry.map_err(|error| Error::io(root, error))?.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix("checkpoint-")?.parse::<u64>().ok());
        steps.extend(step);
    }
    steps.sort_unstable();
    let surplus = steps.len().saturating_sub(session.plan.spec.keep_checkpoints);
    for step in steps.into_iter().take(surplus).filter(|&step| Some(step) != best) {
        remove(&root.join(format!("checkpoint-{step}")))?;
    }
    Ok(())
}
