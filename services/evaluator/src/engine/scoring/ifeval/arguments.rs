//! What a row gives an instruction: thresholds, relations, words.
//!
//! The reference draws an argument at random where a row gives none. A score that no second run repeats is none, so
//! here such a row is bad.

use serde_json::{Map, Value};

use crate::engine::python;

/// The arguments of one instruction.
pub(super) struct Arguments<'a> {
    /// The instruction's id.
    pub(super) instruction: &'a str,
    /// The row's `kwargs` for it.
    pub(super) given: Option<&'a Map<String, Value>>,
}

/// How a count is held against a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    LessThan,
    AtLeast,
}

impl Relation {
    /// Whether `count` stands in this relation to `threshold`.
    pub(super) fn holds(self, count: usize, threshold: usize) -> bool {
        match self {
            Self::LessThan => count < threshold,
            Self::AtLeast => count >= threshold,
        }
    }
}

impl<'a> Arguments<'a> {
    /// A text, white space at its ends removed.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, String> {
        let value = self.value(name)?;
        value.as_str().map(python::strip).ok_or_else(|| self.wrong(name, value, "a text"))
    }

    /// A number that is not negative.
    pub(super) fn count(&self, name: &str) -> Result<usize, String> {
        let value = self.value(name)?;
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|number| *number >= 0.0 && number.fract() == 0.0)
                .map(|number| number as u64)
        });
        whole
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| self.wrong(name, value, "a whole number"))
    }

    /// `less than` or `at least`.
    pub(super) fn relation(&self, name: &str) -> Result<Relation, String> {
        let value = self.value(name)?;
        match value.as_str() {
            Some("less than") => Ok(Relation::LessThan),
            Some("at least") => Ok(Relation::AtLeast),
            _ => Err(self.wrong(name, value, "`less than` or `at least`")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, String> {
        let value = self.value(name)?;
        let texts: Option<Vec<&str>> =
            value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        texts.filter(|texts| !texts.is_empty()).ok_or_else(|| self.wrong(name, value, "a list of texts"))
    }

    /// What Python finds true of what the row gives; nulls come from tables that give every row every column.
    fn value(&self, name: &str) -> Result<&'a Value, String> {
        let value = self.given.and_then(|given| given.get(name));
        let value = value
            .filter(|value| !(value.is_null() || value.as_f64() == Some(0.0) || value.as_str() == Some("")));
        value.ok_or_else(|| format!("instruction {} has no `{name}`", self.instruction))
    }

    fn wrong(&self, name: &str, value: &Value, expected: &str) -> String {
        format!("instruction {}: `{name}` is {}, not {expected}", self.instruction, python::repr(value))
    }
}
