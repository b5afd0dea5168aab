//! What must hold on either database.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anneal_domain::id::EventId;
use anneal_runtime::{CancellationToken, tasks};
use anneal_store::{
    Error, Sql, Store, Tx, inbox,
    outbox::{self, Mark, OutboxMessage, Publish, PublishError, Relay},
};
use anneal_testkit::Postgres;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

struct Sums;

impl MigrationName for Sums {
    fn name(&self) -> &'static str {
        "test_0001_sums"
    }
}

#[async_trait]
impl MigrationTrait for Sums {
    async fn up(&self, manager: &SchemaManager) -> Result<(), sea_orm_migration::DbErr> {
        manager.get_connection().run("CREATE TABLE sums (n BIGINT NOT NULL)", []).await?;
        Ok(())
    }
}

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Sums)]
}

pub(crate) async fn add(tx: &Tx, n: i64) -> Result<(), Error> {
    tx.run("INSERT INTO sums (n) VALUES ($1)", [n.into()]).await?;
    Ok(())
}

pub(crate) async fn sum(store: &Store) -> i64 {
    let row =
        store.read().row("SELECT CAST(coalesce(sum(n), 0) AS BIGINT) AS n FROM sums", []).await.unwrap();
    row.unwrap().try_get("", "n").unwrap()
}

pub(crate) async fn all(store: Store) {
    migrates_once_however_many_try(&store).await;
    commits_rolls_back_and_survives_a_leaving_caller(&store).await;
    tells_the_time(&store).await;
    an_event_counts_once(&store).await;
    many_writers_and_readers_never_wait_for_each_other_for_ever(&store).await;
    publishes_in_order_and_again_after_a_crash(&store).await;
    a_full_stream_holds_up_no_other(&store).await;
    what_a_broker_lost_is_sent_again(&store).await;
}

async fn migrates_once_however_many_try(store: &Store) {
    let one = store.migrate(migrations);
    let two = store.migrate(migrations);
    let (one, two) = tokio::join!(one, two);
    one.unwrap();
    two.unwrap();
    store.migrate(migrations).await.unwrap();
}

async fn commits_rolls_back_and_survives_a_leaving_caller(store: &Store) {
    store.transaction(|tx| async move { add(&tx, 5).await }).await.unwrap();
    assert_eq!(sum(store).await, 5);

    let failed = store
        .transaction(|tx| async move {
            add(&tx, 100).await?;
            Err::<(), _>(Error::Row("on purpose".to_owned()))
        })
        .await;
    assert!(matches!(failed, Err(Error::Row(_))));

    let panicked = store
        .transaction(|tx| async move {
            add(&tx, 100).await?;
            assert!(tx.now_ms().await? < 0, "on purpose");
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(panicked, Err(Error::Interrupted)));

    let escaped = store.transaction(|tx| async move { add(&tx, 100).await.map(|()| tx) }).await;
    assert!(matches!(escaped, Err(Error::Escaped)));
    assert_eq!(sum(store).await, 5);

    let (started, is_started) = tokio::sync::oneshot::channel();
    let leaving = store.transaction(move |tx| async move {
        add(&tx, 2).await?;
        started.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Error>(())
    });
    tokio::select! {
        result = leaving => panic!("the caller did not leave: {result:?}"),
        _ = is_started => {}
    }
    eventually("the abandoned transaction commits", || async { sum(store).await == 7 }).await;
}

async fn tells_the_time(store: &Store) {
    let now = store.now_ms().await.unwrap();
    assert!(now > 1_700_000_000_000, "{now}");
    let later = store.transaction(|tx| async move { tx.now_ms().await }).await.unwrap();
    assert!((0..60_000).contains(&(later - now)), "{now} {later}");
}

async fn an_event_counts_once(store: &Store) {
    let event = EventId::new();
    let seen = move |consumer: &'static str| {
        let store = store.clone();
        async move { store.transaction(move |tx| async move { inbox::once(&tx, consumer, event).await }).await }
    };
    assert!(seen("a").await.unwrap());
    assert!(!seen("a").await.unwrap());
    assert!(seen("b").await.unwrap());
    store.transaction(|tx| async move { inbox::forget(&tx, "a").await }).await.unwrap();
    assert!(seen("a").await.unwrap());

    let other = EventId::new();
    let rolled_back: Result<(), Error> = store
        .transaction(move |tx| async move {
            assert!(inbox::once(&tx, "a", other).await?);
            Err(Error::Row("on purpose".to_owned()))
        })
        .await;
    rolled_back.unwrap_err();
    assert!(store.transaction(move |tx| async move { inbox::once(&tx, "a", other).await }).await.unwrap());
}

