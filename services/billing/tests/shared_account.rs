//! Workspaces that do not lock each other out all draw on the account of grants: no movement of it is lost.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use anneal_billing::{
    Billing, Config,
    config::Database,
    ledger::{Account, Entry, Reason},
    store,
};
use anneal_domain::{Microcredits, id::WorkspaceId};
use anneal_store::{Store, TimeSource};
use anneal_testkit::Postgres;
use futures::future::join_all;

const WORKSPACES: usize = 8;
const TOP_UPS: usize = 20;

async fn top_up(
    store: &Store,
    workspace: WorkspaceId,
    operation: String,
    amount: i64,
) -> Result<bool, anneal_billing::Error> {
    let entry =
        Entry { operation, reason: Reason::TopUp, workspace, task: None, amount: Microcredits(amount) };
    store
        .transaction(move |tx| async move {
            store::lock(&tx, vec![workspace]).await?;
            store::open_workspace(&tx, workspace).await?;
            store::post(&tx, &entry).await
        })
        .await
}

async fn balance(store: &Store, account: Account) -> i64 {
    store::balance(store.read(), account).await.unwrap().0
}

async fn open(url: String) -> Store {
    let config = Config { database: Database { url: url.clone() }, ..Config::default() };
    Billing::open(&config, TimeSource::Database).await.unwrap();
    Store::connect(&url).await.unwrap()
}

async fn no_movement_is_lost(store: &Store) {
    let fill = (0..WORKSPACES).map(|_| async {
        let workspace = WorkspaceId::new();
        for n in 0..TOP_UPS {
            assert!(top_up(store, workspace, format!("{workspace}/{n}"), 3).await.unwrap());
        }
    });
    join_all(fill).await;
    assert_eq!(balance(store, Account::Grants).await, -((WORKSPACES * TOP_UPS * 3) as i64));
    assert_eq!(store::ledger_sum(store.read()).await.unwrap(), Microcredits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workspaces_at_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(format!("sqlite://{}?mode=rwc", folder.path().join("b.db").display())).await;
    no_movement_is_lost(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workspaces_at_once_on_postgres() {
    let Some(server) = Postgres::start() else { return };
    no_movement_is_lost(&open(server.url()).await).await;
}

#[tokio::test]
async fn a_balance_that_leaves_its_range_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(format!("sqlite://{}?mode=rwc", folder.path().join("b.db").display())).await;
    let workspace = WorkspaceId::new();
    assert!(top_up(&store, workspace, "most".to_owned(), i64::MAX).await.unwrap());
    let over = top_up(&store, workspace, "one more".to_owned(), 1).await;
    assert!(matches!(over, Err(anneal_billing::Error::Overflow)), "{over:?}");
    assert_eq!(balance(&store, Account::Available(workspace)).await, i64::MAX);
    assert_eq!(store::ledger_sum(store.read()).await.unwrap(), Microcredits::ZERO);
}
