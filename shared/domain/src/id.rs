//! Identifiers: a short prefix and a UUIDv7, lower-case letters, digits and one `-` only.
//!
//! Their alphabet is what lets an id stand in a NATS subject, an object key, a path or a header without escaping;
//! parsing refuses everything else, so nothing a caller sends can form one of those.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::ObjectBuilder, schema::Type},
};
use uuid::Uuid;

/// Text that is no id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {article} id: expected `{prefix}-` and 32 lower-case hexadecimal digits")]
pub struct ParseIdError {
    article: &'static str,
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $article:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id; later ids sort after earlier ones.
            #[expect(clippy::new_without_default, reason = "each call makes another id")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with these bits; for ids that are derived from others.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }

            /// The id's bits.
            pub const fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let error = ParseIdError { article: $article, prefix: $prefix };
                let hex = text.strip_prefix(concat!($prefix, "-")).ok_or_else(|| error.clone())?;
                let plain = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !plain {
                    return Err(error);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| error)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "-[0-9a-f]{32}$")))
                    .description(Some(concat!("The id of ", $article, ".")))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

ids! {
    /// A workspace: the boundary nothing crosses.
    WorkspaceId = "ws", "a workspace";
    /// A training, evaluation or compilation task.
    TaskId = "task", "a task";
    /// A dataset.
    DatasetId = "ds", "a dataset";
    /// A model: built-in, imported, trained or compiled.
    ModelId = "model", "a model";
    /// A deployment of a compiled model.
    DeploymentId = "dep", "a deployment";
    /// A person or a machine account.
    UserId = "user", "a user";
    /// An API key (the key itself is never stored).
    ApiKeyId = "key", "an API key";
    /// A running worker process.
    WorkerId = "worker", "a worker";
    /// A checkpoint of a task.
    CheckpointId = "ckpt", "a checkpoint";
    /// An event or command message.
    EventId = "evt", "an event";
    /// One attempt of a request that may be sent again.
    RequestId = "req", "a request";
    /// A hold on a workspace's balance.
    HoldId = "hold", "a hold";
    /// An import of a model or a dataset from a hub.
    ImportId = "import", "an import";
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn text_form_parses_back() {
        let id = TaskId::new();
        assert_eq!(id.to_string().parse::<TaskId>().unwrap(), id);
        assert_eq!(serde_json::from_str::<TaskId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn anything_that_could_form_a_subject_path_or_header_is_refused() {
        let good = TaskId::from_u128(7).to_string();
        let bad = [
            String::new(),
            "task-".to_owned(),
            good.replace("task", "ws"),
            good.to_uppercase(),
            format!("{good}."),
            format!("{good}\r\nX: y"),
            "task-*".to_owned(),
            "task->".to_owned(),
            "task-../../etc/passwd000000000000000".to_owned(),
            "task-00000000-0000-0000-0000-000000000007".to_owned(),
        ];
        for text in bad {
            assert!(text.parse::<TaskId>().is_err(), "{text:?} was accepted");
        }
    }
}
