//! The schema, brought up to date in order: this room's own tables first, then the service's.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTraitSelf, SchemaManager, async_trait::async_trait,
};

use crate::{Error, Sql, Tx};

/// A service's migrations, oldest first. Once released, one is never changed; names are unique.
pub type Migrations = fn() -> Vec<Box<dyn MigrationTrait>>;

/// Any number that no other use of advisory locks has.
const MIGRATION_LOCK: i64 = 0x616e_6e65_616c;

pub(crate) async fn run(tx: &Tx, list: Migrations) -> Result<(), Error> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.run("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK.into()]).await?;
    }
    Ok(All(list).up(&**tx, None).await?)
}

struct All(Migrations);

impl MigratorTraitSelf for All {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let mut all: Vec<Box<dyn MigrationTrait>> = vec![Box::new(OutboxAndInbox), Box::new(MarksAndAges)];
        all.extend((self.0)());
        all
    }
}

struct OutboxAndInbox;

impl MigrationName for OutboxAndInbox {
    fn name(&self) -> &'static str {
        "store_0001_outbox_and_inbox"
    }
}

#[async_trait]
impl MigrationTrait for OutboxAndInbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), sea_orm::DbErr> {
        let db = manager.get_connection();
        let (id, bytes) = match db.get_database_backend() {
            DbBackend::Postgres => ("BIGSERIAL PRIMARY KEY", "BYTEA"),
            _ => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
        };
        let outbox = format!(
            "CREATE TABLE outbox (
                id {id},
                lane TEXT NOT NULL,
                subject TEXT NOT NULL,
                headers TEXT NOT NULL,
                payload {bytes} NOT NULL,
                created_at_ms BIGINT NOT NULL,
                sent_at_ms BIGINT,
                refusal TEXT
            )"
        );
        for statement in [
            outbox.as_str(),
            "CREATE INDEX outbox_waiting ON outbox (id) WHERE sent_at_ms IS NULL AND refusal IS NULL",
            "CREATE INDEX outbox_sent ON outbox (sent_at_ms) WHERE sent_at_ms IS NOT NULL",
            "CREATE TABLE inbox (
                consumer TEXT NOT NULL,
                event_id TEXT NOT NULL,
                seen_at_ms BIGINT NOT NULL,
                PRIMARY KEY (consumer, event_id)
            )",
        ] {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

struct MarksAndAges;

impl MigrationName for MarksAndAges {
    fn name(&self) -> &'static str {
        "store_0002_marks_and_ages"
    }
}

#[async_trait]
impl MigrationTrait for MarksAndAges {
    async fn up(&self, manager: &SchemaManager) -> Result<(), sea_orm::DbErr> {
        for statement in [
            "CREATE TABLE outbox_marks (lane TEXT PRIMARY KEY, made TEXT NOT NULL, last BIGINT NOT NULL)",
            "CREATE INDEX inbox_seen ON inbox (seen_at_ms)",
        ] {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
