//! The Jinja that chat templates are written for: transformers' sandboxed Jinja2, built on minijinja.
//!
//! Blocks are trimmed, loops can be left, `raise_exception`, `strftime_now`, `tojson` and Python's string methods are there,
//! and a template can do only so much work: fuel pays for every instruction, visited item and created byte.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use serde_json::Map;
use time::OffsetDateTime;
use time::macros::datetime;

use super::{methods, source, strftime, tojson};

/// Fuel of a rendering: a base, and more for a longer conversation. One unit pays for an instruction or 64 bytes.
const BASE_FUEL: u64 = 1_000_000;
const FUEL_PER_INPUT_BYTE: u64 = 16;

/// What `strftime_now` prints when no time is given.
const FIXED_DAY: OffsetDateTime = datetime!(2024-07-26 12:00 UTC);

/// An environment without templates.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("Jinja's own delimiters are valid"));
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(methods::call);
    environment.set_recursion_limit(100);
    environment.add_function("raise_exception", raise_exception);
    environment.add_filter("tojson", tojson::tojson);
    environment.add_filter(source::ITERABLE, iterable);
    environment.add_filter(source::ADDEND, addend);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("sort", sort);
    environment.set_formatter(|out, state, value| match plain_float(value) {
        Some(number) => out.write_str(&tojson::python_float(number)).map_err(Error::from),
        None => minijinja::escape_formatter(out, state, value),
    });
    environment
}

fn raise_exception(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

/// A loop's iterable; looping over none is an error in Python.
fn iterable(value: Value) -> Result<Value, Error> {
    if value.is_none() {
        return Err(Error::new(ErrorKind::InvalidOperation, "none is not iterable"));
    }
    Ok(value)
}

/// The left side of a `+`: a list is laid out, and its items paid for.
fn addend(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    if value.is_tuple() || !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Ok(value);
    }
    let mut items = Vec::new();
    for item in value.try_iter()? {
        state.consume_fuel(1)?;
        items.push(item);
    }
    Ok(Value::from(items))
}

/// Python's `int` with a default for what is no number.
fn int(value: &Value, default: Option<Value>) -> Value {
    if value.is_integer() {
        return value.clone();
    }
    let number = match value.as_str() {
        Some(text) => {
            let text = text.trim();
            text.parse::<i64>().ok().or_else(|| text.parse().ok().and_then(whole))
        }
        None if value.kind() == ValueKind::Bool => Some(i64::from(value.is_true())),
        None => f64::try_from(value.clone()).ok().and_then(whole),
    };
    number.map(Value::from).or(default).unwrap_or_else(|| Value::from(0))
}

fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9e18).then_some(number.trunc() as i64)
}

/// Python's `float` with a default for what is no number.
fn float(value: &Value, default: Option<Value>) -> Value {
    let number = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value.clone()).ok(),
    };
    number.map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0))
}

/// Jinja2's `sort`, whose arguments may be given by position; minijinja's takes them by name.
#[expect(clippy::needless_pass_by_value, reason = "minijinja passes keyword arguments by value")]
fn sort(state: &State<'_, '_>, value: Value, positional: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    const NAMES: [&str; 3] = ["reverse", "case_sensitive", "attribute"];
    let twice = NAMES.iter().take(positional.len()).any(|name| named.has(name));
    if positional.len() > NAMES.len() || twice {
        return Err(Error::new(ErrorKind::TooManyArguments, "sort: too many arguments"));
    }
    let mut arguments: Vec<(&str, Value)> = NAMES.into_iter().zip(positional.0).collect();
    for name in named.args() {
        arguments.push((name, named.peek(name)?));
    }
    minijinja::filters::sort(state, value, arguments.into_iter().collect())
}

/// A finite float that is not an integer's value type.
fn plain_float(value: &Value) -> Option<f64> {
    if value.kind() != ValueKind::Number || value.is_integer() {
        return None;
    }
    f64::try_from(value.clone()).ok().filter(|f| f.is_finite())
}

/// Renders a template of the environment.
pub(super) fn render(
    environment: &Environment<'static>,
    name: &str,
    context: &Map<String, serde_json::Value>,
    now: Option<OffsetDateTime>,
) -> Result<String, Error> {
    let now = now.unwrap_or(FIXED_DAY);
    let mut values: BTreeMap<String, Value> =
        context.iter().map(|(key, value)| (key.clone(), Value::from(Serde(value)))).collect();
    values
        .entry("strftime_now".to_owned())
        .or_insert_with(|| Value::from_function(move |format: &str| strftime::format(now, format)));
    let input_bytes: usize = context.values().map(size).sum();
    let mut environment = environment.clone();
    environment.set_fuel(Some(BASE_FUEL + FUEL_PER_INPUT_BYTE * input_bytes as u64));
    environment.get_template(name)?.render(values)
}

/// About how many bytes a value has.
fn size(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(|item| 8 + size(item)).sum(),
        serde_json::Value::Object(fields) => fields.iter().map(|(key, v)| 8 + key.len() + size(v)).sum(),
        _ => 8,
    }
}
