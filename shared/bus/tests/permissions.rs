//! The compose file's broker configuration on a real nats-server: every service can do its work, and nobody another's.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anneal_bus::{Bus, BusConfig, Delivery, Outcome};
use anneal_contracts::{
    Envelope, Trace,
    command::DispatchTask,
    rpc::Done,
    stream::{self, Consumer},
    subject::{self, Channel},
};
use anneal_domain::{
    id::{EventId, TaskId, WorkspaceId},
    spec::{Pool, TaskKind},
};
use anneal_runtime::{CancellationToken, tasks};
use anneal_testkit::{eventually, part};

const SOON: Duration = Duration::from_secs(20);
const USERS: [&str; 4] = ["task-api", "billing", "worker", "inference"];

struct Broker {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = "../../infra/nats/nats.conf";
        let store = folder.path().join("store").display().to_string();
        let text = fs::read_to_string(path).unwrap();
        let text = text.replace("port: 4222", &format!("listen: \"127.0.0.1:{port}\""));
        fs::write(folder.path().join("nats.conf"), text.replace("/data", &store)).unwrap();
        let passwords = USERS.map(|user| {
            (format!("NATS_{}_PASSWORD", user.to_uppercase().replace('-', "_")), format!("of-{user}"))
        });
        let child = Command::new(part("nats-server"))
            .arg("-c")
            .arg(folder.path().join("nats.conf"))
            .envs(passwords)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { port, child, _folder: folder }
    }

    async fn connect(&self, user: &str) -> Bus {
        let config = BusConfig {
            url: format!("nats://127.0.0.1:{}", self.port),
            user: user.to_owned(),
            password: anneal_runtime::Secret::new(format!("of-{user}")),
        };
        Bus::connect(&config, "test").await.unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn envelope() -> Envelope {
    Envelope {
        id: EventId::new(),
        kind: "anneal.test.v1".to_owned(),
        source: "/anneal/test".to_owned(),
        subject: TaskId::new().to_string(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        workspace: WorkspaceId::new(),
        epoch: 1,
        seq: 1,
        trace: Trace::fresh(),
    }
}

/// Reads the first message of a durable.
async fn first(bus: &Bus, consumer: Consumer) -> Delivery {
    let stop = CancellationToken::new();
    let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
    let (reader, ended) = (bus.clone(), stop.clone());
    tasks::spawn("test.reader", async move {
        let handler = move |delivery| {
            say.send(delivery).ok();
            std::future::ready(Outcome::Done)
        };
        reader.consume(consumer, 1, ended, handler).await;
    });
    let delivery = tokio::time::timeout(SOON, said.recv()).await.unwrap().unwrap();
    stop.cancel();
    delivery
}

fn answer(bus: Bus, subject: &'static str) {
    tasks::spawn("test.server", async move {
        let handler = |_: anneal_bus::Request<u64>| std::future::ready(Ok(Done {}));
        bus.serve(subject, "group", CancellationToken::new(), handler).await
    });
}

#[tokio::test]
async fn every_service_can_do_its_work_and_no_worker_another_services() {
    let broker = Broker::start();
    let [api, billing, worker, inference] = [
        broker.connect("task-api").await,
        broker.connect("billing").await,
        broker.connect("worker").await,
        broker.connect("inference").await,
    ];
    api.ensure_streams().await.unwrap();
    billing.ensure_streams().await.unwrap();
    let (kind, pool) = (TaskKind::Compilation, Pool::Turbo);
    let (task, workspace) = (TaskId::new(), WorkspaceId::new());
    let command = DispatchTask { task, workspace, kind, pool };
    api.publish(&subject::dispatch(kind, pool), &envelope(), &command).await.unwrap();
    api.publish(&subject::event(workspace, task), &envelope(), "fact").await.unwrap();
    api.publish(&subject::usage(workspace, task), &envelope(), "usage").await.unwrap();
    assert_eq!(api.stream_mark(&stream::USAGE).await.unwrap().1, 1);

    let mut consumer = worker.consumer(Consumer::workers(kind, pool));
    let dispatch = consumer.next_dispatch(&CancellationToken::new()).await.unwrap();
    assert_eq!(dispatch.command, command);
    dispatch.acknowledge().await.unwrap();
    let telemetry = subject::telemetry(workspace, task, Channel::Log);
    worker.publish(&telemetry, &envelope(), "line").await.unwrap();
    assert_eq!(first(&api, Consumer::telemetry()).await.subject, telemetry);
    first(&api, Consumer::event_log()).await;
    first(&billing, Consumer::billing_events()).await;
    first(&billing, Consumer::billing_usage()).await;
    assert_eq!(billing.replay(&stream::USAGE, drop).await.unwrap(), 1);

    answer(api.clone(), subject::rpc::CLAIM_TASK);
    answer(billing.clone(), subject::rpc::QUOTE);
    answer(api.clone(), subject::rpc::LIST_DEPLOYMENTS);
    for (asking, subject) in [
        (&worker, subject::rpc::CLAIM_TASK),
        (&api, subject::rpc::QUOTE),
        (&inference, subject::rpc::LIST_DEPLOYMENTS),
    ] {
        let asked = || async { asking.request::<_, Done>(subject, Trace::fresh(), &1).await.is_ok() };
        eventually(SOON, asked).await;
    }

    let usage = subject::usage(workspace, task);
    assert!(worker.publish(&usage, &envelope(), "forged").await.is_err());
    assert!(worker.stream_mark(&stream::USAGE).await.is_err());
    assert_eq!(api.stream_mark(&stream::USAGE).await.unwrap().1, 1);
}

#[tokio::test]
async fn a_worker_can_empty_or_delete_no_stream() {
    let broker = Broker::start();
    let api = broker.connect("task-api").await;
    api.ensure_streams().await.unwrap();
    api.publish(&subject::event(WorkspaceId::new(), TaskId::new()), &envelope(), "fact").await.unwrap();
    let options =
        async_nats::ConnectOptions::with_user_and_password("worker".to_owned(), "of-worker".to_owned());
    let client = options.connect(format!("127.0.0.1:{}", broker.port)).await.unwrap();
    for request in ["STREAM.PURGE", "STREAM.DELETE"] {
        for name in stream::ALL.map(|stream| stream.name) {
            client.publish(format!("$JS.API.{request}.{name}"), "".into()).await.unwrap();
        }
    }
    client.flush().await.unwrap();
    assert_eq!(first(&api, Consumer::event_log()).await.parse::<String>().unwrap(), "fact");
}
