//! A dataset as the API shows it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Error,
    datasets::{DatasetRow, StoredFile},
    http::time,
    store::from_json,
};

/// Characters that one token has in English text, about: what an estimate divides by.
const CHARACTERS_PER_TOKEN: i64 = 4;

/// A version of a dataset.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Dataset {
    id: String,
    name: String,
    /// `pretrain`, `sft`, `preference` or `evaluation`.
    kind: String,
    /// `jsonl`, `json`, `csv`, `tsv`, `parquet`, `arrow` or `text`; `several` where its files differ.
    format: String,
    /// How its columns are laid out.
    layout: String,
    /// What its kind was told from.
    evidence: String,
    version: i64,
    rows: i64,
    /// Rows that cannot be used and were left out.
    invalid_rows: i64,
    size_bytes: i64,
    statistics: DatasetStatistics,
    files: Vec<StoredFile>,
    sha256: String,
    created_at: String,
    /// The platform's own: every workspace may use it.
    builtin: bool,
    /// The first of the rows that cannot be used.
    #[schema(value_type = Vec<Object>)]
    errors: Value,
}

/// How large the usable rows of a dataset are.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct DatasetStatistics {
    characters: i64,
    mean_row_characters: f64,
    /// One token has about four characters in English text.
    tokens_by_four_characters: i64,
}

pub(super) fn view(row: &DatasetRow) -> Result<Dataset, Error> {
    let usable_rows = (row.total_rows - row.invalid_rows).max(1);
    Ok(Dataset {
        id: row.id.clone(),
        name: row.name.clone(),
        kind: row.kind.clone(),
        format: row.format.clone(),
        layout: row.layout.clone(),
        evidence: row.evidence.clone(),
        version: row.version,
        rows: row.total_rows,
        invalid_rows: row.invalid_rows,
        size_bytes: row.size_bytes,
        statistics: DatasetStatistics {
            characters: row.characters,
            mean_row_characters: row.characters as f64 / usable_rows as f64,
            tokens_by_four_characters: row.characters / CHARACTERS_PER_TOKEN,
        },
        files: row.files()?,
        sha256: row.sha256.clone(),
        created_at: time(row.created_at_ms),
        builtin: row.builtin != 0,
        errors: from_json(&row.errors, "row errors")?,
    })
}
