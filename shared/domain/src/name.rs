//! What people call their things.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::ObjectBuilder, schema::Type},
};

/// A display name: 1 to 128 characters, none of them control characters. It never forms a path, subject or header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Characters of the longest name.
const LONGEST: usize = 128;

/// Text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 128 characters and no control characters")]
pub struct InvalidName;

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let trimmed = text.trim();
        let fits = (1..=LONGEST).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control);
        if fits { Ok(Self(trimmed.to_owned())) } else { Err(InvalidName) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("1 to 128 characters, none of them control characters."))
            .min_length(Some(1))
            .max_length(Some(LONGEST))
            .into()
    }
}

impl ToSchema for Name {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_printable_text() {
        assert!(Name::try_from("  第一次微调 v1  ".to_owned()).is_ok_and(|n| n.as_ref() == "第一次微调 v1"));
        for bad in ["", "   ", "a\nb", "a\0b", &"x".repeat(129)] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad:?} was accepted");
        }
    }
}
