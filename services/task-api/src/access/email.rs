//! Where a person is written to.

use serde::Deserialize;

/// An e-mail address, as far as its form tells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Email(String);

impl TryFrom<String> for Email {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = text.len() <= 254 && text.bytes().all(|b| b.is_ascii_graphic());
        let parts = text.split_once('@');
        let whole =
            parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
        if plain && whole { Ok(Self(text)) } else { Err("must be an e-mail address") }
    }
}

impl AsRef<str> for Email {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_two_plain_parts() {
        assert!(Email::try_from("a@b.example".to_owned()).is_ok());
        for bad in ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\r\n", "ä@b"] {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad:?} was accepted");
        }
    }
}
