//! Requests that wait for a reply.

use std::time::Duration;

use anneal_contracts::{Trace, rpc::Reply};
use async_nats::{Request, client::RequestErrorKind};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Bus, RequestError, headers};

/// How long a request waits for its reply.
const REPLY_WAIT: Duration = Duration::from_secs(10);

impl Bus {
    /// Asks `subject` and waits up to ten seconds for the typed reply. Nothing is retried here.
    pub async fn request<T: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        subject: &str,
        trace: Trace,
        body: &T,
    ) -> Result<R, RequestError> {
        self.request_within(REPLY_WAIT, subject, trace, body).await
    }

    /// As [`Bus::request`], with a deadline of the caller's.
    pub async fn request_within<T: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        wait: Duration,
        subject: &str,
        trace: Trace,
        body: &T,
    ) -> Result<R, RequestError> {
        let malformed = |error: serde_json::Error| RequestError::Malformed {
            subject: subject.to_owned(),
            reason: error.to_string(),
        };
        let request = Request::new()
            .payload(serde_json::to_vec(body).map_err(malformed)?.into())
            .headers(headers::write_trace(trace))
            .timeout(Some(wait));
        // The client's own timeout starts when the request was handed over, which a broken connection can hold up.
        let sent = self.client.send_request(subject.to_owned(), request);
        let Ok(answer) = tokio::time::timeout(wait, sent).await else {
            return Err(RequestError::TimedOut(subject.to_owned()));
        };
        let message = answer.map_err(|error| match error.kind() {
            RequestErrorKind::TimedOut => RequestError::TimedOut(subject.to_owned()),
            RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                RequestError::Malformed { subject: subject.to_owned(), reason: error.to_string() }
            }
            RequestErrorKind::NoResponders | RequestErrorKind::Other => {
                RequestError::Unavailable(subject.to_owned())
            }
        })?;
        match serde_json::from_slice::<Reply<R>>(&message.payload).map_err(malformed)? {
            Reply::Ok(answer) => Ok(answer),
            Reply::Err(refusal) => Err(refusal.into()),
        }
    }
}
