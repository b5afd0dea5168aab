//! Bodies and ids out of requests.

use std::str::FromStr;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;

use crate::Error;

/// Largest JSON body.
const LARGEST_BODY: usize = 1 << 20;

/// A whole small body.
pub(crate) struct Raw(pub(crate) Bytes);

impl FromRequest for Raw {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = payload.take();
        Box::pin(async move {
            let mut body = BytesMut::new();
            while let Some(piece) = payload.next().await {
                let piece =
                    piece.map_err(|error| Error::Malformed(format!("the body broke off: {error}")))?;
                if body.len() + piece.len() > LARGEST_BODY {
                    return Err(Error::TooLarge(LARGEST_BODY as u64));
                }
                body.extend_from_slice(&piece);
            }
            Ok(Self(body.freeze()))
        })
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
