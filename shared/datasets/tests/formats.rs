//! Every format and layout of the conventions, from real files on disk.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anneal_datasets::{
    Error, Format, Kind, Layout, Limits, Message, Reader, Record, Records, Row, RowError, ValidateOptions,
    detect, validate,
};
use serde_json::json;
use tempfile::TempDir;

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn rows(path: &Path, kind: Option<Kind>) -> Vec<Result<(u64, Row), RowError>> {
    Reader::open(path, kind, None).unwrap().collect()
}

fn one(value: &serde_json::Value, kind: Kind) -> Result<Row, RowError> {
    let (_folder, path) = file("rows.jsonl", value.to_string());
    rows(&path, Some(kind)).remove(0).map(|(_, row)| row)
}

fn chat(value: &serde_json::Value) -> Vec<Message> {
    match one(value, Kind::Sft).unwrap() {
        Row::Chat(chat) => chat.messages,
        other => panic!("{other:?}"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn alpaca_rows_join_instruction_and_input() {
    let row =
        json!({"instruction": "Add", "input": "1+1", "output": "2", "system": "s", "history": [["q", "a"]]});
    let expected =
        [("system", "s"), ("user", "q"), ("assistant", "a"), ("user", "Add\n1+1"), ("assistant", "2")];
    assert_eq!(chat(&row), expected.map(|(role, text)| Message::new(role, text)));
    assert_eq!(chat(&json!({"instruction": "Add", "input": "", "output": "2"}))[0].content, "Add");
}

#[test]
fn sharegpt_roles_are_mapped_and_calls_parsed() {
    let call = json!({"name": "f", "arguments": {"x": 1}}).to_string();
    let row = json!({"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": call},
        {"from": "observation", "value": "3"}, {"from": "gpt", "value": "a"}], "tools": "[{\"name\": \"f\"}]"});
    let messages = chat(&row);
    let roles: Vec<_> = messages.iter().map(|m| m.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert_eq!(messages[1].tool_calls.as_ref().unwrap()[0]["function"]["name"], "f");
}

#[test]
fn openai_messages_take_parts_and_weights() {
    let row = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c", "weight": 0}, {"role": "assistant", "content": "d", "weight": 1}]});
    let messages = chat(&row);
    assert_eq!(messages[0].content, "ab");
    assert_eq!((messages[1].weight, messages[2].weight), (Some(false), Some(true)));
    let image = json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, {"role": "assistant", "content": "x"}]});
    let error = one(&image, Kind::Sft).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("messages[0].content[0]"));
}

#[test]
fn preference_layouts_agree() {
    let answer = |text: &str| json!([{"role": "assistant", "content": text}]);
    let user = json!([{"role": "user", "content": "q"}]);
    let with = |a: &serde_json::Value, b: serde_json::Value| {
        let mut list = a.as_array().unwrap().clone();
        list.extend(b.as_array().unwrap().clone());
        json!(list)
    };
    let forms = [
        json!({"prompt": user, "chosen": answer("good"), "rejected": answer("bad")}),
        json!({"chosen": with(&user, answer("good")), "rejected": with(&user, answer("bad"))}),
        json!({"prompt": "q", "chosen": with(&user, answer("good")), "rejected": with(&user, answer("bad"))}),
        json!({"input": {"messages": user}, "preferred_output": answer("good"), "non_preferred_output": answer("bad")}),
        json!({"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"}),
        json!({"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"},
               "rejected": {"from": "gpt", "value": "bad"}}),
    ];
    for form in forms {
        let Row::Preference(pair) = one(&form, Kind::Preference).unwrap() else { panic!("{form}") };
        assert_eq!(pair.prompt, [Message::new("user", "q")], "{form}");
        assert_eq!(pair.chosen, [Message::new("assistant", "good")], "{form}");
        assert_eq!(pair.rejected, [Message::new("assistant", "bad")], "{form}");
        assert!(!pair.plain);
    }
}

#[test]
fn string_preferences_stay_plain_text() {
    let row = json!({"chosen": "The sky is blue.", "rejected": "The sky is green."});
    let Row::Preference(pair) = one(&row, Kind::Preference).unwrap() else { panic!() };
    assert!(pair.plain);
    assert_eq!(pair.prompt[0].content, "The sky is");
    assert_eq!((pair.chosen[0].content.as_str(), pair.rejected[0].content.as_str()), (" blue.", " green."));
}

#[test]
fn errors_name_line_field_and_reason() {
    let text = "{\"text\": \"ok\"}\n{\"text\": 3}\nnot json\n{\"text\": \"ok\"}\n[1]\n\u{0}\n";
    let (_folder, path) = file("rows.jsonl", text);
    let rows = rows(&path, None);
    let errors: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
    assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [2, 3, 5, 6]);
    assert_eq!(errors[0].field.as_deref(), Some("text"));
    assert_eq!(errors[0].to_string(), "line 2: `text`: expected a string, found a number");
    assert_eq!(rows.len(), 6);
}

