//! The answers of an earlier evaluation, for one that scores them again.

use anneal_contracts::rpc::InputFolder;
use anneal_domain::{
    id::{TaskId, WorkspaceId},
    spec::{EvaluationSpec, TaskSpec},
    task::TaskState,
};
use anneal_store::Sql;
use sea_orm::FromQueryResult;
use serde_json::{Map, Value};

use crate::{
    Error,
    store::{TaskRow, from_json, one},
};

/// The role of the folder with the answers.
pub(super) const ANSWERS: &str = "answers";

/// What an earlier evaluation worked with and left.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    /// Its answers.
    pub(super) answers: InputFolder,
    /// The folders it fetched.
    inputs: Vec<InputFolder>,
    facts: Map<String, Value>,
}

impl Earlier {
    /// The folder and the facts of a dataset, in the version that it was then.
    pub(super) fn dataset(&self, id: &str) -> Option<(&InputFolder, &Value)> {
        let (role, about) = self.facts.iter().find(|(_, about)| about["dataset"] == id)?;
        Some((self.inputs.iter().find(|input| input.role == *role)?, about))
    }
}

#[derive(FromQueryResult)]
struct Folder {
    prefix: String,
    manifest_sha256: String,
}

/// The evaluation whose answers are to be scored again; or why it has none for this one.
pub(super) async fn earlier(
    db: &impl Sql,
    workspace: WorkspaceId,
    task: TaskId,
    wanted: &EvaluationSpec,
) -> Result<Result<Earlier, String>, Error> {
    let row = match TaskRow::find_in(db, workspace, task).await {
        Err(Error::NotFound(_)) => return Ok(Err(format!("there is no task {task} in this workspace"))),
        row => row?,
    };
    let TaskSpec::Evaluation(spec) = row.spec()? else {
        return Ok(Err(format!("{task} is a {} task: only evaluations are scored again", row.kind)));
    };
    if row.state()? != TaskState::Succeeded {
        return Ok(Err(format!(
            "{task} is {}: only an evaluation that succeeded has all answers",
            row.state
        )));
    }
    if let Some(what) = difference(&spec, wanted) {
        return Ok(Err(format!("{task} has another {what}: its answers are not those that would be given")));
    }
    let sql = "SELECT prefix, manifest_sha256 FROM artifacts WHERE task = $1 AND role = 'results'";
    let Some(Folder { prefix, manifest_sha256 }) = one(db, sql, [row.id.clone().into()]).await? else {
        return Ok(Err(format!("{task} published no results")));
    };
    Ok(Ok(Earlier {
        answers: InputFolder { role: ANSWERS.to_owned(), prefix, manifest_sha256 },
        inputs: from_json(&row.inputs, "task inputs")?,
        facts: from_json(&row.facts, "task facts")?,
    }))
}

/// The first setting that decides answers and is not the same.
fn difference(earlier: &EvaluationSpec, wanted: &EvaluationSpec) -> Option<&'static str> {
    let same = [
        ("model", earlier.model == wanted.model && earlier.checkpoint == wanted.checkpoint),
        ("`apply_chat_template`", earlier.apply_chat_template == wanted.apply_chat_template),
        ("`max_length`", earlier.max_length == wanted.max_length),
        ("`seed`", earlier.seed == wanted.seed),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}
