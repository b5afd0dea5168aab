//! The service under test, and a client of it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anneal_artifacts::{ObjectStore, ObjectsConfig};
use anneal_bus::{Bus, BusConfig};
use anneal_contracts::{
    rpc::{
        AuditReply, AuditRequest, BalanceReply, BalanceRequest, BillReply, BillRequest, Done, PlaceHold,
        PlaceHoldReply, QuoteReply, QuoteRequest, Refusal, ReleaseHold, TopUp,
    },
    subject::rpc,
};
use anneal_domain::{
    Microcredits,
    id::{HoldId, TaskId, WorkspaceId},
};
use anneal_runtime::{CancellationToken, Secret, tasks};
use anneal_task_api::{Config, Database, Running, start};
use anneal_testkit::{Nats, Objects};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const ADMIN_KEY: &str = "anneal_00000000000000000000000000000007_s3cret";

/// The service and everything it needs; all of it goes when dropped.
pub(crate) struct Stack {
    pub(crate) url: String,
    pub(crate) bus: Bus,
    pub(crate) held: Arc<AtomicU64>,
    pub(crate) released: Arc<AtomicU64>,
    /// Billing refuses every hold while this is set.
    pub(crate) poor: Arc<AtomicBool>,
    /// Billing answers no hold while this is locked.
    pub(crate) gate: Arc<tokio::sync::RwLock<()>>,
    /// The store under the service.
    pub(crate) objects: ObjectStore,
    http: reqwest::Client,
    stop: CancellationToken,
    running: Option<Running>,
    _objects: Objects,
    _nats: Nats,
    _folder: TempDir,
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer: its status and its JSON (null when it is none).
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) json: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.json);
        self.json
    }

    /// The fields that a problem names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let errors = self.json["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(|config| config).await
    }

    /// Starts with settings of the test's own.
    pub(crate) async fn start_with(change: impl FnOnce(Config) -> Config) -> Self {
        let (nats, objects, folder) =
            (Nats::start().await, Objects::start().await, tempfile::tempdir().unwrap());
        let bus = Bus::connect(&BusConfig::anonymous(nats.url()), "test").await.unwrap();
        let stop = CancellationToken::new();
        let (held, released) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let poor = Arc::new(AtomicBool::new(false));
        let gate = Arc::default();
        script_billing(&bus, &stop, [&held, &released], &poor, &gate);
        let inference_url = echo().await;
        let to_objects = ObjectsConfig {
            endpoint: objects.endpoint(),
            access_key: Objects::ACCESS_KEY.to_owned(),
            secret_key: Secret::new(Objects::SECRET_KEY),
            bucket: Objects::BUCKET.to_owned(),
            ..ObjectsConfig::default()
        };
        let config = change(Config {
            listen: "127.0.0.1:0".to_owned(),
            nats: BusConfig::anonymous(nats.url()),
            objects: to_objects.clone(),
            database: Database { url: format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display()) },
            inference_url,
            bootstrap_key: Secret::new(ADMIN_KEY),
            work_dir: folder.path().join("work"),
            max_upload_bytes: 1 << 20,
            sweep_ms: 50,
            lease_ms: 1_500,
            discard_after_ms: 0,
            ..Config::default()
        });
        let running = start(config, stop.clone()).await.unwrap();
        let url = format!("http://{}", running.address);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            url,
            bus,
            held,
            released,
            poor,
            gate,
            objects: ObjectStore::connect(&to_objects),
            http,
            stop,
            running: Some(running),
            _objects: objects,
            _nats: nats,
            _folder: folder,
        }
    }

    /// Stops the service; broker and store stay.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        self.running.take().unwrap().wait().await.unwrap();
    }

    pub(crate) fn request(&self, method: Method, path: &str, key: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(key)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status();
        let json = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null);
        Answer { status, json }
    }

    /// `POST` under an `Idempotency-Key`.
    pub(crate) async fn post_once(&self, once: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path, ADMIN_KEY).header("Idempotency-Key", once);
        self.send(request.json(body)).await
    }

    /// Any method, by any key, with a JSON body.
    pub(crate) async fn ask(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        self.send(self.request(method, path, key).json(body)).await
    }

    /// Another workspace: its id and its admin's key.
    pub(crate) async fn workspace(&self, name: &str) -> (String, String) {
        let made = self.post("/api/v1/workspaces", &json!({ "name": name })).await.expect(201);
        (made["id"].as_str().unwrap().to_owned(), made["admin_key"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, ADMIN_KEY)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path, ADMIN_KEY).json(body)).await
    }

    pub(crate) async fn upload(&self, query: &str, bytes: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(Method::POST, &format!("/api/v1/datasets?{query}"), ADMIN_KEY).body(bytes))
            .await
    }

    /// A model that is ready, from a GGUF head; its id.
    pub(crate) async fn model(&self) -> String {
        self.model_from("imported").await
    }

    /// As [`Self::model`], from this source.
    pub(crate) async fn model_from(&self, source: &str) -> String {
        let body = json!({ "name": "base", "source": source });
        let id = self.post("/api/v1/models", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
        let file = format!("/api/v1/models/{id}/files/base.gguf");
        self.send(self.request(Method::PUT, &file, ADMIN_KEY).body(gguf())).await.expect(200);
        let done = self.post(&format!("/api/v1/models/{id}/complete"), &Value::Null).await.expect(200);
        assert_eq!(
            (&done["state"], &done["format"], &done["parameters"]),
            (&json!("ready"), &json!("gguf"), &json!(32))
        );
        id
    }

    /// A dataset for supervised fine-tuning; its id.
    pub(crate) async fn dataset(&self) -> String {
        let rows = "{\"prompt\":\"1+1\",\"completion\":\"2\"}\n{\"prompt\":\"2+2\",\"completion\":\"4\"}\n";
        let made = self.upload("name=sums&filename=sums.jsonl", rows).await.expect(201);
        assert_eq!((&made["kind"], &made["rows"], &made["version"]), (&json!("sft"), &json!(2), &json!(1)));
        made["id"].as_str().unwrap().to_owned()
    }

    /// The body of a sound training task.
    pub(crate) async fn training(&self) -> Value {
        let (model, dataset) = (self.model().await, self.dataset().await);
        json!({ "name": "first", "spec": {
            "kind": "training", "task_type": "sft", "method": "lora", "model": model, "dataset": dataset
        }})
    }
}

