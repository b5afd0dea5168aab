//! Answering requests.

use std::{future::Future, sync::Arc, time::Duration};

use anneal_contracts::{
    Trace,
    rpc::{Refusal, Reply},
};
use anneal_runtime::{CancellationToken, tasks};
use async_nats::Message;
use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;

use crate::{Bus, BusError, headers};

/// Requests of one subject that are worked on at once; the others wait.
const AT_ONCE: usize = 64;

/// A request to answer.
#[derive(Clone, Debug)]
pub struct Request<T> {
    /// What is asked.
    pub body: T,
    /// The trace it belongs to.
    pub trace: Trace,
}

impl Bus {
    /// Answers `subject` as a member of `group` (each request goes to one member) until `stop`. Every request runs in a
    /// task of its own that is never cancelled: a caller that gives up cancels no transaction. On `stop`, requests
    /// under way are finished.
    pub async fn serve<T, R, F, Fut>(
        &self,
        subject: &str,
        group: &str,
        stop: CancellationToken,
        handler: F,
    ) -> Result<(), BusError>
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(Request<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Refusal>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut requests = self
            .client
            .queue_subscribe(subject.to_owned(), group.to_owned())
            .await
            .map_err(BusError::broker)?;
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => break,
                message = requests.next() => message,
            };
            let Some(message) = message else {
                return Err(BusError::broker(format!("the subscription of `{subject}` ended")));
            };
            let Ok(slot) = slots.clone().acquire_owned().await else { break };
            let (bus, handler) = (self.clone(), handler.clone());
            tasks::spawn("bus.request", async move {
                let reply = answer(&message, handler.as_ref()).await;
                bus.reply(message, reply).await;
                drop(slot);
            });
        }
        let everything = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let finished = tokio::time::timeout(Duration::from_secs(10), slots.acquire_many(everything)).await;
        if finished.is_err() {
            tracing::warn!(subject, "requests were still under way at shutdown");
        }
        Ok(())
    }

    async fn reply<R: Serialize>(&self, message: Message, reply: Reply<R>) {
        let Some(inbox) = message.reply else { return };
        let body = match serde_json::to_vec(&reply) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, subject = %message.subject, "a reply cannot be written as JSON");
                return;
            }
        };
        if let Err(error) = self.client.publish(inbox, body.into()).await {
            tracing::warn!(%error, subject = %message.subject, "a reply could not be sent");
        }
    }
}

async fn answer<T, R, F, Fut>(message: &Message, handler: &F) -> Reply<R>
where
    T: DeserializeOwned,
    F: Fn(Request<T>) -> Fut,
    Fut: Future<Output = Result<R, Refusal>>,
{
    let trace = headers::read_trace(message.headers.as_ref());
    match serde_json::from_slice(&message.payload) {
        Ok(body) => match handler(Request { body, trace }).await {
            Ok(answer) => Reply::Ok(answer),
            Err(refusal) => Reply::Err(refusal),
        },
        Err(error) => {
            Reply::Err(Refusal { code: "malformed".to_owned(), message: error.to_string(), retryable: false })
        }
    }
}
