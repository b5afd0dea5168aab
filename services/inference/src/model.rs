//! One compiled folder in memory, and the thread that answers for it.

use std::{
    collections::HashSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
};

use anneal_model::{ChatTemplate, ModelConfig, Tokenizer};
use anneal_onnx::{Options, Session};
use tokio::sync::{
    Semaphore,
    mpsc::{Receiver as Events, Sender as Tell, channel},
};

use crate::{
    deployments::LoadError,
    error::ApiError,
    generation::{Event, Order, Stopped, answer},
};

/// Requests that may wait for a model before new ones are turned away.
const QUEUE: usize = 64;
/// Events of an answer besides its tokens: the prompt, what was held back, the end, a failure.
const OTHER_EVENTS: usize = 4;

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
        let mut loaded = Loaded { session, text: std::sync::Arc::clone(&text) };
        thread::Builder::new()
            .name(format!("model {name}").chars().take(15).collect())
            .spawn(move || work(&tasks, |order, tell| answer(&mut loaded, order, tell)))
            .map_err(|error| LoadError::Folder(error.to_string()))?;
        Ok(Self { name: name.to_owned(), created, text, queue })
    }

    /// Queues an order; its events arrive as they happen. Dropping the receiver stops the answer.
    ///
    /// A whole answer fits between the model and its reader: one who reads slowly, or not at all, keeps nobody waiting.
    pub(crate) fn ask(&self, order: Order) -> Result<Events<Answer>, ApiError> {
        let (task, events) = task(order);
        match self.queue.try_send(task) {
            Ok(()) => Ok(events),
            Err(TrySendError::Full(_)) => Err(ApiError::overloaded()),
            Err(TrySendError::Disconnected(_)) => Err(ApiError::internal()),
        }
    }
}

fn task(order: Order) -> (Task, Events<Answer>) {
    let (tell, events) = channel(order.max_tokens.saturating_add(OTHER_EVENTS).min(Semaphore::MAX_PERMITS));
    (Task { order, tell }, events)
}

/// Answers one order after the other. A panic costs the answer it happened in: the session keeps nothing between answers.
fn work(
    tasks: &Receiver<Task>,
    mut answer: impl FnMut(&Order, &mut dyn FnMut(Event) -> bool) -> Result<(), Stopped>,
) {
    while let Ok(Task { order, tell }) = tasks.recv() {
        if tell.is_closed() {
            continue;
        }
        let mut say = |event| tell.try_send(Ok(event)).is_ok();
        let reason = match catch_unwind(AssertUnwindSafe(|| answer(&order, &mut say))) {
            Ok(Ok(()) | Err(Stopped::Gone)) => continue,
            Ok(Err(Stopped::Failed(reason))) => reason,
            Err(_) => "it panicked".to_owned(),
        };
        tracing::error!(reason, "an answer failed");
        // The client may be gone too; then there is nobody to tell.
        let _ = tell.try_send(Err(ApiError::internal()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{generation::Finish, sampling::Sampling};

    fn order(max_tokens: usize) -> Order {
        let sampling = Sampling {
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: HashMap::new(),
        };
        Order { prompt: vec![1], sampling, max_tokens, stops: vec![], alternatives: None, echo: true }
    }

    /// Every event that an answer may have.
    fn say_everything(order: &Order, tell: &mut dyn FnMut(Event) -> bool) -> Result<(), Stopped> {
        let token = || Event::Token { text: "x".to_owned(), scored: None };
        let done = Event::Done { finish: Finish::Length, completion_tokens: order.max_tokens };
        let tokens = (0..=order.max_tokens).map(|_| token());
        for event in [Event::Prompt(vec![])].into_iter().chain(tokens).chain([done]) {
            if !tell(event) {
                return Err(Stopped::Gone);
            }
        }
        Ok(())
    }

    /// Sends the orders of these lengths, lets `answer` work until all are answered, and gives what was said to each.
    fn answers(
        lengths: &[usize],
        answer: impl FnMut(&Order, &mut dyn FnMut(Event) -> bool) -> Result<(), Stopped>,
    ) -> Vec<Vec<Answer>> {
        let (queue, tasks) = sync_channel(lengths.len());
        let mut receivers = Vec::new();
        for length in lengths {
            let (task, events) = task(order(*length));
            assert!(queue.try_send(task).is_ok());
            receivers.push(events);
        }
        drop(queue);
        // Nobody reads while the model works: it would never come back if it waited for a reader.
        work(&tasks, answer);
        receivers
            .into_iter()
            .map(|mut events| std::iter::from_fn(|| events.try_recv().ok()).collect())
            .collect()
    }

    #[test]
    fn a_client_that_reads_nothing_keeps_nobody_waiting_and_loses_nothing() {
        let said = answers(&[1000, 2], say_everything);
        assert_eq!(said.iter().map(Vec::len).collect::<Vec<_>>(), [1003, 5]);
        assert!(said.iter().all(|events| matches!(events.last(), Some(Ok(Event::Done { .. })))));
    }

    #[test]
    fn a_panic_or_a_failure_costs_its_own_answer_only() {
        let said = answers(&[1, 2, 3], |order, tell| match order.max_tokens {
            1 => panic!("on purpose"),
            2 => Err(Stopped::Failed("on purpose".to_owned())),
            _ => say_everything(order, tell),
        });
        assert!(matches!(said[0].as_slice(), [Err(_)]) && matches!(said[1].as_slice(), [Err(_)]));
        assert_eq!(said[2].len(), 6);
    }

    #[test]
    fn a_client_that_has_gone_is_not_answered() {
        let (queue, tasks) = sync_channel(1);
        let (task, events) = task(order(1));
        assert!(queue.try_send(task).is_ok());
        drop((queue, events));
        let mut asked = 0;
        work(&tasks, |_, _| {
            asked += 1;
            Ok(())
        });
        assert_eq!(asked, 0);
    }
}