#[test]
fn bom_crlf_and_gzip_do_not_matter() {
    let text = "\u{feff}{\"text\": \"one\"}\r\n\r\n{\"text\": \"two\"}\r\n";
    for (name, bytes) in [("a.jsonl", text.as_bytes().to_vec()), ("a.jsonl.gz", gzip(text.as_bytes()))] {
        let (_folder, path) = file(name, bytes);
        let rows: Vec<_> = rows(&path, None).into_iter().map(Result::unwrap).collect();
        assert_eq!(rows, [(1, Row::Text("one".into())), (3, Row::Text("two".into()))], "{name}");
    }
}

#[test]
fn a_cut_gzip_file_is_not_a_short_dataset() {
    let text = (0..5000)
        .fold(String::new(), |text, n| text + &format!("{{\"text\": \"row {}\"}}\n", n * 7919 % 104_729));
    let whole = gzip(text.as_bytes());
    let (_folder, path) = file("a.jsonl.gz", &whole[..whole.len() / 2]);
    let report = validate(&path, None, None, &ValidateOptions::default(), |_| {}).unwrap();
    assert!(report.truncated && report.invalid == 1 && report.valid > 0);
}

#[test]
fn csv_cells_are_columns() {
    let (_folder, path) =
        file("a.csv", "instruction,input,output\r\n\"say \"\"hi\"\"\nnow\",,hi\r\nonly,two\r\nb,,c\r\n");
    let rows = rows(&path, None);
    let Row::Chat(chat) = &rows[0].as_ref().unwrap().1 else { panic!() };
    assert_eq!(chat.messages[0].content, "say \"hi\"\nnow");
    assert_eq!(rows[1].as_ref().unwrap_err().line, 4);
    assert_eq!(rows[2].as_ref().unwrap().0, 5);
}

