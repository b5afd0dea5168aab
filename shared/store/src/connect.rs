//! Opens a database: SQLite with one writer and several readers, or a PostgreSQL pool.
//!
//! SQLite has one writer at a time whatever we do; giving it one connection makes writers queue here, in order, and keeps a
//! reader from ever meeting a half-open transaction of the same pool.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use crate::Error;

const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of one database.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) writer: DatabaseConnection,
    pub(crate) reader: DatabaseConnection,
}

pub(crate) async fn open(url: &str) -> Result<Connections, Error> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "sqlite" => open_sqlite(url).await,
        "postgres" | "postgresql" => {
            let pool = Database::connect(options(url, POSTGRES_CONNECTIONS)).await?;
            Ok(Connections { writer: pool.clone(), reader: pool })
        }
        _ => Err(Error::Url(format!(
            "`{scheme}:` is neither `sqlite:` (a file, `sqlite:///path/name.db?mode=rwc`) nor `postgres:`"
        ))),
    }
}

async fn open_sqlite(url: &str) -> Result<Connections, Error> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::Url(
            "an in-memory SQLite database is another one for every connection: name a file".to_owned(),
        ));
    }
    let mut writing = options(url, 1);
    writing.min_connections(1).map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
    });
    let writer = Database::connect(writing).await?;
    let mut reading = options(url, READERS);
    reading.map_sqlx_sqlite_opts(|sqlite| {
        sqlite.pragma("query_only", "ON").foreign_keys(true).busy_timeout(BUSY_TIMEOUT)
    });
    let reader = Database::connect(reading).await?;
    Ok(Connections { writer, reader })
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}
