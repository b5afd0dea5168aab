//! The store on SQLite and, where its programs are installed, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod scenario;

use anneal_store::{Store, TimeSource};
use anneal_testkit::Postgres;

async fn sqlite() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/test.db?mode=rwc", dir.path().display());
    let store = Store::connect_with(&url, TimeSource::Database).await.unwrap();
    (dir, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_holds_every_scenario() {
    let (_dir, store) = sqlite().await;
    scenario::all(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_holds_every_scenario() {
    let Some(server) = Postgres::start() else { return };
    let store = Store::connect(&server.url()).await.unwrap();
    scenario::all(store).await;
    scenario::survives_a_restart(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_sqlite_write_lock_is_waited_for() {
    let (dir, store) = sqlite().await;
    store.migrate(scenario::migrations).await.unwrap();
    let other = Store::connect(&format!("sqlite://{}/test.db", dir.path().display())).await.unwrap();
    let (held, is_held) = tokio::sync::oneshot::channel();
    let holder = anneal_runtime::tasks::spawn("holder", async move {
        other
            .transaction(move |tx| async move {
                scenario::add(&tx, 1).await?;
                held.send(()).unwrap();
                tokio::time::sleep(std::time::Duration::from_secs(6)).await;
                Ok::<_, anneal_store::Error>(())
            })
            .await
    });
    is_held.await.unwrap();
    store.transaction(|tx| async move { scenario::add(&tx, 2).await }).await.unwrap();
    holder.await.unwrap().unwrap().unwrap();
    assert_eq!(scenario::sum(&store).await, 3);
}

#[tokio::test]
async fn an_unusable_url_says_why() {
    for url in ["mysql://x", "sqlite::memory:", ""] {
        let error = Store::connect(url).await.unwrap_err();
        assert!(matches!(error, anneal_store::Error::Url(_)), "{url}: {error}");
    }
}
