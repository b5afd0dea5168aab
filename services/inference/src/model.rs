//! One compiled folder in memory, and the thread that answers for it.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
};

use anneal_model::{ChatTemplate, ModelConfig, Tokenizer};
use anneal_onnx::{Options, Session};
use tokio::sync::mpsc::{Receiver as Events, Sender as Tell, channel};

use crate::{
    deployments::LoadError,
    error::ApiError,
    generation::{Event, Order, Stopped, answer},
};

/// Requests that may wait for a model before new ones are turned away.
const QUEUE: usize = 64;
/// Events that may wait for a slow client before the model waits for it.
const EVENTS: usize = 32;

/// What turns text into tokens and back.
pub(crate) struct Text {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) end_tokens: HashSet<u32>,
    pub(crate) context_length: usize,
    pub(crate) vocabulary: usize,
}

impl Text {
    fn open(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join("config.json");
        let bytes =
            fs::read(&path).map_err(|error| LoadError::Folder(format!("{}: {error}", path.display())))?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| LoadError::Folder(format!("{}: {error}", path.display())))?;
        let mut config = ModelConfig::from_huggingface(&value)?;
        adopt_end_tokens(folder, &mut config);
        let tokenizer = Tokenizer::from_folder(folder, Some(&config))?;
        let end_tokens = config.eos_token_ids.iter().copied().chain(tokenizer.eos_id()).collect();
        let template = ChatTemplate::from_folder(folder)?;
        Ok(Self {
            tokenizer,
            template,
            end_tokens,
            context_length: config.context_length(),
            vocabulary: config.vocab_size,
        })
    }
}

/// `generation_config.json` may name more tokens that end an answer.
fn adopt_end_tokens(folder: &Path, config: &mut ModelConfig) {
    let Ok(bytes) = fs::read(folder.join("generation_config.json")) else { return };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return };
    let ids = match value.get("eos_token_id") {
        Some(serde_json::Value::Array(ids)) => ids.clone(),
        Some(id) => vec![id.clone()],
        None => vec![],
    };
    config.eos_token_ids.extend(ids.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()));
}

/// A model as its thread holds it.
pub(crate) struct Loaded {
    session: Session,
    text: std::sync::Arc<Text>,
}

impl Loaded {
    pub(crate) fn parts(&mut self) -> (&mut Session, &Text) {
        (&mut self.session, &self.text)
    }
}

/// What the thread says to the one who asked.
pub(crate) type Answer = Result<Event, ApiError>;

struct Task {
    order: Order,
    tell: Tell<Answer>,
}

/// A handle on a loaded model; its thread ends when the last handle is dropped and the running answer is done.
pub(crate) struct Deployment {
    pub(crate) name: String,
    pub(crate) created: i64,
    pub(crate) text: std::sync::Arc<Text>,
    queue: SyncSender<Task>,
}

impl Deployment {
    /// Loads a folder; takes as long as reading the weights.
    pub(crate) fn open(
        name: &str,
        folder: &Path,
        options: &Options,
        created: i64,
    ) -> Result<Self, LoadError> {
        let text = std::sync::Arc::new(Text::open(folder)?);
        let session = Session::open(folder, options)?;
        if session.geometry().vocabulary != text.vocabulary {
            return Err(LoadError::Folder(format!(
                "config.json says {} words, the graph has {}",
                text.vocabulary,
                session.geometry().vocabulary
            )));
        }
        let (queue, tasks) = sync_channel(QUEUE);
        let loaded = Loaded { session, text: std::sync::Arc::clone(&text) };
        thread::Builder::new()
            .name(format!("model {name}").chars().take(15).collect())
            .spawn(move || work(loaded, &tasks))
            .map_err(|error| LoadError::Folder(error.to_string()))?;
        Ok(Self { name: name.to_owned(), created, text, queue })
    }

    /// Queues an order; its events arrive as they happen. Dropping the receiver stops the answer.
    pub(crate) fn ask(&self, order: Order) -> Result<Events<Answer>, ApiError> {
        let (tell, events) = channel(EVENTS);
        match self.queue.try_send(Task { order, tell }) {
            Ok(()) => Ok(events),
            Err(TrySendError::Full(_)) => Err(ApiError::overloaded()),
            Err(TrySendError::Disconnected(_)) => Err(ApiError::internal()),
        }
    }
}

fn work(mut model: Loaded, tasks: &Receiver<Task>) {
    while let Ok(Task { order, tell }) = tasks.recv() {
        if tell.is_closed() {
            continue;
        }
        match answer(&mut model, &order, |event| tell.blocking_send(Ok(event)).is_ok()) {
            Ok(()) | Err(Stopped::Gone) => {}
            Err(Stopped::Failed(reason)) => {
                tracing::error!(reason, "an answer failed");
                // The client may be gone too; then there is nobody to tell.
                let _ = tell.blocking_send(Err(ApiError::internal()));
            }
        }
    }
}
