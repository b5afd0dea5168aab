//! Puts a session back to where a checkpoint left it, or says why that would not be the same run.

use std::{collections::BTreeMap, path::Path};

use anneal_kernels::Moments;
use anneal_model::weights::SafeTensors;
use candle_core::{Device, Tensor};
use serde_json::Value;

use super::{
    Error, Result, artifacts, best,
    checkpoint::{FORMAT, OPTIMIZER_FILE, STATE_FILE, SavedState, TRAINER_FILE, checksums, recipe},
    optimizer::Optimizer,
    point::Point,
    session::Session,
};

/// What a checkpoint says beyond the state of the session.
pub(crate) struct Restored {
    /// Every metric so far.
    pub(crate) history: Vec<Point>,
    /// The instruction set of the kernels that made it.
    pub(crate) isa: String,
}

/// Restores `session` from the checkpoint at `folder`.
pub(crate) fn restore(session: &mut Session, folder: &Path) -> Result<Restored> {
    let state = read_state(folder)?;
    same_run(session, &state, folder)?;
    let names: Vec<String> = session.trainable.iter().map(|(name, _)| name.clone()).collect();
    let wrong = |error: anneal_model::Error| Error::checkpoint(folder, error.to_string());
    let file = folder.join(artifacts::weights_file(session.plan.spec.method));
    let weights = read_tensors(&file, &names).map_err(wrong)?;
    session.decoder.set_trainable(&weights).map_err(wrong)?;
    let moments = read_moments(folder)?;
    session.optimizer =
        Optimizer::new(&session.plan.spec.optimizer, &session.trainable, state.optimizer_steps, moments);
    best::keep(session, &state.position, folder)?;
    session.position = state.position;
    Ok(Restored { history: read_history(folder)?, isa: state.isa })
}

/// The tensors `names` of a safetensors file.
pub(crate) fn read_tensors(path: &Path, names: &[String]) -> anneal_model::Result<Vec<(String, Tensor)>> {
    let file = SafeTensors::open(path)?;
    let read = |name: &String| -> anneal_model::Result<(String, Tensor)> {
        let (shape, values) = file.read_f32(name)?;
        Ok((name.clone(), Tensor::from_vec(values, shape, &Device::Cpu)?))
    };
    names.iter().map(read).collect()
}

fn read_state(folder: &Path) -> Result<SavedState> {
    let wrong = |reason: String| Error::checkpoint(folder, reason);
    let text =
        std::fs::read(folder.join(STATE_FILE)).map_err(|error| wrong(format!("{STATE_FILE}: {error}")))?;
    let damaged = |error: serde_json::Error| wrong(format!("{STATE_FILE}: {error}"));
    let state: Value = serde_json::from_slice(&text).map_err(damaged)?;
    if state["format"] != FORMAT {
        return Err(wrong(format!("its format is {}, this program reads {FORMAT}", state["format"])));
    }
    let state: SavedState = serde_json::from_value(state).map_err(damaged)?;
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
    if state.base != session.base {
        let reason = format!("is another model than {} was made with", folder.display());
        return Err(Error::spec("model", reason));
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

fn read_history(folder: &Path) -> Result<Vec<Point>> {
    let path = folder.join(TRAINER_FILE);
    let wrong = |reason: String| Error::checkpoint(folder, format!("{TRAINER_FILE}: {reason}"));
    let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let Some(entries) = value["log_history"].as_array() else {
        return Err(wrong("`log_history` is not a list".to_owned()));
    };
    let point = |(n, entry)| {
        Point::read(entry).ok_or_else(|| wrong(format!("entry {n} of `log_history` is not one of ours")))
    };
    entries.iter().enumerate().map(point).collect()
}
