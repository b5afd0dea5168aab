//! Task templates: Jinja with the reference harness's settings (strict undefined, trailing newline kept) and Python's
//! rendering of values and methods, through minijinja, with a fuel limit.

use std::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use regex::Regex;

use crate::engine::python;

/// Instructions one rendering may take: far above any real template, far below an endless loop.
const FUEL: u64 = 1_000_000;

/// Compiled templates, named by their own source.
pub(super) struct Templates {
    environment: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// An environment without templates.
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder()
                .keep_trailing_newline(true)
                .build()
                .expect("the default delimiters are valid"),
        );
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(method);
        environment.set_formatter(|out, _state, value| {
            out.write_str(&text_of(value)?).map_err(|_| Error::new(ErrorKind::WriteFailure, "cannot write"))
        });
        environment.add_filter("regex_replace", regex_replace);
        Self { environment }
    }

    /// Compiles a template; the error says where its syntax is wrong.
    pub(super) fn add(&mut self, source: &str) -> Result<(), String> {
        self.environment
            .add_template_owned(source.to_owned(), source.to_owned())
            .map_err(|error| describe(&error))
    }

    /// Renders a template that was added. The error names the columns that the row lacks, when it lacks any.
    pub(super) fn render(&self, source: &str, row: &Value) -> Result<String, String> {
        let template = self.environment.get_template(source).map_err(|error| describe(&error))?;
        template.render(row).map_err(|error| {
            let mut missing: Vec<String> = template
                .undeclared_variables(false)
                .into_iter()
                .filter(|name| {
                    row.get_attr(name).is_ok_and(|found| found.is_undefined()) && !self.is_global(name)
                })
                .collect();
            missing.sort();
            let absent = matches!(error.kind(), ErrorKind::UndefinedError | ErrorKind::UnknownMethod);
            if absent && !missing.is_empty() {
                return format!("the row has no column {} (it has: {})", quoted(&missing), columns(row));
            }
            format!("the template failed: {}", describe(&error))
        })
    }

    fn is_global(&self, name: &str) -> bool {
        self.environment.globals().any(|(known, _)| known == name)
    }
}

/// A row as templates see it.
pub(super) fn context_of<T: serde::Serialize>(row: T) -> Value {
    Value::from(Serde(row))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn columns(row: &Value) -> String {
    row.try_iter()
        .map(|keys| keys.map(|key| key.to_string()).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}

fn describe(error: &Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let line = error.line().map(|line| format!(" (template line {line})")).unwrap_or_default();
    format!("{}{detail}{line}", error.kind())
}

/// What Python's `str` makes of a value.
fn text_of(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        // A list would print what is undefined as None.
        ValueKind::Seq if value.try_iter()?.any(|item| item.is_undefined()) => {
            Err(Error::from(ErrorKind::UndefinedError))
        }
        ValueKind::None
        | ValueKind::Bool
        | ValueKind::Number
        | ValueKind::Seq
        | ValueKind::Map
        | ValueKind::Iterable => {
            let plain = serde_json::to_value(value)
                .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
            Ok(python::str_of(&plain))
        }
        _ => Ok(value.to_string()),
    }
}

/// Python's methods that minijinja-contrib lacks, then those that it has.
fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.kind(), name) {
        (ValueKind::Seq | ValueKind::Iterable, "index") => {
            let (wanted,): (&Value,) = from_args(args)?;
            for (index, item) in value.try_iter()?.enumerate() {
                if item == *wanted {
                    return Ok(Value::from(index));
                }
            }
            Err(invalid(format!("{} is not in the list {}", text_of(wanted)?, text_of(value)?)))
        }
        (ValueKind::String, "index") => {
            let (wanted,): (String,) = from_args(args)?;
            let text = value.to_string();
            let at = text.find(&wanted).ok_or_else(|| invalid(format!("{wanted:?} is not in the text")))?;
            Ok(Value::from(text[..at].chars().count()))
        }
        (ValueKind::String, "removeprefix" | "removesuffix") => {
            let (part,): (String,) = from_args(args)?;
            let text = value.to_string();
            let cut =
                if name == "removeprefix" { text.strip_prefix(&part) } else { text.strip_suffix(&part) };
            Ok(Value::from(cut.unwrap_or(&text)))
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

/// The harness's own filter: Python's `re.sub`.
fn regex_replace(text: &str, pattern: &str, replacement: &str) -> Result<String, Error> {
    let pattern = Regex::new(pattern).map_err(|error| invalid(error.to_string()))?;
    // Python writes a group as `\1`, this crate as `${1}`; a dollar sign means itself there.
    let mut ours = String::new();
    let mut characters = replacement.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                let _ = write!(ours, "${{{digit}}}");
                characters.next();
            }
            ('$', _) => ours.push_str("$$"),
            _ => ours.push(character),
        }
    }
    Ok(pattern.replace_all(text, ours.as_str()).into_owned())
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, row: &serde_json::Value) -> Result<String, String> {
        let mut templates = Templates::new();
        templates.add(source)?;
        templates.render(source, &context_of(row))
    }

    #[test]
    fn values_render_as_python_renders_them() {
        let row = json!({"choices": {"text": ["it's", "b"], "label": ["A", "B"]}, "key": "B", "none": null, "yes": true, "f": 1.0});
        assert_eq!(render("{{choices.text}}", &row).unwrap(), r#"["it's", 'b']"#);
        assert_eq!(
            render("{{choices.label.index(key)}}|{{none}}|{{yes}}|{{f}}", &row).unwrap(),
            "1|None|True|1.0"
        );
        assert_eq!(render("a\n", &row).unwrap(), "a\n", "the trailing newline is kept");
    }

    #[test]
    fn the_harness_s_own_templates_render() {
        let row = json!({"text": "one two three", "sol1": "a", "sol2": "b", "answer": " C", "cost": "$5"});
        assert_eq!(render("{{text.split(' ')[:-1]|join(' ')}}", &row).unwrap(), "one two");
        assert_eq!(render("{{' '+text.split(' ')[-1]}}", &row).unwrap(), " three");
        assert_eq!(render("{{[sol1, sol2]}}", &row).unwrap(), "['a', 'b']");
        assert_eq!(render("{{['A', 'B', 'C'].index(answer.lstrip())}}", &row).unwrap(), "2");
        assert_eq!(render("{{cost | regex_replace('(\\\\d)', '<\\\\1>')}}", &row).unwrap(), "$<5>");
        assert_eq!(render("{% set q = 'Q: ' %}{{q + text}}", &row).unwrap(), "Q: one two three");
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = render("{{question.strip()}}", &json!({"query": "x"})).unwrap_err();
        assert!(error.contains("no column `question`") && error.contains("query"), "{error}");
    }

    #[test]
    fn endless_work_runs_out_of_fuel() {
        let source = "{% for a in range(100000) %}{% for b in range(100000) %}{{b}}{% endfor %}{% endfor %}";
        assert!(render(source, &json!({})).is_err());
    }

    #[test]
    fn an_answer_outside_the_labels_is_an_error() {
        let error = render("{{labels.index(key)}}", &json!({"labels": ["A"], "key": "Z"})).unwrap_err();
        assert!(error.contains("Z is not in the list ['A']"), "{error}");
    }
}
