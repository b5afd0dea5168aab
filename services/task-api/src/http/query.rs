//! The query of a request: every key that is unknown or wrong is named at once.

use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::QueryPayloadError, web};
use anneal_domain::FieldError;
use futures::future::{Ready, ready};
use serde::de::DeserializeOwned;

use crate::Error;

/// What a query says. Every field of `T` must be optional: each is looked at alone when something is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Query<T>(T);

impl<T> Query<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let whole = match web::Query::<T>::from_query(query) {
        Ok(form) => return Ok(form.into_inner()),
        Err(error) => error,
    };
    let mut errors: Vec<FieldError> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if let Err(error) = web::Query::<T>::from_query(pair) {
            let name = name_of(pair);
            if !errors.iter().any(|known| known.field == name) {
                errors.push(FieldError::new(name, words(&error)));
            }
        }
    }
    if errors.is_empty() {
        // Each is right alone: one of them was given twice.
        let message = words(&whole);
        errors.push(FieldError::new(message.split('`').nth(1).unwrap_or("query"), message.clone()));
    }
    Err(Error::Invalid(errors))
}

fn name_of(pair: &str) -> String {
    let read = web::Query::<Vec<(String, String)>>::from_query(pair).ok();
    let name = read.and_then(|pairs| pairs.into_inner().into_iter().next()).map(|(name, _)| name);
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "query".to_owned())
}

fn words(error: &QueryPayloadError) -> String {
    match error {
        QueryPayloadError::Deserialize(inner) => inner.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        limit: Option<u32>,
        colour: Option<String>,
    }

    fn fields(query: &str) -> Vec<String> {
        match read::<Sample>(query) {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_wrong_key_is_named() {
        assert_eq!(fields("limit=-1&colour=red&shape=round&si%20ze=7"), ["limit", "shape", "si ze"]);
        assert_eq!(fields("limit=1&limit=2"), ["limit"]);
    }

    #[test]
    fn a_sound_query_is_read() {
        let sample = read::<Sample>("limit=7&colour=a%26b").map(|sample| (sample.limit, sample.colour));
        assert_eq!(sample.ok(), Some((Some(7), Some("a&b".to_owned()))));
        assert!(read::<Sample>("").is_ok());
    }
}
