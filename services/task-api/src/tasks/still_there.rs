//! What a task stands on, looked at again in the transaction that creates it.
//!
//! Between the first look and the commit billing was asked; meanwhile a dataset or a model may have been deleted, and its
//! objects with it. Here their rows are locked, so that a deletion comes before (and is seen) or after (and sees the task).

use anneal_domain::spec::{EvaluationSpec, TaskSpec};
use anneal_store::{Sql, Tx};

use super::{NewTask, resolve};
use crate::{
    Error,
    store::{for_update, places},
};

/// The task with its inputs as they are now; an input that has gone or changed its kind is named.
pub(crate) async fn still_there(tx: &Tx, mut new: NewTask) -> Result<NewTask, Error> {
    let model = match &new.spec {
        TaskSpec::Training(spec) => spec.model,
        TaskSpec::Evaluation(spec) => spec.model,
        TaskSpec::Compilation(spec) => spec.model,
    };
    if let TaskSpec::Evaluation(EvaluationSpec { rescore: Some(earlier), .. }) = &new.spec {
        lock(tx, "tasks", vec![earlier.to_string()]).await?;
    }
    lock(tx, "models", vec![model.to_string()]).await?;
    let datasets = new.resolved.facts.values().filter_map(|about| about["dataset"].as_str());
    let mut datasets: Vec<String> = datasets.map(str::to_owned).collect();
    if let TaskSpec::Training(spec) = &new.spec {
        let scored = spec.checkpoint_evaluation.iter().flat_map(|evaluation| &evaluation.datasets);
        datasets.extend(scored.map(|entry| entry.dataset.to_string()));
    }
    lock(tx, "datasets", datasets).await?;
    new.resolved = resolve(&**tx, new.workspace, &new.spec).await?.map_err(Error::Invalid)?;
    Ok(new)
}

async fn lock(tx: &Tx, table: &str, ids: Vec<String>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    // In one order, so that two creations never wait for each other.
    let sql = format!(
        "SELECT id FROM {table} WHERE id IN ({}) ORDER BY id{}",
        places(1, ids.len()),
        for_update(tx)
    );
    tx.rows(&sql, ids.into_iter().map(sea_orm::Value::from)).await?;
    Ok(())
}
