//! The bus against a real nats-server, put through faults.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anneal_bus::{Bus, BusConfig, Delivery, Outcome, RequestError};
use anneal_contracts::{
    Envelope, Trace,
    command::DispatchTask,
    rpc::{Done, Refusal},
    stream::{self, Consumer},
    subject,
};
use anneal_domain::{
    id::{EventId, TaskId, WorkspaceId},
    spec::{Pool, TaskKind},
};
use anneal_runtime::{CancellationToken, tasks};
use anneal_testkit::{Nats, eventually};

const SOON: Duration = Duration::from_secs(20);

async fn connect(nats: &Nats) -> Bus {
    let bus = Bus::connect(&BusConfig::anonymous(nats.url()), "test").await.unwrap();
    bus.ensure_streams().await.unwrap();
    bus
}

fn envelope(seq: u64) -> Envelope {
    Envelope {
        id: EventId::new(),
        kind: "anneal.test.v1".to_owned(),
        source: "/anneal/test".to_owned(),
        subject: TaskId::new().to_string(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        workspace: WorkspaceId::new(),
        epoch: 1,
        seq,
        trace: Trace::fresh(),
    }
}

fn event_subject() -> String {
    subject::event(WorkspaceId::new(), TaskId::new())
}

/// Reads a durable in the background into a list.
fn collect(bus: &Bus, stop: &CancellationToken) -> Arc<Mutex<Vec<Delivery>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (bus, stop, kept) = (bus.clone(), stop.clone(), seen.clone());
    tasks::spawn("test.collect", async move {
        bus.consume(Consumer::event_log(), 50, stop, move |delivery| {
            kept.lock().unwrap().push(delivery);
            std::future::ready(Outcome::Done)
        })
        .await;
    });
    seen
}

