//! What a model stands on.

use anneal_domain::id::WorkspaceId;
use anneal_store::Sql;

use super::row::{ModelRow, readable};
use crate::Error;

/// A model, its base, the base of that, and so on: at most `most` of them, as far as they are there.
pub(crate) async fn ancestry(
    db: &impl Sql,
    workspace: WorkspaceId,
    model: ModelRow,
    most: usize,
) -> Result<Vec<ModelRow>, Error> {
    let mut chain = vec![model];
    while let Some(base) = chain.last().and_then(|model| model.base_model.as_deref()?.parse().ok()) {
        if chain.len() == most {
            break;
        }
        match readable(db, workspace, base).await {
            Ok(row) => chain.push(row),
            Err(Error::NotFound(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(chain)
}
