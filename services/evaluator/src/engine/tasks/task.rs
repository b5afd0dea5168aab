//! A task at work: its rows, and what its fields make of a row.
//!
//! Follows `ConfigurableTask.doc_to_text`, `doc_to_target` and `doc_to_choice` of the reference harness: a field that
//! names a column yields the column, any other text is a template, and rendered digits or lists become values.

use serde_json::Value;

use super::config::{Field, OutputType, TaskConfig};
use super::functions::{Row, missing};
use super::template::{Templates, context_of};
use crate::engine::error::{Error, Result};
use crate::engine::python;

/// One row of an evaluated or few-shot split.
#[derive(Clone)]
pub struct Doc {
    /// Its columns.
    pub fields: Row,
    /// Row number in its split, from 1, bad rows counted.
    pub row: usize,
    /// Line of its file, from 1.
    pub line: u64,
    context: minijinja::Value,
}

impl Doc {
    /// A row of a split, read from a line of a file.
    pub fn new(fields: Row, row: usize, line: u64) -> Self {
        let context = context_of(&fields);
        Self { fields, row, line, context }
    }

    /// Its number in the harness's files, from 0.
    pub fn id(&self) -> usize {
        self.row - 1
    }
}

/// A task with its rows loaded.
pub struct Task {
    /// Its fields.
    pub config: TaskConfig,
    /// Rows to evaluate, before any limit.
    pub docs: Vec<Doc>,
    /// Rows that examples are taken from.
    pub fewshot_docs: Vec<Doc>,
    /// The split that is evaluated.
    pub split: String,
    /// The first row's prompt is an index: each choice is a prompt of its own.
    pub multiple_input: bool,
    /// The first row's target is a list of right answers.
    pub multiple_target: bool,
    templates: Templates,
}

impl Task {
    /// Compiles the templates and looks at the first row, as the harness does.
    pub fn new(config: TaskConfig, docs: Vec<Doc>, fewshot_docs: Vec<Doc>, split: String) -> Result<Self> {
        let templates = compile(&config)?;
        let mut task = Self {
            config,
            docs,
            fewshot_docs,
            split,
            multiple_input: false,
            multiple_target: false,
            templates,
        };
        // The first row that works; rows that fail are reported when they are scored.
        for doc in &task.docs {
            if let (Ok(text), Ok(target)) = (task.text(doc), task.target(doc)) {
                let choices = task.config.doc_to_choice.is_some();
                (task.multiple_input, task.multiple_target) = (choices && text.is_i64(), target.is_array());
                break;
            }
        }
        Ok(task)
    }

    /// The task's name.
    pub fn name(&self) -> &str {
        &self.config.task
    }

    /// The prompt of a row: text, or the index of the right prompt.
    pub fn text(&self, doc: &Doc) -> std::result::Result<Value, String> {
        self.text_by(self.config.doc_to_text.as_ref(), doc)
    }

    /// The prompt as a few-shot override makes it.
    pub fn text_by(&self, field: Option<&Field>, doc: &Doc) -> std::result::Result<Value, String> {
        let value = self.field(field.ok_or("the task has no doc_to_text")?, doc, "doc_to_text")?;
        Ok(match value {
            Rendered::Template(text) if python::is_digit(&text) && self.config.doc_to_choice.is_some() => {
                python::literal_eval(&text).unwrap_or(Value::String(text))
            }
            Rendered::Template(text) => Value::String(text),
            Rendered::Value(value) => value,
        })
    }

    /// The answer of a row: text, an index, or a list.
    pub fn target(&self, doc: &Doc) -> std::result::Result<Value, String> {
        self.target_by(self.config.doc_to_target.as_ref(), doc)
    }

    /// The answer as a few-shot override makes it.
    pub fn target_by(&self, field: Option<&Field>, doc: &Doc) -> std::result::Result<Value, String> {
        let value = self.field(field.ok_or("the task has no doc_to_target")?, doc, "doc_to_target")?;
        Ok(match value {
            Rendered::Template(text) if python::is_digit(&text) && self.config.doc_to_choice.is_some() => {
                python::literal_eval(&text).map_err(|error| format!("doc_to_target: {error}"))?
            }
            Rendered::Template(text) if text.starts_with('[') && text.ends_with(']') && text.len() >= 2 => {
                python::literal_eval(&text).unwrap_or(Value::String(text))
            }
            Rendered::Template(text) => Value::String(text),
            Rendered::Value(value) => value,
        })
    }

    /// The choices of a row.
    pub fn choices(&self, doc: &Doc) -> std::result::Result<Vec<String>, String> {
        self.choices_by(self.config.doc_to_choice.as_ref(), doc)
    }

