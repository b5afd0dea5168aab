//! Reads task files: YAML to JSON values, `!function` tags kept, `include` merged.

use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};
use serde_yaml_ng::Value as Yaml;

use super::config::TaskConfig;
use crate::engine::error::{Error, Result};

/// Includes within includes; deeper means a cycle.
pub(super) const MAX_INCLUDES: usize = 8;

/// Checks a task's fields.
pub(super) fn parse_config(name: &str, value: Value) -> Result<TaskConfig> {
    let config: TaskConfig =
        serde_json::from_value(value).map_err(|error| Error::task(name, error.to_string()))?;
    for metric in config.metric_list.iter().flatten() {
        if let Some(option) = metric.options.unknown.keys().find(|key| *key != "hf_evaluate") {
            return Err(Error::task(
                name,
                format!("metric_list: unknown field `{option}` of metric {}", metric.metric),
            ));
        }
    }
    Ok(config)
}

/// The fields of a task file and of what it includes.
pub(super) fn read_merged(path: &Path, depth: usize) -> Result<Map<String, Value>> {
    let name = path.display().to_string();
    if depth > MAX_INCLUDES {
        return Err(Error::task(name, "include: task files include each other in a circle"));
    }
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    let fields = parse_text(&name, &text)?;
    with_include(&name, fields, path.parent().unwrap_or(Path::new(".")), depth)
}

/// Fields laid over those of the file that they include.
pub(super) fn with_include(
    name: &str,
    mut fields: Map<String, Value>,
    folder: &Path,
    depth: usize,
) -> Result<Map<String, Value>> {
    let Some(include) = fields.remove("include") else { return Ok(fields) };
    let include = include.as_str().ok_or_else(|| Error::task(name, "include: expected a file's name"))?;
    let base: PathBuf = folder.join(include);
    let mut merged = read_merged(&base, depth + 1)?;
    merged.extend(fields);
    Ok(merged)
}

/// Reads one YAML mapping; keys and tags are kept.
pub(super) fn parse_text(name: &str, text: &str) -> Result<Map<String, Value>> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| Error::task(name, error.to_string()))?;
    match to_json(yaml).map_err(|message| Error::task(name, message))? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::task(name, "a task file is a mapping of fields")),
    }
}

fn to_json(yaml: Yaml) -> std::result::Result<Value, String> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => number
            .as_i64()
            .map(Number::from)
            .or_else(|| number.as_u64().map(Number::from))
            .or_else(|| number.as_f64().and_then(Number::from_f64))
            .map(Value::Number)
            .ok_or_else(|| format!("the number {number} cannot be kept"))?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<std::result::Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut out = Map::new();
            for (key, value) in entries {
                let key = match to_json(key)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                out.insert(key, to_json(value)?);
            }
            Value::Object(out)
        }
        Yaml::Tagged(tagged) if tagged.tag == "!function" => {
            let mut out = Map::new();
            out.insert("!function".to_owned(), to_json(tagged.value)?);
            Value::Object(out)
        }
        Yaml::Tagged(tagged) => return Err(format!("the tag {} is not known", tagged.tag)),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::config::{Field, OutputType};
    use super::super::functions::Function;
    use super::*;

    #[test]
    fn an_include_is_overlaid_field_by_field() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("_base"),
            "output_type: multiple_choice\nnum_fewshot: 5\ndoc_to_choice: ['A']\n",
        )
        .unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "include: _base\ntask: mine\nnum_fewshot: 0\nprocess_docs: !function utils.hellaswag_docs\ndoc_to_target: 3\n").unwrap();
        let merged = read_merged(&file, 0).unwrap();
        let config = parse_config("a.yaml", Value::Object(merged)).unwrap();
        assert_eq!((config.num_fewshot, config.output_type), (Some(0), OutputType::MultipleChoice));
        assert_eq!(config.process_docs.unwrap().function, Function::HellaswagDocs);
        assert_eq!(config.doc_to_target, Some(Field::Index(3)));
    }

    #[test]
    fn unknown_fields_and_functions_are_refused_by_name() {
        let refused = |text: &str| {
            parse_text("t", text)
                .and_then(|map| parse_config("t", Value::Object(map)))
                .unwrap_err()
                .to_string()
        };
        assert!(refused("task: a\ndoc_to_txt: x\n").contains("unknown field `doc_to_txt`"));
        assert!(refused("task: a\nprocess_docs: !function utils.mine\n").contains("utils.mine"));
        assert!(
            refused("task: a\nmetric_list: [{metric: exact_match, ignore_cas: true}]\n")
                .contains("ignore_cas")
        );
        assert!(
            refused("task: a\nfilter_list: [{name: x, filter: [{function: frobnicate}]}]\n")
                .contains("frobnicate")
        );
        assert!(refused("task: a\ngeneration_kwargs: {until: ['x'], num_beams: 2}\n").contains("num_beams"));
    }

    #[test]
    fn circular_includes_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "include: a.yaml\n").unwrap();
        assert!(read_merged(&file, 0).unwrap_err().to_string().contains("circle"));
    }
}