async fn many_writers_and_readers_never_wait_for_each_other_for_ever(store: &Store) {
    let before = sum(store).await;
    let writers: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tasks::spawn("writer", async move {
                for _ in 0..4 {
                    store.transaction(|tx| async move { add(&tx, 1).await }).await.unwrap();
                    sum(&store).await;
                }
            })
        })
        .collect();
    for writer in writers {
        tokio::time::timeout(Duration::from_secs(60), writer).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(sum(store).await, before + 200);
}

/// A broker that stores what it is given, or says that it cannot.
#[derive(Default)]
struct Broker {
    stored: Mutex<Vec<String>>,
    full: Mutex<Vec<&'static str>>,
    /// How often its storage was made anew.
    wiped: Mutex<u64>,
    /// Messages that it forgot when it was put back to an older copy.
    forgotten: Mutex<u64>,
}

impl Publish for Broker {
    async fn publish(&self, message: &OutboxMessage) -> Result<(), PublishError> {
        if message.subject == "event.never" {
            return Err(PublishError::Never("no stream has this subject".to_owned()));
        }
        if self.full.lock().unwrap().iter().any(|prefix| message.subject.starts_with(prefix)) {
            return Err(PublishError::Later("full".to_owned()));
        }
        assert_eq!(message.headers, [("ce-id".to_owned(), "1".to_owned())]);
        self.stored.lock().unwrap().push(String::from_utf8(message.payload.clone()).unwrap());
        Ok(())
    }

    async fn mark(&self, lane: &str) -> Result<Option<Mark>, PublishError> {
        if lane != "event" {
            return Ok(None);
        }
        let made = self.wiped.lock().unwrap().to_string();
        let last = self.stored.lock().unwrap().len() as u64 - *self.forgotten.lock().unwrap();
        Ok(Some(Mark { made, last }))
    }
}

fn message(subject: &str, body: &str) -> OutboxMessage {
    OutboxMessage {
        subject: subject.to_owned(),
        headers: vec![("ce-id".to_owned(), "1".to_owned())],
        payload: body.as_bytes().to_vec(),
    }
}

async fn append(store: &Store, subject: &'static str, body: String) {
    store
        .transaction(move |tx| async move { outbox::append(&tx, message(subject, &body)).await })
        .await
        .unwrap();
}

async fn with_relay<F: Future<Output = ()>>(store: &Store, broker: &Arc<Broker>, work: F) {
    let shutdown = CancellationToken::new();
    let relay = Relay::new(store.clone()).run(Arc::clone(broker), shutdown.clone());
    let relay = tasks::spawn("relay", relay);
    work.await;
    shutdown.cancel();
    relay.await.unwrap().unwrap().unwrap();
}

async fn publishes_in_order_and_again_after_a_crash(store: &Store) {
    let broker = Arc::new(Broker::default());
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    with_relay(store, &broker, async {
        append(store, "event.never", "never".to_owned()).await;
        for body in &expected {
            append(store, "event.v1.x", body.clone()).await;
        }
        eventually("everything is published", || async { broker.stored.lock().unwrap().len() == 200 }).await;
        eventually("and marked", || async { waiting(store).await == 0 }).await;
    })
    .await;
    assert_eq!(*broker.stored.lock().unwrap(), expected);

    // A crash between the broker's word and the mark.
    let unmark = "UPDATE outbox SET sent_at_ms = NULL WHERE refusal IS NULL";
    store.transaction(move |tx| async move { Ok::<_, Error>(tx.run(unmark, []).await?) }).await.unwrap();
    with_relay(store, &broker, async {
        eventually("everything is published again", || async { waiting(store).await == 0 }).await;
    })
    .await;
    let expected: Vec<String> = expected.iter().chain(&expected).cloned().collect();
    assert_eq!(*broker.stored.lock().unwrap(), expected);
}

