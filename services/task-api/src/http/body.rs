//! Bodies and ids out of requests.

use std::{str::FromStr, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, web::Data};
use anneal_domain::FieldError;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{App, Error, form};

/// A whole body of at most so many bytes.
pub(crate) struct Body<const MOST: usize>(pub(crate) Bytes);

/// A form.
pub(crate) type Raw = Body<{ 1 << 20 }>;

/// A conversation: as much as the inference service takes.
pub(crate) type LargeRaw = Body<{ 8 << 20 }>;

impl<const MOST: usize> FromRequest for Body<MOST> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = payload.take();
        let app = request.app_data::<Data<App>>().cloned();
        Box::pin(async move {
            let app = app.ok_or(Error::stored("application"))?;
            let mut body = BytesMut::new();
            while let Some(piece) = next_piece(&app, &mut payload).await? {
                if body.len() + piece.len() > MOST {
                    return Err(Error::TooLarge(MOST as u64));
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

/// Reads a form out of a JSON body; everything that is wrong with it is named at once.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    match read(body)? {
        (Some(form), errors) if errors.is_empty() => Ok(form),
        (_, errors) => Err(Error::Invalid(errors)),
    }
}

/// As [`parse`], for a form of which more is to be checked: with a stand-in in every place that is wrong.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<(Option<T>, Vec<FieldError>), Error> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Error::Malformed(format!("the body is not JSON: {error}")))?;
    Ok(form::read("", value))
}

/// An id out of a path; what is no id names nothing.
pub(crate) fn id<T: FromStr>(text: &str, what: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::not_found(what))
}

/// A stored time as RFC 3339.
pub(crate) fn time(unix_ms: i64) -> String {
    anneal_runtime::clock::rfc3339(unix_ms)
}
