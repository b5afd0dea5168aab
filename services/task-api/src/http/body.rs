//! Bodies and ids out of requests.

use std::{str::FromStr, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, web::Data};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;

use crate::{App, Error};

/// Largest JSON body.
const LARGEST_BODY: usize = 1 << 20;

/// A whole small body.
pub(crate) struct Raw(pub(crate) Bytes);

impl FromRequest for Raw {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = payload.take();
        let app = request.app_data::<Data<App>>().cloned();
        Box::pin(async move {
            let app = app.ok_or(Error::stored("application"))?;
            let mut body = BytesMut::new();
            while let Some(piece) = next_piece(&app, &mut payload).await? {
                if body.len() + piece.len() > LARGEST_BODY {
                    return Err(Error::TooLarge(LARGEST_BODY as u64));
                }
                body.extend_from_slice(&piece);
            }
            Ok(Self(body.freeze()))
        })
    }
}

/// The next piece of a body, `None` at its end. One that stands still is given up: it would hold its connection for ever.
pub(crate) async fn next_piece<S>(app: &App, body: &mut S) -> Result<Option<Bytes>, Error>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let idle = Duration::from_millis(app.config.body_idle_ms);
    match tokio::time::timeout(idle, body.next()).await {
        Err(_) => Err(Error::Slow),
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(error))) => Err(Error::Malformed(format!("the body broke off: {error}"))),
    }
}

/// Reads a JSON body; what does not fit is named by its field.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let message = inner.to_string();
            let named = message.split('`').nth(1).filter(|_| message.starts_with("missing field"));
            let field = match (path.as_str(), named) {
                (".", Some(name)) => name.to_owned(),
                (path, Some(name)) => format!("{path}.{name}"),
                (".", None) => message.split('`').nth(1).unwrap_or("body").to_owned(),
                (path, None) => path.to_owned(),
            };
            Error::field(field, message)
        } else {
            Error::Malformed(format!("the body is not JSON: {inner}"))
        }
    })
}

/// An id out of a path; what is no id names nothing.
pub(crate) fn id<T: FromStr>(text: &str, what: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::not_found(what))
}

/// A stored time as RFC 3339.
pub(crate) fn time(unix_ms: i64) -> String {
    anneal_runtime::clock::rfc3339(unix_ms)
}