    /// The choices as a few-shot override makes them.
    pub fn choices_by(&self, field: Option<&Field>, doc: &Doc) -> std::result::Result<Vec<String>, String> {
        let field = field.ok_or("the task has no doc_to_choice")?;
        let value = match field {
            Field::Map(entries) => Value::Array(entries.values().cloned().collect()),
            _ => match self.field(field, doc, "doc_to_choice")? {
                Rendered::Template(text) => python::literal_eval(&text)
                    .map_err(|error| format!("doc_to_choice rendered {text:?}: {error}"))?,
                Rendered::Value(value) => value,
            },
        };
        let Value::Array(items) = value else {
            return Err(format!("doc_to_choice yields {}, not a list", python::repr(&value)));
        };
        if items.is_empty() {
            return Err("doc_to_choice yields no choice".to_owned());
        }
        items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(format!("a choice is {}, not text", python::repr(&other))),
            })
            .collect()
    }

    /// A description or prefix: a column or a template.
    pub fn line_of(&self, source: &str, doc: &Doc) -> std::result::Result<String, String> {
        match doc.fields.get(source) {
            Some(value) => Ok(python::str_of(value)),
            None => self.templates.render(source, &doc.context),
        }
    }

    fn field(&self, field: &Field, doc: &Doc, name: &str) -> std::result::Result<Rendered, String> {
        match field {
            Field::Index(index) => Ok(Rendered::Value(Value::from(*index))),
            Field::List(items) => Ok(Rendered::Value(Value::Array(items.clone()))),
            Field::Map(entries) => Ok(Rendered::Value(Value::Object(entries.clone()))),
            Field::Function(name) => name.function.evaluate(&doc.fields).map(Rendered::Value),
            Field::Text(source) => match doc.fields.get(source) {
                Some(value) => Ok(Rendered::Value(value.clone())),
                // One bare word is meant as a column; upstream would score the word itself.
                None if is_identifier(source) => Err(format!("{name}: {}", missing(&doc.fields, source))),
                None => self
                    .templates
                    .render(source, &doc.context)
                    .map(Rendered::Template)
                    .map_err(|error| format!("{name}: {error}")),
            },
        }
    }
}

enum Rendered {
    Template(String),
    Value(Value),
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn compile(config: &TaskConfig) -> Result<Templates> {
    let mut templates = Templates::new();
    let shots = config.fewshot_config.clone().unwrap_or_default();
    let fields = [
        ("doc_to_text", &config.doc_to_text),
        ("doc_to_target", &config.doc_to_target),
        ("doc_to_choice", &config.doc_to_choice),
        ("fewshot_config.doc_to_text", &shots.doc_to_text),
        ("fewshot_config.doc_to_target", &shots.doc_to_target),
        ("fewshot_config.doc_to_choice", &shots.doc_to_choice),
    ];
    let texts = [
        ("description", Some(&config.description)),
        ("gen_prefix", config.gen_prefix.as_ref()),
        ("fewshot_config.gen_prefix", shots.gen_prefix.as_ref()),
    ];
    let sources = fields
        .iter()
        .filter_map(|(name, field)| match field {
            Some(Field::Text(source)) => Some((*name, source)),
            _ => None,
        })
        .chain(texts.iter().filter_map(|(name, source)| source.map(|source| (*name, source))));
    for (name, source) in sources {
        templates.add(source).map_err(|message| Error::task(&config.task, format!("{name}: {message}")))?;
    }
    if config.output_type == OutputType::MultipleChoice && config.doc_to_choice.is_none() {
        return Err(Error::task(&config.task, "doc_to_choice is required by output_type multiple_choice"));
    }
    Ok(templates)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
pub(crate) mod tests {
    use serde_json::json;

    use super::super::yaml::{parse_config, parse_text};
    use super::*;

    pub(crate) fn task(yaml: &str, rows: &[Value]) -> Task {
        let config = parse_config("test", Value::Object(parse_text("test", yaml).unwrap())).unwrap();
        let docs: Vec<Doc> = rows
            .iter()
            .enumerate()
            .map(|(index, row)| Doc::new(row.as_object().unwrap().clone(), index + 1, index as u64 + 1))
            .collect();
        Task::new(config, docs.clone(), docs, "test".to_owned()).unwrap()
    }

    #[test]
    fn fields_are_columns_templates_indices_or_lists() {
        let task = task(
            "task: t\noutput_type: multiple_choice\ndoc_to_text: question\ndoc_to_target: '{{choices.label.index(key)}}'\ndoc_to_choice: '{{choices.text}}'\n",
            &[json!({"question": "7", "choices": {"text": ["a", "it's"], "label": ["A", "B"]}, "key": "B"})],
        );
        let doc = &task.docs[0];
        assert_eq!(task.text(doc).unwrap(), json!("7"), "a column is not read as a number");
        assert_eq!(task.target(doc).unwrap(), json!(1));
        assert_eq!(task.choices(doc).unwrap(), ["a", "it's"]);
        assert!(!task.multiple_input);
    }

    #[test]
    fn a_missing_column_is_an_error_not_a_literal() {
        let task = task("task: t\ndoc_to_text: question\ndoc_to_target: answer\n", &[json!({"query": "x"})]);
        let error = task.text(&task.docs[0]).unwrap_err();
        assert!(error.contains("no column `question`") && error.contains("query"), "{error}");
    }

    #[test]
    fn a_template_s_syntax_error_names_the_field() {
        let config =
            parse_config("t", json!({"task": "t", "doc_to_text": "{{question", "doc_to_target": "x"}))
                .unwrap();
        let error = Task::new(config, vec![], vec![], "test".to_owned()).err().unwrap().to_string();
        assert!(error.contains("doc_to_text"), "{error}");
    }
}
