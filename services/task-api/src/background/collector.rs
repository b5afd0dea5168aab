//! Removes objects that nothing stands behind: superseded checkpoints, uploads that were never committed, deleted tasks.

use std::time::Duration;

use anneal_artifacts::{ObjectStore, Prefix};
use anneal_runtime::CancellationToken;
use anneal_store::Store;

use crate::{App, Error, tasks};

const PERIOD: Duration = Duration::from_secs(60);

/// Looks every minute until `stop`.
pub(super) async fn run(app: App, stop: CancellationToken) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "objects to remove could not be looked for; trying again");
        }
    }
}

async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.store.now_ms().await?;
    for prefix in tasks::garbage_due(app.store.read(), now).await? {
        match collect(&app.store, &app.objects, prefix.clone()).await {
            Ok(removed) => tracing::info!(prefix, removed, "objects were removed"),
            Err(error) => tracing::warn!(%error, prefix, "objects could not be removed; trying again"),
        }
    }
    Ok(())
}

/// Removes everything below the folder that is not alive; how many objects that were.
async fn collect(store: &Store, objects: &ObjectStore, prefix: String) -> Result<usize, Error> {
    let alive = tasks::alive(store.read(), &prefix).await?;
    let mut removed = 0;
    for object in objects.list(&Prefix::parse(&prefix)?).await? {
        let key = object.key.as_str();
        let is_alive =
            alive.iter().any(|folder| key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
        if !is_alive {
            objects.delete(&object.key).await?;
            removed += 1;
        }
    }
    store.transaction(move |tx| async move { tasks::forget_garbage(&tx, &prefix).await }).await?;
    Ok(removed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_artifacts::ObjectsConfig;
    use anneal_domain::id::{CheckpointId, RequestId, TaskId, WorkspaceId};
    use anneal_runtime::Secret;
    use anneal_store::Sql;
    use anneal_testkit::Objects;

    use super::*;

    #[tokio::test]
    async fn what_is_committed_stays_and_what_was_abandoned_goes() {
        let (server, folder) = (Objects::start().await, tempfile::tempdir().unwrap());
        drop(rustls::crypto::ring::default_provider().install_default());
        let objects = ObjectStore::connect(&ObjectsConfig {
            endpoint: server.endpoint(),
            access_key: Objects::ACCESS_KEY.to_owned(),
            secret_key: Secret::new(Objects::SECRET_KEY),
            bucket: Objects::BUCKET.to_owned(),
            ..ObjectsConfig::default()
        });
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("t.db").display());
        let store = Store::connect(&url).await.unwrap();
        store.migrate(crate::store::migrations).await.unwrap();

        let task = Prefix::task(WorkspaceId::new(), TaskId::new());
        let upload = || task.checkpoint(CheckpointId::new(), RequestId::new());
        let (kept, abandoned) = (upload(), upload());
        for prefix in [&kept, &abandoned] {
            objects.put_bytes(&prefix.file("weights").unwrap(), "w".into()).await.unwrap();
        }
        let committed = kept.to_string();
        let all = task.join("checkpoint").unwrap();
        let (noted, listed) = (all.to_string(), all.to_string());
        let begun = store.transaction(move |tx| async move {
            tx.run(
                "INSERT INTO checkpoints (id, task, epoch, step, prefix, manifest_sha256, size_bytes, running_ms, best,
                   created_at_ms) VALUES ('c', 't', 1, 1, $1, '', 1, 1, 0, 0)",
                [committed.into()],
            )
            .await?;
            tx.run("INSERT INTO garbage (prefix, after_ms) VALUES ($1, 5)", [noted.into()]).await?;
            Ok::<_, Error>(())
        });
        begun.await.unwrap();
        assert!(tasks::garbage_due(store.read(), 4).await.unwrap().is_empty());
        assert_eq!(tasks::garbage_due(store.read(), 5).await.unwrap(), [listed.clone()]);
        assert_eq!(collect(&store, &objects, listed).await.unwrap(), 1);
        let left = objects.list(&all).await.unwrap();
        assert_eq!(left.iter().map(|it| &it.key).collect::<Vec<_>>(), [&kept.file("weights").unwrap()]);
        assert!(tasks::garbage_due(store.read(), 5).await.unwrap().is_empty());
    }
}
