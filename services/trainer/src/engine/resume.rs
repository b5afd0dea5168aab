//! Puts a session back to where a checkpoint left it, or says why that would not be the same run.

use std::{collections::BTreeMap, path::Path};

use anneal_contracts::engine::Method;
use anneal_kernels::Moments;
use anneal_model::weights::{SafeTensors, ShardedWeights};
use candle_core::{Device, Tensor};
use serde_json::Value;

use super::{
    Error, Result,
    checkpoint::{OPTIMIZER_FILE, STATE_FILE, SavedState, TRAINER_FILE, checksums, recipe},
    optimizer::Optimizer,
    session::Session,
};

/// Restores `session` from the checkpoint at `folder`; returns the history of its metrics.
pub(crate) fn restore(session: &mut Session, folder: &Path) -> Result<Vec<Value>> {
    let state = read_state(folder)?;
    same_run(session, &state, folder)?;
    let names: Vec<String> = session.trainable.iter().map(|(name, _)| name.clone()).collect();
    let weights = if session.plan.spec.method == Method::Full {
        read_model(folder, &names)?
    } else {
        read_tensors(&folder.join("adapter_model.safetensors"), &names, folder)?
    };
    let wrong = |error: anneal_model::Error| Error::checkpoint(folder, error.to_string());
    session.decoder.set_trainable(&weights).map_err(wrong)?;
    let moments = read_moments(folder)?;
    session.optimizer = Optimizer::new(&session.plan.spec.optimizer, state.optimizer_steps, moments);
    session.position = state.position;
    read_history(folder)
}

/// Gives the trained variables the values in a safetensors file of the same names (`initial_adapter`, `initial_weights`).
pub(crate) fn initialise_from(
    session_names: &[String],
    path: &Path,
    field: &'static str,
) -> Result<Vec<(String, Tensor)>> {
    let file = SafeTensors::open(path).map_err(Error::model(field))?;
    let unknown = file.names().iter().find(|name| !session_names.contains(name));
    if let Some(name) = unknown.filter(|name| name.as_str() != "lm_head.weight") {
        return Err(Error::spec(field, format!("{}: `{name}` is not a trained tensor", path.display())));
    }
    let read = |name: &String| -> Result<(String, Tensor)> {
        if file.info(name).is_none() {
            return Err(Error::spec(field, format!("{}: tensor `{name}` is missing", path.display())));
        }
        let (shape, values) = file.read_f32(name).map_err(Error::model(field))?;
        Ok((name.clone(), Tensor::from_vec(values, shape, &Device::Cpu)?))
    };
    session_names.iter().map(read).collect()
}

fn read_state(folder: &Path) -> Result<SavedState> {
    let wrong = |reason: String| Error::checkpoint(folder, reason);
    let text =
        std::fs::read(folder.join(STATE_FILE)).map_err(|error| wrong(format!("{STATE_FILE}: {error}")))?;
    let state: SavedState =
        serde_json::from_slice(&text).map_err(|error| wrong(format!("{STATE_FILE}: {error}")))?;
    if state.format != 1 {
        return Err(wrong(format!("format {} is not known", state.format)));
    }
    let found = checksums(folder).map_err(|error| wrong(error.to_string()))?;
    for (name, expected) in &state.files {
        match found.get(name) {
            None => return Err(wrong(format!("{name} is missing"))),
            Some(sums) if sums != expected => return Err(wrong(format!("{name} is damaged"))),
            Some(_) => {}
        }
    }
    Ok(state)
}

/// Continuing with other data or another recipe would not be the same run.
fn same_run(session: &Session, state: &SavedState, folder: &Path) -> Result<()> {
    let now = recipe(&session.plan.spec);
    for (field, value) in &now {
        if state.recipe.get(field) != Some(value) {
            let saved = state.recipe.get(field).unwrap_or(&Value::Null);
            return Err(Error::spec(
                field,
                format!("is {value}, but {} was made with {saved}", folder.display()),
            ));
        }
    }
    let corpus = (session.corpus.train.len(), session.corpus.train.checksum());
    if state.corpus != corpus {
        let reason = format!(
            "other training tokens than {} was made with: {} sequences, not {}",
            folder.display(),
            corpus.0,
            state.corpus.0
        );
        return Err(Error::spec("dataset", reason));
    }
    if state.position.step > session.steps() {
        return Err(Error::checkpoint(folder, format!("step {} is beyond the run", state.position.step)));
    }
    Ok(())
}

fn read_model(folder: &Path, names: &[String]) -> Result<Vec<(String, Tensor)>> {
    let wrong = |error: anneal_model::Error| Error::checkpoint(folder, error.to_string());
    let weights = ShardedWeights::open(folder).map_err(wrong)?;
    let read = |name: &String| -> Result<(String, Tensor)> {
        let missing = || Error::checkpoint(folder, format!("tensor `{name}` is missing"));
        let (shape, values) = weights.read_f32(name).ok_or_else(missing)?.map_err(wrong)?;
        Ok((name.clone(), Tensor::from_vec(values, shape, &Device::Cpu)?))
    };
    names.iter().map(read).collect()
}

fn read_tensors(path: &Path, names: &[String], folder: &Path) -> Result<Vec<(String, Tensor)>> {
    let wrong = |error: anneal_model::Error| Error::checkpoint(folder, error.to_string());
    let file = SafeTensors::open(path).map_err(wrong)?;
    let read = |name: &String| -> Result<(String, Tensor)> {
        let (shape, values) = file.read_f32(name).map_err(wrong)?;
        Ok((name.clone(), Tensor::from_vec(values, shape, &Device::Cpu)?))
    };
    names.iter().map(read).collect()
}

fn read_moments(folder: &Path) -> Result<BTreeMap<String, Moments>> {
    let wrong = |error: anneal_model::Error| Error::checkpoint(folder, error.to_string());
    let file = SafeTensors::open(&folder.join(OPTIMIZER_FILE)).map_err(wrong)?;
    let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
    for name in file.names() {
        let (_, values) = file.read_f32(name).map_err(wrong)?;
        match name.rsplit_once('.') {
            Some((parameter, "first")) => moments.entry(parameter.to_owned()).or_default().first = values,
            Some((parameter, "second")) => moments.entry(parameter.to_owned()).or_default().second = values,
            _ => return Err(Error::checkpoint(folder, format!("{OPTIMIZER_FILE}: unknown tensor `{name}`"))),
        }
    }
    Ok(moments)
}

fn read_history(folder: &Path) -> Result<Vec<Value>> {
    let path = folder.join(TRAINER_FILE);
    let wrong = |reason: String| Error::checkpoint(folder, format!("{TRAINER_FILE}: {reason}"));
    let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let mut value: Value = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    match value["log_history"].take() {
        Value::Array(history) => Ok(history),
        _ => Err(wrong("`log_history` is not a list".to_owned())),
    }
}