async fn publish_surely(bus: &Bus, envelope: &Envelope) {
    while let Err(error) = bus.publish(&event_subject(), envelope, "x").await {
        assert!(error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn envelopes_survive_the_wire_in_order() {
    let nats = Nats::start().await;
    let bus = connect(&nats).await;
    let stop = CancellationToken::new();
    let seen = collect(&bus, &stop);
    let sent: Vec<Envelope> = (0..120).map(envelope).collect();
    for envelope in &sent {
        bus.publish(&event_subject(), envelope, &envelope.seq).await.unwrap();
        // The broker's duplicate window drops a second one.
        bus.publish(&event_subject(), envelope, &envelope.seq).await.unwrap();
    }
    eventually(SOON, || async { seen.lock().unwrap().len() >= sent.len() }).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|delivery| delivery.envelope.clone()).collect::<Vec<_>>(), sent);
    assert_eq!(seen[7].parse::<u64>().unwrap(), 7);
    stop.cancel();
}

#[tokio::test]
async fn retries_come_back_and_rejects_become_dead_letters() {
    let nats = Nats::start().await;
    let bus = connect(&nats).await;
    let stop = CancellationToken::new();
    let tries = Arc::new(Mutex::new(Vec::new()));
    let (reader, counted, ended) = (bus.clone(), tries.clone(), stop.clone());
    tasks::spawn("test.reader", async move {
        reader
            .consume(Consumer::billing_usage(), 10, ended, move |delivery| {
                counted.lock().unwrap().push((delivery.envelope.seq, delivery.delivered));
                std::future::ready(match (delivery.envelope.seq, delivery.delivered) {
                    (1, 1) => Outcome::Retry(Duration::from_millis(50)),
                    (2, _) => Outcome::Reject("not for\r\nus".to_owned()),
                    _ => Outcome::Done,
                })
            })
            .await;
    });
    let usage = subject::usage(WorkspaceId::new(), TaskId::new());
    let second = envelope(2);
    bus.publish(&usage, &envelope(1), "one").await.unwrap();
    bus.publish(&usage, &second, "two").await.unwrap();
    eventually(SOON, || async { tries.lock().unwrap().len() >= 3 }).await;
    let mut seen = tries.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(seen, [(1, 1), (1, 2), (2, 1)]);
    let letters = || async {
        let mut letters = Vec::new();
        bus.replay(&stream::DEADLETTER, |delivery| letters.push(delivery)).await.unwrap();
        letters
    };
    eventually(SOON, || async { letters().await.len() == 1 }).await;
    let letter = letters().await.remove(0);
    assert_eq!(letter.envelope, second);
    assert_eq!(letter.parse::<String>().unwrap(), "two");
    assert_eq!(letter.subject, "deadletter.v1.billing-usage");
    stop.cancel();
}

#[tokio::test]
async fn a_killed_a_stopped_and_a_wiped_broker_lose_nothing_that_is_sent_again() {
    let mut nats = Nats::start().await;
    let bus = connect(&nats).await;
    let stop = CancellationToken::new();
    let seen = collect(&bus, &stop);
    let has = |seq: u64| seen.lock().unwrap().iter().any(|delivery| delivery.envelope.seq == seq);
    publish_surely(&bus, &envelope(1)).await;
    eventually(SOON, || async { has(1) }).await;

    nats.restart().await;
    publish_surely(&bus, &envelope(2)).await;
    eventually(SOON, || async { has(2) }).await;

    nats.stop();
    let silent = bus.publish(&event_subject(), &envelope(3), "x").await;
    assert!(silent.is_err());
    nats.cont();
    publish_surely(&bus, &envelope(4)).await;
    eventually(SOON, || async { has(4) }).await;

    // Streams and consumers are gone with the folder: both are made again by whoever needs them.
    nats.wipe().await;
    publish_surely(&bus, &envelope(5)).await;
    eventually(SOON, || async { has(5) }).await;
    stop.cancel();
}

#[tokio::test]
async fn a_stream_is_known_again_after_a_restart_and_not_after_a_wipe() {
    let mut nats = Nats::start().await;
    let bus = connect(&nats).await;
    publish_surely(&bus, &envelope(1)).await;
    let before = bus.stream_mark(&stream::EVENTS).await.unwrap();
    assert_eq!(before.1, 1);
    nats.restart().await;
    let mark = || async { bus.stream_mark(&stream::EVENTS).await.ok() };
    eventually(SOON, || async { mark().await.is_some() }).await;
    assert_eq!(mark().await.unwrap(), before);
    nats.wipe().await;
    eventually(SOON, || async { mark().await.is_some() }).await;
    let after = mark().await.unwrap();
    assert!(after.0 != before.0 && after.1 == 0, "{after:?}");
}

#[tokio::test]
async fn one_dispatch_at_a_time_shared_between_workers() {
    let nats = Nats::start().await;
    let bus = connect(&nats).await;
    let (kind, pool) = (TaskKind::Training, Pool::Fast);
    let (task, workspace) = (TaskId::new(), WorkspaceId::new());
    let command = DispatchTask { task, workspace, kind, pool };
    let stop = CancellationToken::new();
    let mut first = bus.consumer(Consumer::workers(kind, pool));
    let mut second = bus.consumer(Consumer::workers(kind, pool));
    bus.publish(&subject::dispatch(kind, pool), &envelope(0), &command).await.unwrap();
    bus.publish(&subject::dispatch(kind, pool), &envelope(1), &command).await.unwrap();
    let one = first.next_dispatch(&stop).await.unwrap();
    assert_eq!(one.command, command);
    // The first worker holds one and has hoarded none.
    let two = tokio::time::timeout(SOON, second.next_dispatch(&stop)).await.unwrap().unwrap();
    assert_ne!(one.envelope.id, two.envelope.id);
    two.release(Duration::from_millis(20)).await.unwrap();
    one.acknowledge().await.unwrap();
    let again = tokio::time::timeout(SOON, first.next_dispatch(&stop)).await.unwrap().unwrap();
    again.acknowledge().await.unwrap();
    stop.cancel();
    assert!(first.next_dispatch(&stop).await.is_none());
}

#[tokio::test]
async fn an_unreadable_dispatch_is_buried_and_the_next_one_served() {
    let nats = Nats::start().await;
    let bus = connect(&nats).await;
    let (kind, pool) = (TaskKind::Compilation, Pool::Fast);
    let command = DispatchTask { task: TaskId::new(), workspace: WorkspaceId::new(), kind, pool };
    bus.publish(&subject::dispatch(kind, pool), &envelope(0), "no command").await.unwrap();
    bus.publish(&subject::dispatch(kind, pool), &envelope(1), &command).await.unwrap();
    let stop = CancellationToken::new();
    let dispatch = bus.consumer(Consumer::workers(kind, pool)).next_dispatch(&stop).await.unwrap();
    assert_eq!(dispatch.command, command);
}

#[tokio::test]
async fn requests_are_answered_refused_or_unavailable() {
    let nats = Nats::start().await;
    let bus = connect(&nats).await;
    let trace = Trace::fresh();
    let nobody = bus.request::<_, Done>("rpc.v1.test", trace, &1).await.unwrap_err();
    assert!(matches!(nobody, RequestError::Unavailable(_)) && nobody.is_retryable());
    let stop = CancellationToken::new();
    let (server, ended) = (bus.clone(), stop.clone());
    let served = tasks::spawn("test.server", async move {
        server
            .serve("rpc.v1.test", "group", ended, |request: anneal_bus::Request<u64>| async move {
                if request.body == 0 {
                    return Err(Refusal::fenced());
                }
                Ok((request.body + 1, request.trace.to_string()))
            })
            .await
    });
    eventually(SOON, || async { bus.request::<_, (u64, String)>("rpc.v1.test", trace, &1).await.is_ok() })
        .await;
    let (answer, seen) = bus.request::<_, (u64, String)>("rpc.v1.test", trace, &41).await.unwrap();
    assert_eq!((answer, seen), (42, trace.to_string()));
    let refused = bus.request::<_, (u64, String)>("rpc.v1.test", trace, &0).await.unwrap_err();
    assert!(matches!(&refused, RequestError::Refused(refusal) if refusal.is_fenced()));
    let malformed = bus.request::<_, (u64, String)>("rpc.v1.test", trace, "text").await.unwrap_err();
    assert!(!malformed.is_retryable());
    stop.cancel();
    served.await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn notices_are_heard() {
    let nats = Nats::start().await;
    let bus = connect(&nats).await;
    let mut notices = bus.listen(anneal_contracts::subject::DEPLOYMENTS_CHANGED).await.unwrap();
    bus.flush().await.unwrap();
    bus.notify(anneal_contracts::subject::DEPLOYMENTS_CHANGED).await.unwrap();
    tokio::time::timeout(SOON, notices.next()).await.unwrap().unwrap();
}
