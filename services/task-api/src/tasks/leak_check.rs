//! The data that a model was made from, along its whole lineage.

use std::collections::BTreeSet;

use anneal_contracts::rpc::InputFolder;
use anneal_domain::id::{DatasetId, TaskId, WorkspaceId};
use anneal_store::Sql;
use serde_json::{Map, Value};

use crate::{
    Error, datasets,
    models::{self, ModelRow},
    store::{TaskRow, from_json},
};

/// Models of a lineage that are looked at.
const LONGEST: usize = 64;
/// What a task makes a model from: training rows, and the text that a compilation is calibrated with.
const DATA: [&str; 2] = ["dataset", "calibration"];

/// The folders of data, each with what is known of it and the role `training.0`…; or why it cannot be told.
pub(super) async fn training_data(
    db: &impl Sql,
    workspace: WorkspaceId,
    model: ModelRow,
) -> Result<Result<Vec<(InputFolder, Value)>, String>, Error> {
    let (mut data, mut seen) = (Vec::new(), BTreeSet::new());
    for model in models::ancestry(db, workspace, model, LONGEST).await? {
        let Some(task) = model.task else { continue };
        let task: TaskId = task.parse().map_err(|_| Error::stored("task id"))?;
        let row = match TaskRow::find_in(db, workspace, task).await {
            Err(Error::NotFound(_)) => {
                return Ok(Err(format!(
                    "{task}, which made {}, was deleted: its data is not known",
                    model.id
                )));
            }
            row => row?,
        };
        let facts: Map<String, Value> = from_json(&row.facts, "task facts")?;
        let inputs: Vec<InputFolder> = from_json(&row.inputs, "task inputs")?;
        for input in inputs.into_iter().filter(|input| DATA.contains(&input.role.as_str())) {
            let about = facts.get(&input.role).cloned().unwrap_or_default();
            if !is_there(db, workspace, &about).await? {
                let dataset = about["dataset"].as_str().unwrap_or("the data").to_owned();
                return Ok(Err(format!("{dataset}, which {task} worked with, was deleted")));
            }
            if seen.insert(input.manifest_sha256.clone()) {
                data.push((InputFolder { role: format!("training.{}", data.len()), ..input }, about));
            }
        }
    }
    let none =
        "nothing along this model's lineage was trained or calibrated here: there is no data to look through";
    Ok(if data.is_empty() { Err(none.to_owned()) } else { Ok(data) })
}

/// Whether the version of the dataset that was worked with still is.
async fn is_there(db: &impl Sql, workspace: WorkspaceId, about: &Value) -> Result<bool, Error> {
    let Some(dataset) = about["dataset"].as_str().and_then(|id| id.parse::<DatasetId>().ok()) else {
        return Ok(false);
    };
    match datasets::version(db, workspace, dataset, about["version"].as_i64()).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