#[test]
fn text_is_split_by_separator_or_by_line() {
    let (_folder, path) = file("a.txt", "one\ntwo\n\n three \n");
    let texts = |path: &Path| -> Vec<_> {
        rows(path, None)
            .into_iter()
            .map(|row| row.unwrap())
            .map(|(line, row)| match row {
                Row::Text(text) => (line, text),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(texts(&path), [(1, "one".into()), (2, "two".into()), (4, "three".into())]);
    let (_folder, path) = file("a.txt", "one\ntwo\n<|endoftext|>\n\nthree\n<|endoftext|>\n");
    assert_eq!(texts(&path), [(1, "one\ntwo".into()), (5, "three".into())]);
}

#[test]
fn depth_length_and_unicode_are_bounded() {
    let deep = format!("{{\"text\": {}1{}}}\n{{\"text\": \"ok\"}}", "[".repeat(200), "]".repeat(200));
    let (_folder, path) = file("a.jsonl", deep);
    let rows: Vec<_> = rows(&path, Some(Kind::Pretrain));
    assert!(rows[0].as_ref().unwrap_err().reason.contains("recursion"));
    assert!(rows[1].is_ok());
    let (_folder, path) =
        file("a.jsonl", [b"{\"text\": \"".as_slice(), &[0xff, 0xfe], b"\"}\n{\"text\": \"ok\"}"].concat());
    let rows: Vec<_> = Reader::open(&path, Some(Kind::Pretrain), None).unwrap().collect();
    assert!(rows[0].as_ref().unwrap_err().reason.contains("UTF-8"));
    assert!(rows[1].is_ok());
    let long = format!("{{\"text\": \"{}\"}}\n{{\"text\": \"ok\"}}", "x".repeat(100_000));
    for name in ["a.jsonl", "a.csv"] {
        let (_folder, path) = file(name, &long);
        let limits = Limits { row_bytes: 1000 };
        let rows = Records::open_with(&path, None, limits);
        let bad = rows.map(|rows| rows.filter(Result::is_err).count());
        assert!(matches!(bad, Ok(1..) | Err(_)), "{name}");
    }
}

#[test]
fn kinds_are_detected_with_evidence() {
    let cases = [
        (json!({"text": "a"}), Kind::Pretrain, Layout::Text),
        (json!({"messages": []}), Kind::Sft, Layout::Messages),
        (json!({"prompt": "a", "completion": "b"}), Kind::Sft, Layout::PromptCompletion),
        (json!({"chosen": "a", "rejected": "b"}), Kind::Preference, Layout::TrlPreference),
        (json!({"question": "a", "answer": "b"}), Kind::Evaluation, Layout::Free),
    ];
    for (row, kind, layout) in cases {
        let (_folder, path) = file("a.jsonl", format!("{row}\n{row}\n"));
        let found = detect(&path).unwrap();
        assert_eq!((found.kind, found.layout, found.format), (kind, layout, Format::Jsonl), "{row}");
        assert!(found.evidence.contains(row.as_object().unwrap().keys().next().unwrap().as_str()));
    }
}

#[test]
fn pretty_printed_and_broken_first_rows_are_told_apart() {
    let pretty = serde_json::to_string_pretty(&json!([{"text": "a"}, {"text": "b"}])).unwrap();
    let (_folder, path) = file("a.json", pretty);
    assert_eq!(rows(&path, None).iter().map(|row| row.as_ref().unwrap().0).collect::<Vec<_>>(), [2, 5]);
    let (_folder, path) = file("a.jsonl", "{\"text\": \"a\n{\"text\": \"b\"}\n");
    let rows = rows(&path, Some(Kind::Pretrain));
    assert!(rows[0].is_err() && rows[1].is_ok());
}

#[test]
fn foreign_files_are_refused_by_name() {
    for (bytes, name) in
        [(b"PK\x03\x04xxxx".as_slice(), "zip"), (b"\x80\x04\x95xxxx", "pickle"), (b"\xff\xfea\x00", "UTF-16")]
    {
        let (_folder, path) = file("data", bytes);
        assert!(detect(&path).unwrap_err().to_string().contains(name));
    }
    let (_folder, path) = file("a.jsonl", "");
    assert!(matches!(detect(&path), Err(Error::Empty { .. })));
    for name in ["a.parquet", "a.arrow"] {
        let (_folder, path) = file(name, b"PAR1 is not enough");
        assert!(Reader::open(&path, Some(Kind::Pretrain), None).is_err());
    }
}

#[test]
fn parquet_and_arrow_give_the_same_rows() {
    use std::sync::Arc;
    let names = arrow_array::StringArray::from(vec![Some("one"), None, Some("three")]);
    let numbers = arrow_array::Int64Array::from(vec![1, 2, 3]);
    let batch = arrow_array::RecordBatch::try_from_iter([
        ("text", Arc::new(names) as arrow_array::ArrayRef),
        ("n", Arc::new(numbers) as arrow_array::ArrayRef),
    ])
    .unwrap();
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    let mut whole = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    whole.write(&batch).unwrap();
    let mut parquet = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    parquet.write(&batch).unwrap();
    let files = [
        ("a.arrow", stream.into_inner().unwrap()),
        ("b.arrow", whole.into_inner().unwrap()),
        ("c.parquet", parquet.into_inner().unwrap()),
    ];
    for (name, bytes) in files {
        let (_folder, path) = file(name, &bytes);
        let records: Vec<_> = Records::open(&path, None).unwrap().map(Result::unwrap).collect();
        let Record::Columns(second) = &records[1].1 else { panic!() };
        assert_eq!((records.len(), json!(second)), (3, json!({"text": null, "n": 2})), "{name}");
        let rows = rows(&path, Some(Kind::Pretrain));
        assert_eq!(rows[1].as_ref().unwrap_err().line, 2);
        // A cut or flipped file is an error somewhere, never a panic or a silent end.
        for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 20] {
            let (_folder, path) = file(name, &bytes[..cut]);
            let read = Records::open(&path, None).map(|records| records.filter(Result::is_err).count());
            assert!(
                matches!(read, Err(_) | Ok(1..)) || cut > bytes.len() - 30,
                "{name} cut at {cut}: {read:?}"
            );
        }
    }
}

#[test]
fn a_folder_is_its_data_files_in_name_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("b.jsonl", "{\"text\": \"2\"}\n{}"),
        ("a.jsonl", "{\"text\": \"1\"}"),
        ("README.md", "x"),
        ("state.json", "{}"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let rows: Vec<_> = Reader::open(folder.path(), None, None).unwrap().collect();
    assert_eq!(rows[0], Ok((1, Row::Text("1".into()))));
    assert_eq!(rows[1], Ok((1, Row::Text("2".into()))));
    assert_eq!(rows[2].as_ref().unwrap_err().file.as_deref(), Some("b.jsonl"));
}

#[test]
fn reports_count_and_preview() {
    let text = "{\"text\": \"ab\"}\n{\"txt\": 1}\n{\"text\": \"c\"}\n";
    let (_folder, path) = file("a.jsonl", text);
    let mut last = None;
    let report =
        validate(&path, None, None, &ValidateOptions::default(), |progress| last = Some(progress)).unwrap();
    assert_eq!((report.rows, report.valid, report.invalid, report.characters), (3, 2, 1, 3));
    assert_eq!(report.preview.len(), 2);
    assert_eq!(report.first_errors[0].line, 2);
    assert_eq!(last.unwrap().bytes, text.len() as u64);
}