/// A broker that was given nothing yet, and an outbox that knows of no other.
async fn another_broker(store: &Store) -> Arc<Broker> {
    for sql in ["DELETE FROM outbox", "DELETE FROM outbox_marks"] {
        store.transaction(move |tx| async move { Ok::<_, Error>(tx.run(sql, []).await?) }).await.unwrap();
    }
    Arc::new(Broker::default())
}

async fn a_full_stream_holds_up_no_other(store: &Store) {
    let broker = another_broker(store).await;
    broker.full.lock().unwrap().push("usage");
    with_relay(store, &broker, async {
        for n in 0..100 {
            append(store, "usage.v1.x", format!("u{n}")).await;
        }
        append(store, "event.v1.x", "through".to_owned()).await;
        let through = || async { broker.stored.lock().unwrap().as_slice() == ["through"] };
        eventually("the event overtakes the full stream", through).await;
        broker.full.lock().unwrap().clear();
        eventually("the rest follows", || async { waiting(store).await == 0 }).await;
    })
    .await;
    let stored = broker.stored.lock().unwrap();
    let usage: Vec<String> = (0..100).map(|n| format!("u{n}")).collect();
    assert_eq!(stored[1..], usage);
}

async fn what_a_broker_lost_is_sent_again(store: &Store) {
    let broker = another_broker(store).await;
    let stored = || broker.stored.lock().unwrap().clone();
    let marked = |last: i64| async move {
        let sql = "SELECT 1 AS found FROM outbox_marks WHERE lane = 'event' AND last = $1";
        store.read().row(sql, [last.into()]).await.unwrap().is_some()
    };
    with_relay(store, &broker, async {
        append(store, "event.v1.x", "fact".to_owned()).await;
        append(store, "task.v1.x", "dispatch".to_owned()).await;
        eventually("both are sent", || async { stored().len() == 2 }).await;
        eventually("and the mark noted", || marked(2)).await;
        *broker.wiped.lock().unwrap() += 1;
        eventually("the fact is sent again", || async { stored().len() == 3 }).await;
        eventually("and the new mark noted", || marked(3)).await;
    })
    .await;
    // It was put back to an older copy while no relay ran.
    *broker.forgotten.lock().unwrap() = 1;
    with_relay(store, &broker, async {
        eventually("the fact is sent once more", || async { stored().len() == 4 }).await;
        eventually("and marked sent", || async { waiting(store).await == 0 }).await;
    })
    .await;
    assert_eq!(stored(), ["fact", "dispatch", "fact", "fact"]);
}

async fn waiting(store: &Store) -> i64 {
    let sql = "SELECT count(*) AS n FROM outbox WHERE sent_at_ms IS NULL AND refusal IS NULL";
    store.read().row(sql, []).await.unwrap().unwrap().try_get("", "n").unwrap()
}

async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The server dies in the middle of a transaction: it did not happen, and the store goes on with the new server.
pub(crate) async fn survives_a_restart(mut server: Postgres) {
    let store = Store::connect(&server.url()).await.unwrap();
    let before = sum(&store).await;
    let (open, is_open) = tokio::sync::oneshot::channel();
    let (restarted, is_restarted) = tokio::sync::oneshot::channel();
    let held = store.clone();
    let held = tasks::spawn("held", async move {
        held.transaction(move |tx| async move {
            add(&tx, 1000).await?;
            open.send(()).unwrap();
            is_restarted.await.unwrap();
            add(&tx, 1000).await
        })
        .await
    });
    is_open.await.unwrap();
    let server = tokio::task::spawn_blocking(move || {
        server.crash_and_restart();
        server
    })
    .await
    .unwrap();
    restarted.send(()).unwrap();
    let error = held.await.unwrap().unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(sum(&store).await, before);
    store.transaction(|tx| async move { add(&tx, 1).await }).await.unwrap();
    assert_eq!(sum(&store).await, before + 1);
    drop(server);
}
