//! Reads a task specification out of JSON and names every wrong field at once, not the first only.
//!
//! The parser stops at its first error; each error is noted, its place is mended with a stand-in, and the parser runs
//! again. Only a specification without any error is used.

use anneal_domain::{
    FieldError,
    spec::{CompilationSpec, EvaluationSpec, TaskSpec, TrainingSpec},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// More wrong fields than this are not listed.
const MOST_ERRORS: usize = 32;

/// The specification, or everything that is wrong with it.
pub(crate) fn parse(value: Value) -> Result<TaskSpec, Vec<FieldError>> {
    let Value::Object(mut map) = value else {
        return Err(vec![FieldError::new("spec", "must be an object with a `kind`")]);
    };
    let kind = map.remove("kind");
    let value = Value::Object(map);
    let (spec, errors) = match kind.as_ref().and_then(Value::as_str) {
        Some("training") => {
            let (spec, errors) = read::<TrainingSpec>(value);
            (spec.map(|spec| TaskSpec::Training(Box::new(spec))), errors)
        }
        Some("evaluation") => {
            let (spec, errors) = read::<EvaluationSpec>(value);
            (spec.map(TaskSpec::Evaluation), errors)
        }
        Some("compilation") => {
            let (spec, errors) = read::<CompilationSpec>(value);
            (spec.map(TaskSpec::Compilation), errors)
        }
        _ => (None, vec![FieldError::new("spec.kind", "must be `training`, `evaluation` or `compilation`")]),
    };
    let mut all = errors;
    if let Some(spec) = &spec {
        let mended: Vec<String> = all.iter().map(|error| error.field.clone()).collect();
        all.extend(spec.validate().into_iter().filter(|error| !mended.contains(&error.field)));
    }
    match spec {
        Some(spec) if all.is_empty() => Ok(spec),
        _ => Err(all),
    }
}

/// What parses once every wrong place is mended, and the wrong places.
fn read<T: DeserializeOwned>(mut value: Value) -> (Option<T>, Vec<FieldError>) {
    let mut errors: Vec<FieldError> = Vec::new();
    while errors.len() < MOST_ERRORS {
        let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
            Ok(spec) => return (Some(spec), errors),
            Err(error) => error,
        };
        let path: Vec<String> = segments(&error.path().to_string());
        let message = error.inner().to_string();
        let (place, mend) = place_of(path, &message);
        let field = name_of(&place);
        if !errors.iter().any(|known| known.field == field) {
            errors.push(FieldError::new(field, plain(&message)));
        }
        if !mend_at(&mut value, &place, mend) {
            break;
        }
    }
    (None, errors)
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

/// A value that parses for each required field.
fn stand_in(name: &str) -> Value {
    match name {
        "task_type" => json!("sft"),
        "method" => json!("lora"),
        "model" => json!("model-00000000000000000000000000000000"),
        "dataset" => json!("ds-00000000000000000000000000000000"),
        "model_source" => json!("builtin"),
        "quantization" => json!("int8"),
        "datasets" => json!([]),
        "benchmark" => json!("arc_easy"),
        _ => Value::Null,
    }
}

fn segments(path: &str) -> Vec<String> {
    path.replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn name_of(place: &[String]) -> String {
    place.iter().fold("spec".to_owned(), |name, part| {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            format!("{name}[{part}]")
        } else {
            format!("{name}.{part}")
        }
    })
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
                list.remove(i);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn fields(value: Value) -> Vec<String> {
        parse(value).unwrap_err().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let named = fields(json!({
            "kind": "training", "task_type": "sft", "model": "../../etc", "method": "lora", "epochs": "many",
            "lora": {"rank": 0, "colour": 1}, "split": [50, 20, 10], "price": 0
        }));
        for field in [
            "spec.model",
            "spec.epochs",
            "spec.lora.colour",
            "spec.lora.rank",
            "spec.split",
            "spec.price",
            "spec.dataset",
        ] {
            assert!(named.iter().any(|name| name == field), "{field} is missing in {named:?}");
        }
    }

    #[test]
    fn nested_lists_and_foreign_kinds_are_named() {
        let dataset = "ds-00000000000000000000000000000001";
        let named = fields(json!({
            "kind": "evaluation", "model_source": "stolen", "model": "model-00000000000000000000000000000001",
            "datasets": [{"benchmark": "arc_easy", "dataset": dataset}, {"benchmark": "a.b", "dataset": dataset, "limit": 0}]
        }));
        for field in ["spec.model_source", "spec.datasets[1].benchmark", "spec.datasets[1].limit"] {
            assert!(named.iter().any(|name| name == field), "{field} is missing in {named:?}");
        }
        assert_eq!(fields(json!({"kind": "mining"})), ["spec.kind"]);
        assert_eq!(fields(json!(7)), ["spec"]);
    }

    #[test]
    fn a_sound_specification_is_read() {
        let spec = json!({
            "kind": "training", "task_type": "sft", "method": "lora",
            "model": "model-00000000000000000000000000000001", "dataset": "ds-00000000000000000000000000000001"
        });
        assert!(parse(spec).is_ok());
    }
}
