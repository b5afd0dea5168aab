//! Rows as CSV (RFC 4180) that a spreadsheet cannot mistake for formulas.

use serde_json::Value;

/// The rows under these columns.
pub(crate) fn csv(rows: &[Value], columns: &[&str]) -> String {
    let mut text = columns.join(",") + "\r\n";
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|column| cell(super::cell::find(row, column))).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// Text that begins like a formula is given a leading apostrophe; numbers are left alone.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => return number.to_string(),
        other => other.to_string(),
    };
    let formula = text
        .trim_start_matches(' ')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let safe = if formula { format!("'{text}") } else { text };
    if safe.contains([',', '"', '\n', '\r']) || formula {
        return format!("\"{}\"", safe.replace('"', "\"\""));
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formulas_are_neutralised_and_numbers_kept() {
        let rows = [json!({"a": "=HYPERLINK(\"x\")", "b": -5}), json!({"a": "x, \"y\"", "b": null})];
        assert_eq!(csv(&rows, &["a", "b"]), "a,b\r\n\"'=HYPERLINK(\"\"x\"\")\",-5\r\n\"x, \"\"y\"\"\",\r\n");
        for start in ["=", "+", "-", "@", "\t", " ="] {
            let text = csv(&[json!({"a": format!("{start}1+1")})], &["a"]);
            assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("\"'")), "{text}");
        }
    }
}