/// A small, sound GGUF: its head and some bytes of weights.
pub(crate) fn gguf() -> Vec<u8> {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(1_u64.to_le_bytes());
    out.extend(2_u64.to_le_bytes());
    text(&mut out, "general.architecture");
    out.extend(8_u32.to_le_bytes());
    text(&mut out, "llama");
    text(&mut out, "llama.context_length");
    out.extend(4_u32.to_le_bytes());
    out.extend(4096_u32.to_le_bytes());
    text(&mut out, "token_embd.weight");
    out.extend(2_u32.to_le_bytes());
    out.extend(4_u64.to_le_bytes());
    out.extend(8_u64.to_le_bytes());
    out.extend(0_u32.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    out.resize(out.len() + 160, 0);
    out
}

/// An inference service that answers with the model it was asked for.
async fn echo() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks::spawn("echo", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let start = request.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
            let asked: Value = serde_json::from_slice(&request[start..]).unwrap();
            let body = json!({ "model": asked["model"], "asked": asked["model"].to_string() }).to_string();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    url
}

/// Credits that are taken, and an audit that says as its difference whether the first workspace was asked for.
fn script_credits(bus: &Bus, stop: &CancellationToken) {
    let (to, until) = (bus.clone(), stop.clone());
    tasks::spawn(rpc::TOP_UP, async move {
        let top_up = |_: anneal_bus::Request<TopUp>| async move { Ok::<_, Refusal>(Done {}) };
        to.serve(rpc::TOP_UP, "billing", until, top_up).await.unwrap();
    });
    let (to, until) = (bus.clone(), stop.clone());
    tasks::spawn(rpc::AUDIT, async move {
        let audit = |request: anneal_bus::Request<AuditRequest>| async move {
            let is_first = request.body.workspace == WorkspaceId::from_u128(1);
            Ok::<_, Refusal>(AuditReply { rows: vec![], difference: Microcredits(i64::from(is_first)) })
        };
        to.serve(rpc::AUDIT, "billing", until, audit).await.unwrap();
    });
}

/// Billing that holds 100 for everything, unless it is to refuse.
fn script_billing(
    bus: &Bus,
    stop: &CancellationToken,
    [held, released]: [&Arc<AtomicU64>; 2],
    poor: &Arc<AtomicBool>,
    gate: &Arc<tokio::sync::RwLock<()>>,
) {
    script_credits(bus, stop);
    let billed: Arc<Mutex<HashMap<TaskId, WorkspaceId>>> = Arc::default();
    let answer = |subject: &'static str, work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        tasks::spawn(subject, work);
    };
    let (to, until, count, poor) = (bus.clone(), stop.clone(), held.clone(), poor.clone());
    let (gate, holds) = (gate.clone(), billed.clone());
    answer(
        rpc::PLACE_HOLD,
        Box::pin(async move {
            let hold = move |request: anneal_bus::Request<PlaceHold>| {
                count.fetch_add(1, Ordering::SeqCst);
                let poor = poor.load(Ordering::SeqCst);
                let PlaceHold { task, quote } = request.body;
                holds.lock().unwrap().insert(task, quote.workspace);
                let gate = gate.clone();
                async move {
                    drop(gate.read().await);
                    if poor {
                        let message = "0 credits are free, 100 are needed".to_owned();
                        return Err(Refusal {
                            code: "insufficient_balance".to_owned(),
                            message,
                            retryable: false,
                        });
                    }
                    Ok(PlaceHoldReply {
                        hold: Some(HoldId::new()),
                        held: Microcredits(100),
                        rate_per_hour: Microcredits(7_200_000),
                    })
                }
            };
            to.serve(rpc::PLACE_HOLD, "billing", until, hold).await.unwrap();
        }),
    );
    let (to, until, count) = (bus.clone(), stop.clone(), released.clone());
    answer(
        rpc::RELEASE_HOLD,
        Box::pin(async move {
            let release = move |_: anneal_bus::Request<ReleaseHold>| {
                count.fetch_add(1, Ordering::SeqCst);
                async move { Ok::<_, Refusal>(Done {}) }
            };
            to.serve(rpc::RELEASE_HOLD, "billing", until, release).await.unwrap();
        }),
    );
    let (to, until) = (bus.clone(), stop.clone());
    answer(
        rpc::QUOTE,
        Box::pin(async move {
            let quote = |_: anneal_bus::Request<QuoteRequest>| async move {
                Ok::<_, Refusal>(QuoteReply {
                    rate_per_hour: Microcredits(7_200_000),
                    range: [Microcredits(10), Microcredits(90)],
                    hold: Microcredits(100),
                    available: Microcredits(50),
                })
            };
            to.serve(rpc::QUOTE, "billing", until, quote).await.unwrap();
        }),
    );
    let (to, until) = (bus.clone(), stop.clone());
    answer(
        rpc::BALANCE,
        Box::pin(async move {
            let balance = |_: anneal_bus::Request<BalanceRequest>| async move {
                let nothing = Microcredits(0);
                Ok::<_, Refusal>(BalanceReply { available: nothing, held: nothing, spent: nothing })
            };
            to.serve(rpc::BALANCE, "billing", until, balance).await.unwrap();
        }),
    );
    let (to, until) = (bus.clone(), stop.clone());
    answer(
        rpc::BILL,
        Box::pin(async move {
            let bill = move |request: anneal_bus::Request<BillRequest>| {
                let BillRequest { workspace, task } = request.body;
                let known = billed.lock().unwrap().get(&task) == Some(&workspace);
                async move { if known { Ok(nothing_billed(task)) } else { Err(no_bill()) } }
            };
            to.serve(rpc::BILL, "billing", until, bill).await.unwrap();
        }),
    );
}

fn no_bill() -> Refusal {
    Refusal { code: "not_found".to_owned(), message: "there is no such bill".to_owned(), retryable: false }
}

fn nothing_billed(task: TaskId) -> BillReply {
    let nothing = Microcredits(0);
    BillReply {
        task,
        rate_per_hour: nothing,
        quoted: nothing,
        held: nothing,
        captured: nothing,
        released: nothing,
        credited: nothing,
        running_ms: 0,
        closed: true,
        postings: Vec::new(),
    }
}
