//! Bodies and ids out of requests.

use std::str::FromStr;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use anneal_domain::FieldError;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, form};

/// A whole body of at most so many bytes.
pub(crate) struct Body<const MOST: usize>(pub(crate) Bytes);

/// A form.
pub(crate) type Raw = Body<{ 1 << 20 }>;

/// A conversation: as much as the inference service takes.
pub(crate) type LargeRaw = Body<{ 8 << 20 }>;

impl<const MOST: usize> FromRequest for Body<MOST> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = payload.take();
        Box::pin(async move {
            let mut body = BytesMut::new();
            while let Some(piece) = payload.next().await {
                let piece =
                    piece.map_err(|error| Error::Malformed(format!("the body broke off: {error}")))?;
                if body.len() + piece.len() > MOST {
                    return Err(Error::TooLarge(MOST as u64));
                }
                body.extend_from_slice(&piece);
            }
            Ok(Self(body.freeze()))
        })
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
