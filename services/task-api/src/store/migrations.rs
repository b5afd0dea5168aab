//! The schema of task-api.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

/// task-api's migrations, oldest first.
pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(Initial),
        Box::new(Data),
        Box::new(Epochs),
        Box::new(Context),
        Box::new(Curves),
        Box::new(Imports),
    ]
}

struct Initial;

impl MigrationName for Initial {
    fn name(&self) -> &'static str {
        "task_api_0001_initial"
    }
}

#[async_trait]
impl MigrationTrait for Initial {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let serial = match db.get_database_backend() {
            DbBackend::Postgres => "BIGSERIAL PRIMARY KEY",
            _ => "INTEGER PRIMARY KEY AUTOINCREMENT",
        };
        for statement in ACCESS.iter().chain(TASKS).chain(THINGS).chain(PROJECTIONS) {
            db.execute_unprepared(&statement.replace("SERIAL_KEY", serial)).await?;
        }
        Ok(())
    }
}

/// Uploads with an object each, datasets of several files, and objects that are to go.
struct Data;

impl MigrationName for Data {
    fn name(&self) -> &'static str {
        "task_api_0002_data"
    }
}

#[async_trait]
impl MigrationTrait for Data {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in DATA {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Where each epoch's work began, and checkpoints that were set back.
struct Epochs;

impl MigrationName for Epochs {
    fn name(&self) -> &'static str {
        "task_api_0003_epochs"
    }
}

#[async_trait]
impl MigrationTrait for Epochs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in EPOCHS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// How long a sequence a model takes.
struct Context;

impl MigrationName for Context {
    fn name(&self) -> &'static str {
        "task_api_0004_context"
    }
}

#[async_trait]
impl MigrationTrait for Context {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "ALTER TABLE models ADD COLUMN context_tokens BIGINT";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}

/// Which checkpoints are scored, and how far that is.
struct Curves;

impl MigrationName for Curves {
    fn name(&self) -> &'static str {
        "task_api_0005_curves"
    }
}

#[async_trait]
impl MigrationTrait for Curves {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in CURVES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Imports from a hub.
struct Imports;

impl MigrationName for Imports {
    fn name(&self) -> &'static str {
        "task_api_0006_imports"
    }
}

#[async_trait]
impl MigrationTrait for Imports {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in IMPORTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const IMPORTS: &[&str] = &[
    "CREATE TABLE imports (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL, commit_id TEXT,
        done_bytes BIGINT NOT NULL, total_bytes BIGINT NOT NULL, resource TEXT, failure TEXT, holder TEXT,
        look_after_ms BIGINT NOT NULL, attempts BIGINT NOT NULL, created_at_ms BIGINT NOT NULL,
        finished_at_ms BIGINT
    )",
    "CREATE INDEX imports_of_workspace ON imports (workspace, id)",
    "CREATE INDEX imports_open ON imports (look_after_ms) WHERE state IN ('waiting', 'running')",
];

const CURVES: &[&str] = &[
    "CREATE TABLE checkpoint_evaluations (
        training TEXT NOT NULL, step BIGINT NOT NULL, checkpoint TEXT, task TEXT NOT NULL, state TEXT NOT NULL,
        failure TEXT, look_after_ms BIGINT NOT NULL, PRIMARY KEY (training, step)
    )",
    "CREATE INDEX checkpoint_evaluations_wanted ON checkpoint_evaluations (look_after_ms) WHERE state = 'wanted'",
    "CREATE INDEX checkpoint_evaluations_by_task ON checkpoint_evaluations (task)",
    "CREATE INDEX checkpoint_evaluations_by_checkpoint ON checkpoint_evaluations (checkpoint)",
];

const DATA: &[&str] = &[
    "CREATE TABLE discarded (prefix TEXT PRIMARY KEY, at_ms BIGINT NOT NULL)",
    "CREATE INDEX discarded_since ON discarded (at_ms)",
    "ALTER TABLE model_files ADD COLUMN object TEXT",
    "ALTER TABLE dataset_versions ADD COLUMN files TEXT",
    "CREATE TABLE stage_progress (
        task TEXT NOT NULL, stage TEXT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, done BIGINT NOT NULL,
        total BIGINT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (task, stage)
    )",
    "CREATE INDEX metrics_by_step ON metrics (task, step, name)",
];

const EPOCHS: &[&str] = &[
    // The step after which an epoch's work began; -1 when it began anew.
    "CREATE TABLE epochs (
        task TEXT NOT NULL, epoch BIGINT NOT NULL, after_step BIGINT NOT NULL, PRIMARY KEY (task, epoch)
    )",
    "ALTER TABLE checkpoints ADD COLUMN rejected BIGINT NOT NULL DEFAULT 0",
];

const ACCESS: &[&str] = &[
    "CREATE TABLE workspaces (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at_ms BIGINT NOT NULL)",
    "CREATE TABLE users (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, email TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL, UNIQUE (workspace, email)
    )",
    "CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, user_id TEXT, name TEXT NOT NULL, role TEXT NOT NULL,
        secret_sha256 TEXT NOT NULL, created_at_ms BIGINT NOT NULL, revoked_at_ms BIGINT
    )",
    "CREATE TABLE idempotency (
        workspace TEXT NOT NULL, idempotency_key TEXT NOT NULL, route TEXT NOT NULL, body_sha256 TEXT NOT NULL,
        resource TEXT NOT NULL, created_at_ms BIGINT NOT NULL, PRIMARY KEY (workspace, idempotency_key)
    )",
];

