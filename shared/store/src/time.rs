//! The time that decides leases: the database's own, or a given one in tests.

use std::{fmt, sync::Arc};

use anneal_runtime::clock::{Clock, SharedClock};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::{Error, Sql};

/// Where [`crate::Tx::now_ms`] and [`crate::Store::now_ms`] read the time.
#[derive(Clone, Default)]
pub enum TimeSource {
    /// The database server's clock: the same for every process that shares the database.
    #[default]
    Database,
    /// This clock; for tests that move time by hand.
    Clock(SharedClock),
}

impl TimeSource {
    /// A clock that a test holds on to.
    pub fn clock(clock: impl Clock) -> Self {
        Self::Clock(Arc::new(clock))
    }

    pub(crate) async fn now_ms<C: ConnectionTrait>(&self, db: &C) -> Result<i64, Error> {
        let sql = match (self, db.get_database_backend()) {
            (Self::Clock(clock), _) => return Ok(clock.unix_ms()),
            (Self::Database, DbBackend::Postgres) => {
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms"
            }
            (Self::Database, _) => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now_ms",
        };
        let row = db.row(sql, []).await?.ok_or_else(|| Error::Row("the clock gave no row".to_owned()))?;
        Ok(row.try_get("", "now_ms")?)
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "TimeSource::Database",
            Self::Clock(_) => "TimeSource::Clock",
        })
    }
}
