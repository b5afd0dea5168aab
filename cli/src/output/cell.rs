//! One value, for people.

use anneal_domain::Microcredits;
use serde_json::Value;

/// Longest text of one cell.
const LONG: usize = 80;

/// A column's head: `rate_per_hour_microcredits` reads `rate per hour`.
pub(super) fn title(column: &str) -> String {
    let last = column.rsplit('.').next().unwrap_or(column);
    let plain = last.trim_end_matches("_microcredits").trim_end_matches("_bytes").trim_end_matches("_at");
    plain.replace('_', " ")
}

/// A field by its path, such as `progress.percent`; money also by its bare name.
pub(super) fn find<'a>(row: &'a Value, path: &str) -> &'a Value {
    let mut value = row;
    for key in path.split('.') {
        value = match value.get(key) {
            Some(found) => found,
            None => return row.get(path.trim_end_matches("_microcredits")).unwrap_or(&Value::Null),
        };
    }
    value
}

/// The value of this field in a few characters, for a table.
pub(super) fn short(key: &str, value: &Value) -> String {
    let whole = text(key, value);
    if whole.chars().count() <= LONG {
        return whole;
    }
    whole.chars().take(LONG - 1).chain(['…']).collect()
}

/// The value of this field.
pub(super) fn text(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => plain(text),
        Value::Number(number) => self::number(key, number),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

fn number(key: &str, number: &serde_json::Number) -> String {
    match number.as_i64() {
        Some(amount) if key.ends_with("_microcredits") => Microcredits(amount).to_string(),
        Some(bytes) if key.ends_with("_bytes") => {
            indicatif::HumanBytes(u64::try_from(bytes).unwrap_or_default()).to_string()
        }
        Some(whole) => whole.to_string(),
        None => number.as_f64().map_or_else(|| number.to_string(), |value| format!("{value:.4}")),
    }
}

/// Text of a user's never steers a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A thing's fields, nested ones by their path.
pub(super) fn lines(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let path = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                self::lines(&path(key), value, lines);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (n, item) in items.iter().enumerate() {
                self::lines(&format!("{prefix}[{n}]"), item, lines);
            }
        }
        other => {
            let shown = prefix.trim_end_matches("_microcredits").to_owned();
            let key = prefix.rsplit('.').next().unwrap_or(prefix);
            lines.push((shown, text(key, other)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_sizes_and_control_characters() {
        assert_eq!(text("held_microcredits", &json!(1_500_000)), "1.500000");
        assert_eq!(text("size_bytes", &json!(2048)), "2.00 KiB");
        assert_eq!(text("name", &json!("a\u{1b}[2Jb")), "a [2Jb");
        assert_eq!(title("rate_per_hour_microcredits"), "rate per hour");
        let row = json!({"progress": {"percent": 5}, "amount": 3});
        assert_eq!(find(&row, "progress.percent"), &json!(5));
        assert_eq!(find(&row, "amount_microcredits"), &json!(3));
        assert_eq!(find(&json!({"progress": null}), "progress.percent"), &Value::Null);
    }
}
