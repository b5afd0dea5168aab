//! JSON lines of any shape, and spoilt ones: every line is answered, none vanishes, nothing panics.
//!
//! `PROPTEST_CASES` sets how many files are tried (256 by default).
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod checks;

use anneal_datasets::Kind;
use checks::check_rows;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 30] = [
    "text",
    "messages",
    "role",
    "content",
    "weight",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "tools",
    "conversations",
    "from",
    "value",
    "system",
    "instruction",
    "input",
    "output",
    "history",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "preferred_output",
    "non_preferred_output",
    "type",
    "id",
    "tool_call_id",
    "parallel_tool_calls",
    "",
    "é\u{0}",
];

const TEXTS: [&str; 14] = [
    "user",
    "assistant",
    "system",
    "tool",
    "human",
    "gpt",
    "observation",
    "function_call",
    "text",
    "hi",
    "",
    "[{\"name\": \"f\"}]",
    "{\"name\": \"f\", \"arguments\": {}}",
    "\u{0}\u{feff}\u{2028}é🙂",
];

/// Any JSON value of the fields and texts that the layouts know, a few levels deep.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => select(&TEXTS[..]).prop_map(|text| json!(text)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(|truth| json!(truth)),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => any::<i16>().prop_map(|number| json!(f64::from(number) / 8.0)),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            vec((select(&FIELDS[..]), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// A turn that is often right.
fn turn() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![5 => select(&TEXTS[..]).prop_map(|text| json!(text)), 1 => value()];
    (text(), text(), any::<bool>()).prop_map(|(role, content, sharegpt)| {
        if sharegpt {
            json!({"from": role, "value": content})
        } else {
            json!({"role": role, "content": content})
        }
    })
}

/// A row whose columns are those of a layout, their values often right.
fn row() -> impl Strategy<Value = Value> {
    let column = prop_oneof![
        2 => select(&TEXTS[..]).prop_map(|text| json!(text)),
        2 => vec(turn(), 0..5).prop_map(Value::Array),
        1 => value(),
    ];
    let columns = vec((select(&FIELDS[..]), column), 1..5);
    columns.prop_map(|columns| {
        columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
    })
}

/// A line: a row, any value, or a row with a byte changed, put in or left out.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![3 => row(), 1 => value()].prop_map(|value| value.to_string().into_bytes());
    let spoilt = (row(), any::<prop::sample::Index>(), any::<u8>(), 0..3).prop_map(|(row, at, byte, how)| {
        let mut line = row.to_string().into_bytes();
        let at = at.index(line.len());
        match how {
            0 => line[at] = byte,
            1 => line.insert(at, byte),
            _ => line.truncate(at),
        }
        line
    });
    prop_oneof![3 => whole, 1 => spoilt]
}

#[test]
fn findings_stay_mended() {
    let folder = "tests/corpus/rows";
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let rows = std::fs::read(file).unwrap();
        for kind in Kind::ALL {
            check_rows(&rows, kind);
        }
    }
}

proptest! {
    #[test]
    fn every_line_is_a_row_or_an_error(lines in vec(line(), 1..12), kind in select(&Kind::ALL[..]), crlf in any::<bool>()) {
        check_rows(&lines.join(if crlf { &b"\r\n"[..] } else { b"\n" }), kind);
    }
}