const TASKS: &[&str] = &[
    "CREATE TABLE tasks (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, kind TEXT NOT NULL, pool TEXT NOT NULL, name TEXT NOT NULL,
        description TEXT NOT NULL, state TEXT NOT NULL, spec TEXT NOT NULL, inputs TEXT NOT NULL, facts TEXT NOT NULL,
        epoch BIGINT NOT NULL, event_seq BIGINT NOT NULL, worker TEXT, claim_request TEXT,
        claimed_at_ms BIGINT NOT NULL, lease_until_ms BIGINT NOT NULL, running_ms BIGINT NOT NULL,
        usage_seq BIGINT NOT NULL, ended_epoch BIGINT NOT NULL, failed_attempts BIGINT NOT NULL,
        rate_per_hour BIGINT NOT NULL, hold TEXT, held BIGINT NOT NULL, stage TEXT, failure TEXT,
        figures TEXT NOT NULL, model TEXT, traceparent TEXT NOT NULL, created_by TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL, dispatched_at_ms BIGINT NOT NULL,
        started_at_ms BIGINT, finished_at_ms BIGINT
    )",
    "CREATE INDEX tasks_of_workspace ON tasks (workspace, id)",
    "CREATE INDEX tasks_leased ON tasks (lease_until_ms) WHERE lease_until_ms > 0",
    "CREATE INDEX tasks_queued ON tasks (dispatched_at_ms) WHERE state = 'queued'",
    "CREATE TABLE stages (
        task TEXT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL,
        at_ms BIGINT NOT NULL, log_key TEXT, PRIMARY KEY (task, epoch, seq)
    )",
    "CREATE TABLE checkpoints (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, epoch BIGINT NOT NULL, step BIGINT NOT NULL, prefix TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL, size_bytes BIGINT NOT NULL, running_ms BIGINT NOT NULL, best BIGINT NOT NULL,
        created_at_ms BIGINT NOT NULL
    )",
    "CREATE INDEX checkpoints_of_task ON checkpoints (task, step)",
    "CREATE TABLE finishes (task TEXT NOT NULL, epoch BIGINT NOT NULL, worker TEXT NOT NULL, PRIMARY KEY (task, epoch))",
    "CREATE TABLE artifacts (
        task TEXT NOT NULL, role TEXT NOT NULL, epoch BIGINT NOT NULL, prefix TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL, size_bytes BIGINT NOT NULL, PRIMARY KEY (task, role)
    )",
];

const THINGS: &[&str] = &[
    "CREATE TABLE models (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, format TEXT NOT NULL,
        state TEXT NOT NULL, architecture TEXT, parameters BIGINT, size_bytes BIGINT NOT NULL, task TEXT,
        base_model TEXT, prefix TEXT NOT NULL, manifest_sha256 TEXT, figures TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL
    )",
    "CREATE INDEX models_of_workspace ON models (workspace, id)",
    "CREATE TABLE model_files (
        model TEXT NOT NULL, path TEXT NOT NULL, size_bytes BIGINT NOT NULL, sha256 TEXT NOT NULL,
        PRIMARY KEY (model, path)
    )",
    "CREATE TABLE datasets (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, name TEXT NOT NULL, builtin BIGINT NOT NULL,
        version BIGINT NOT NULL, created_at_ms BIGINT NOT NULL
    )",
    "CREATE INDEX datasets_of_workspace ON datasets (workspace, id)",
    "CREATE TABLE dataset_versions (
        dataset TEXT NOT NULL, version BIGINT NOT NULL, kind TEXT NOT NULL, format TEXT NOT NULL,
        layout TEXT NOT NULL, evidence TEXT NOT NULL, total_rows BIGINT NOT NULL, invalid_rows BIGINT NOT NULL,
        size_bytes BIGINT NOT NULL, characters BIGINT NOT NULL, sha256 TEXT NOT NULL, prefix TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL, file_name TEXT NOT NULL, preview TEXT NOT NULL, errors TEXT NOT NULL,
        created_at_ms BIGINT NOT NULL, PRIMARY KEY (dataset, version)
    )",
    "CREATE TABLE deployments (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, name TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
        endpoint TEXT, failure TEXT, created_at_ms BIGINT NOT NULL
    )",
    "CREATE UNIQUE INDEX deployments_names ON deployments (workspace, name) WHERE state <> 'stopped'",
];

const PROJECTIONS: &[&str] = &[
    "CREATE TABLE metrics (
        task TEXT NOT NULL, name TEXT NOT NULL, step BIGINT NOT NULL, epoch BIGINT NOT NULL, value DOUBLE PRECISION,
        PRIMARY KEY (task, name, step)
    )",
    "CREATE TABLE logs (
        task TEXT NOT NULL, line BIGINT NOT NULL, stage TEXT NOT NULL, at_ms BIGINT NOT NULL, level TEXT NOT NULL,
        message TEXT NOT NULL, PRIMARY KEY (task, line)
    )",
    "CREATE TABLE progress (
        task TEXT PRIMARY KEY, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, stage TEXT NOT NULL, done BIGINT NOT NULL,
        total BIGINT NOT NULL, unit TEXT NOT NULL, eta_seconds DOUBLE PRECISION
    )",
    "CREATE TABLE event_log (
        id SERIAL_KEY, event_id TEXT NOT NULL UNIQUE, workspace TEXT NOT NULL, task TEXT NOT NULL, type TEXT NOT NULL,
        time TEXT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL, traceparent TEXT NOT NULL, event TEXT NOT NULL
    )",
    "CREATE INDEX event_log_of_workspace ON event_log (workspace, id)",
    "CREATE INDEX event_log_of_task ON event_log (task, id)",
];
