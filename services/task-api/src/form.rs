//! Reads a form out of JSON and names every wrong field at once, not the first only.
//!
//! The parser stops at its first error; each error is noted, its place is mended with a stand-in, and the parser runs
//! again. Only a form without any error may be used.

use anneal_domain::FieldError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// More wrong fields than this are not listed.
const MOST_ERRORS: usize = 32;

/// What parses once every wrong place is mended, and the wrong places; their names begin with `root` where it is not empty.
pub(crate) fn read<T: DeserializeOwned>(root: &str, mut value: Value) -> (Option<T>, Vec<FieldError>) {
    if !value.is_object() {
        return (None, vec![FieldError::new(name_of(root, &[]), "must be a JSON object")]);
    }
    let mut errors: Vec<FieldError> = Vec::new();
    // A place may be mended twice: removed, and then filled because it is needed.
    for _ in 0..2 * MOST_ERRORS {
        let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
            Ok(form) => return (Some(form), errors),
            Err(error) => error,
        };
        let path: Vec<String> = segments(&error.path().to_string());
        let message = error.inner().to_string();
        let (place, mend) = place_of(path, &message);
        let field = name_of(root, &place);
        if !names(&errors, &field) {
            errors.push(FieldError::new(field, plain(&message)));
        }
        if errors.len() == MOST_ERRORS || !mend_at(&mut value, &place, mend) {
            break;
        }
    }
    (None, errors)
}

/// Whether the errors name this field, or one around it, or (of a list) one of its items.
pub(crate) fn names(errors: &[FieldError], field: &str) -> bool {
    let around = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let item = |error: &str| error.strip_prefix(field).is_some_and(|rest| rest.starts_with('['));
    errors.iter().any(|error| around(&error.field, field) || item(&error.field))
}

enum Mend {
    Remove,
    StandIn(Value),
}

/// Which field is meant, and how to go on without it.
fn place_of(mut path: Vec<String>, message: &str) -> (Vec<String>, Mend) {
    let named = message.split('`').nth(1).map(str::to_owned);
    match named {
        Some(name) if message.starts_with("missing field") => {
            path.push(name.clone());
            (path, Mend::StandIn(stand_in(&name)))
        }
        Some(name) if message.starts_with("unknown field") => {
            if path.last() != Some(&name) {
                path.push(name);
            }
            (path, Mend::Remove)
        }
        _ => (path, Mend::Remove),
    }
}

/// A value that parses for each required field of a form.
fn stand_in(name: &str) -> Value {
    match name {
        "task_type" => json!("sft"),
        "method" => json!("lora"),
        "model" => json!("model-00000000000000000000000000000000"),
        "dataset" => json!("ds-00000000000000000000000000000000"),
        "model_source" => json!("builtin"),
        "quantization" => json!("int8"),
        "datasets" => json!([]),
        "source" => json!("imported"),
        "email" => json!("nobody@example.com"),
        "role" => json!("viewer"),
        "amount_microcredits" => json!(1),
        _ => json!("unnamed"),
    }
}

/// A value for an item of a list whose items are counted by their place: taking it out would rename those behind it.
fn item_of(list: Option<&String>) -> Option<Value> {
    (list.map(String::as_str) == Some("datasets"))
        .then(|| json!({ "benchmark": "", "dataset": stand_in("dataset") }))
}

fn segments(path: &str) -> Vec<String> {
    path.replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn name_of(root: &str, place: &[String]) -> String {
    let name = place.iter().fold(root.to_owned(), |name, part| {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            format!("{name}[{part}]")
        } else if name.is_empty() {
            part.clone()
        } else {
            format!("{name}.{part}")
        }
    });
    if name.is_empty() { "body".to_owned() } else { name }
}

/// The parser's words without its position in a text that the user never saw.
fn plain(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).chars().take(300).collect()
}

fn mend_at(value: &mut Value, place: &[String], mend: Mend) -> bool {
    let Some((last, parents)) = place.split_last() else { return false };
    let mut at = value;
    for part in parents {
        let next = match at {
            Value::Object(map) => map.get_mut(part),
            Value::Array(list) => part.parse::<usize>().ok().and_then(|i| list.get_mut(i)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    match (at, mend) {
        (Value::Object(map), Mend::Remove) => map.shift_remove(last).is_some(),
        (Value::Object(map), Mend::StandIn(value)) => map.insert(last.clone(), value).is_none(),
        (Value::Array(list), Mend::Remove) => match last.parse::<usize>() {
            Ok(i) if i < list.len() => {
                match item_of(parents.last()) {
                    Some(item) => list[i] = item,
                    None => drop(list.remove(i)),
                }
                true
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading of it is looked at")]
    struct Sample {
        name: String,
        count: u8,
        #[serde(default)]
        flags: Vec<bool>,
    }

    fn fields(value: Value) -> (bool, Vec<String>) {
        let (form, errors) = read::<Sample>("", value);
        (form.is_some(), errors.into_iter().map(|error| error.field).collect())
    }

    #[test]
    fn missing_wrong_and_unknown_fields_are_named_together() {
        // `count` has no stand-in: the form cannot be made whole, and its fields are named all the same.
        let (whole, named) = fields(json!({ "flags": [true, 1], "colour": 7 }));
        assert!(!whole);
        for field in ["name", "count", "flags[1]", "colour"] {
            assert!(named.iter().any(|name| name == field), "{field} is missing in {named:?}");
        }
        assert_eq!(
            fields(json!({ "name": "a", "count": 1, "flags": [0] })),
            (true, vec!["flags[0]".to_owned()])
        );
        for other in [json!([1]), json!("text"), Value::Null] {
            assert_eq!(fields(other), (false, vec!["body".to_owned()]));
        }
    }

    #[test]
    fn a_field_is_named_by_what_lies_around_it_and_a_list_by_its_items() {
        let errors = [FieldError::new("spec.datasets[0]", ""), FieldError::new("spec.lora.colour", "")];
        assert!(names(&errors, "spec.datasets[0].limit") && names(&errors, "spec.datasets"));
        assert!(!names(&errors, "spec.lora.rank") && !names(&errors, "spec.lora"));
        assert!(!names(&errors, "spec.datasets[1]"));
    }
}
