//! Objects that nothing needs any more: noted in the transaction that lets go of them, removed later.
//!
//! The note is a folder; what a row still names below it stays, whoever noted it. So a crash between a commit and the removal
//! loses nothing and leaks nothing, and a folder that two things share (a task's, and the model it left behind) goes with the
//! last of them. Removal waits: an upload of a lost lease may still be under way, and links that were given out still work.

use anneal_artifacts::Prefix;
use anneal_store::{Sql, Tx};
use sea_orm::FromQueryResult;

use crate::{
    Error,
    store::{all, like_start},
};

/// Folders that one look takes on.
const AT_ONCE: u32 = 64;

/// Rows that name a folder or an object below `$1`.
const NAMED: [&str; 5] = [
    "SELECT prefix FROM models WHERE prefix LIKE $1 ESCAPE '\\'",
    "SELECT prefix FROM checkpoints WHERE prefix LIKE $1 ESCAPE '\\'",
    "SELECT prefix FROM artifacts WHERE prefix LIKE $1 ESCAPE '\\'",
    "SELECT prefix FROM dataset_versions WHERE prefix LIKE $1 ESCAPE '\\'",
    "SELECT object AS prefix FROM model_files WHERE object LIKE $1 ESCAPE '\\'",
];

#[derive(FromQueryResult)]
struct Folder {
    prefix: String,
}

/// Notes that what lies below a folder is no longer needed, unless a row names it.
pub(crate) async fn discard(tx: &Tx, prefix: &Prefix) -> Result<(), Error> {
    let now = tx.now_ms().await?;
    let sql = "INSERT INTO discarded (prefix, at_ms) VALUES ($1, $2)
               ON CONFLICT (prefix) DO UPDATE SET at_ms = excluded.at_ms";
    tx.run(sql, [prefix.as_str().into(), now.into()]).await?;
    Ok(())
}

/// Folders noted before this time, oldest first.
pub(crate) async fn due(db: &impl Sql, before_ms: i64) -> Result<Vec<Prefix>, Error> {
    let sql = format!("SELECT prefix FROM discarded WHERE at_ms < $1 ORDER BY at_ms LIMIT {AT_ONCE}");
    prefixes(all(db, &sql, [before_ms.into()]).await?)
}

/// Folders and objects below this one (or itself) that rows name.
pub(crate) async fn still_named(db: &impl Sql, prefix: &Prefix) -> Result<Vec<Prefix>, Error> {
    let mut named = Vec::new();
    for sql in NAMED {
        let rows: Vec<Folder> = all(db, sql, [like_start(prefix.as_str()).into()]).await?;
        named.extend(prefixes(rows)?);
    }
    Ok(named)
}

/// The folder was removed; a note that was made again meanwhile stays.
pub(crate) async fn forget(tx: &Tx, prefix: &Prefix, before_ms: i64) -> Result<(), Error> {
    let sql = "DELETE FROM discarded WHERE prefix = $1 AND at_ms < $2";
    tx.run(sql, [prefix.as_str().into(), before_ms.into()]).await?;
    Ok(())
}

fn prefixes(rows: Vec<Folder>) -> Result<Vec<Prefix>, Error> {
    let parse = |row: Folder| Prefix::parse(&row.prefix).map_err(|_| Error::stored("prefix"));
    rows.into_iter().map(parse).collect()
}
