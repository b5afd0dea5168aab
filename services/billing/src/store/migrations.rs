//! The schema of billing. The ledger is append-only: the database itself refuses to change or delete a posting.

use anneal_store::Sql;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

/// Billing's migrations, oldest first.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Books)]
}

struct Books;

impl MigrationName for Books {
    fn name(&self) -> &'static str {
        "billing_0001_books"
    }
}

const TABLES: [&str; 7] = [
    "CREATE TABLE accounts (
        name TEXT PRIMARY KEY,
        workspace TEXT,
        balance BIGINT NOT NULL
    )",
    "CREATE INDEX postings_of_workspace ON postings (workspace, id)",
    "CREATE INDEX postings_of_task ON postings (task, id)",
    "CREATE TABLE bills (
        task TEXT PRIMARY KEY,
        workspace TEXT NOT NULL,
        terms TEXT,
        estimate BIGINT NOT NULL,
        rate BIGINT NOT NULL,
        quoted BIGINT NOT NULL,
        hold TEXT,
        held BIGINT NOT NULL,
        captured BIGINT NOT NULL,
        credited BIGINT NOT NULL,
        released BIGINT NOT NULL,
        state TEXT NOT NULL,
        succeeded BIGINT NOT NULL,
        pause_wanted BIGINT NOT NULL,
        opened_at_ms BIGINT NOT NULL
    )",
    "CREATE INDEX bills_waiting ON bills (state, opened_at_ms)",
    "CREATE TABLE epochs (
        task TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        watermark_ms BIGINT NOT NULL,
        reported_at_ms BIGINT,
        claimed_at_ms BIGINT,
        rate BIGINT,
        ended_at_ms BIGINT,
        kept_ms BIGINT,
        PRIMARY KEY (task, epoch)
    )",
    "CREATE TABLE facts (
        event_id TEXT PRIMARY KEY,
        workspace TEXT NOT NULL,
        body TEXT NOT NULL
    )",
];

const SQLITE_APPEND_ONLY: [&str; 2] = [
    "CREATE TRIGGER postings_never_change BEFORE UPDATE ON postings
     BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER postings_never_go BEFORE DELETE ON postings
     BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
];

const POSTGRES_APPEND_ONLY: [&str; 2] = [
    "CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
    "CREATE TRIGGER postings_never_change BEFORE UPDATE OR DELETE ON postings
     FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()",
];

#[async_trait]
impl MigrationTrait for Books {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let (id, append_only) = match db.get_database_backend() {
            DbBackend::Postgres => ("BIGSERIAL PRIMARY KEY", POSTGRES_APPEND_ONLY),
            _ => ("INTEGER PRIMARY KEY AUTOINCREMENT", SQLITE_APPEND_ONLY),
        };
        let postings = format!(
            "CREATE TABLE postings (
                id {id},
                operation TEXT NOT NULL UNIQUE,
                reason TEXT NOT NULL,
                debit TEXT NOT NULL,
                credit TEXT NOT NULL,
                amount BIGINT NOT NULL CHECK (amount >= 0),
                workspace TEXT NOT NULL,
                task TEXT,
                at_ms BIGINT NOT NULL
            )"
        );
        db.execute_unprepared(&postings).await?;
        for statement in TABLES.iter().chain(&append_only) {
            db.execute_unprepared(statement).await?;
        }
        db.run("INSERT INTO accounts (name, balance) VALUES ($1, 0)", ["platform/grants".into()]).await?;
        Ok(())
    }
}
