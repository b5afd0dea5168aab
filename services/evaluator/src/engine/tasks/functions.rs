//! The harness's Python task functions that built-in tasks need, by the names that its task files use.
//!
//! Sources: lm-evaluation-harness 0.4.13, `tasks/{hellaswag,winogrande,wikitext,truthfulqa}`. The `anneal.*` functions
//! are ours; they bring a user's columns, or an offline copy's, into the shape that a built-in task expects.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::engine::python;

/// A row as a JSON object.
pub type Row = Map<String, Value>;

/// A task function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Function {
    /// Builds `query`, `choices` and `gold` of HellaSwag.
    #[serde(rename = "hellaswag.process_docs", alias = "utils.hellaswag_docs")]
    HellaswagDocs,
    /// Index of the sentence that is right.
    #[serde(rename = "preprocess_winogrande.doc_to_text")]
    WinograndeText,
    /// What follows the blank.
    #[serde(rename = "preprocess_winogrande.doc_to_target")]
    WinograndeTarget,
    /// What precedes the blank, with each option in it.
    #[serde(rename = "preprocess_winogrande.doc_to_choice")]
    WinograndeChoices,
    /// WikiText's tokenisation undone.
    #[serde(rename = "preprocess_wikitext.wikitext_detokenizer", alias = "utils.wikitext_detokenizer")]
    WikitextText,
    /// Words and bytes of the page before the tokenisation was undone.
    #[serde(rename = "preprocess_wikitext.process_results", alias = "utils.wikitext_results")]
    WikitextResults,
    /// Probability mass on the true answers.
    #[serde(rename = "truthfulqa.process_results_mc2", alias = "utils.process_results_mc2")]
    TruthfulQaMc2Results,
    /// The 25 instruction checks.
    #[serde(rename = "ifeval.process_results")]
    IfevalResults,
    /// `label` from the Boolean `answer` of the dataset's original release.
    #[serde(rename = "anneal.boolq_docs")]
    BoolqDocs,
    /// `question`, `choices` and `gold` from a user's multiple-choice columns.
    #[serde(rename = "anneal.multiple_choice_docs")]
    MultipleChoiceDocs,
    /// `question` and `answer` from a user's question–answer columns.
    #[serde(rename = "anneal.question_answer_docs")]
    QuestionAnswerDocs,
    /// `text` from a user's plain-text column.
    #[serde(rename = "anneal.text_docs")]
    TextDocs,
}

impl Function {
    /// Applies a row function.
    pub fn process_row(self, row: Row) -> Result<Row, String> {
        match self {
            Self::HellaswagDocs => hellaswag(row),
            Self::BoolqDocs => boolq(row),
            Self::MultipleChoiceDocs => multiple_choice(row),
            Self::QuestionAnswerDocs => question_answer(row),
            Self::TextDocs => text_row(row),
            _ => Err(format!("{self:?} is not a function of rows")),
        }
    }

    /// Applies a function that yields a prompt, a target or choices.
    pub fn evaluate(self, row: &Row) -> Result<Value, String> {
        match self {
            Self::WinograndeText => match string(row, "answer")? {
                "1" => Ok(json!(0)),
                "2" => Ok(json!(1)),
                other => Err(format!("`answer` is {other:?}, not \"1\" or \"2\"")),
            },
            Self::WinograndeTarget => Ok(json!(blank(row)?.1.trim())),
            Self::WinograndeChoices => {
                let before = blank(row)?.0;
                Ok(json!([
                    before.to_owned() + string(row, "option1")?,
                    before.to_owned() + string(row, "option2")?
                ]))
            }
            Self::WikitextText => Ok(json!(wikitext(string(row, "page")?))),
            _ => Err(format!("{self:?} does not yield a prompt, a target or choices")),
        }
    }
}

/// A text column.
pub(super) fn string<'a>(row: &'a Row, column: &str) -> Result<&'a str, String> {
    match row.get(column) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("column `{column}` holds {}, not text", python::repr(other))),
        None => Err(missing(row, column)),
    }
}

/// The error for a column that is not there.
pub(super) fn missing(row: &Row, column: &str) -> String {
    let known = row.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("the row has no column `{column}` (it has: {known})")
}

fn blank(row: &Row) -> Result<(&str, &str), String> {
    string(row, "sentence")?.split_once('_').ok_or_else(|| "`sentence` has no blank `_`".to_owned())
}

static BRACKETS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[.*?\]").expect("the pattern is valid"));

/// `tasks/hellaswag/utils.py`: brackets are artifacts of WikiHow.
fn hellaswag_text(text: &str) -> String {
    BRACKETS.replace_all(&text.trim().replace(" [title]", ". "), "").replace("  ", " ")
}

fn hellaswag(mut row: Row) -> Result<Row, String> {
    let context = format!("{} {}", string(&row, "ctx_a")?, python::capitalize(string(&row, "ctx_b")?));
    let query = hellaswag_text(&format!("{}: {context}", string(&row, "activity_label")?));
    let endings = row.get("endings").and_then(Value::as_array).ok_or_else(|| missing(&row, "endings"))?;
    let choices: Vec<Value> =
        endings.iter().map(|ending| json!(hellaswag_text(ending.as_str().unwrap_or_default()))).collect();
    let label = row.get("label").map(python::str_of).ok_or_else(|| missing(&row, "label"))?;
    let gold: i64 = label.parse().map_err(|_| format!("`label` is {label:?}, not a number"))?;
    row.insert("query".to_owned(), json!(query));
    row.insert("choices".to_owned(), Value::Array(choices));
    row.insert("gold".to_owned(), json!(gold));
    Ok(row)
}

fn boolq(mut row: Row) -> Result<Row, String> {
    if !row.contains_key("label") {
        let answer = row.get("answer").and_then(Value::as_bool).ok_or_else(|| missing(&row, "label"))?;
        row.insert("label".to_owned(), json!(i32::from(answer)));
    }
    Ok(row)
}

/// The first of these columns that the row has.
fn first<'a>(row: &'a Row, columns: &[&str]) -> Option<&'a Value> {
    columns.iter().find_map(|column| row.get(*column).filter(|value| !value.is_null()))
}

fn required<'a>(row: &'a Row, columns: &[&str]) -> Result<&'a Value, String> {
    first(row, columns).ok_or_else(|| missing(row, &columns.join("` or `")))
}

fn letters(row: &Row) -> Option<Vec<Value>> {
    let columns = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let found: Vec<Value> = columns.iter().map_while(|column| row.get(*column).cloned()).collect();
    (found.len() >= 2).then_some(found)
}

/// Accepts `choices`/`options` (a list, `{text, label}`, or columns A, B, C …) and an answer that is an index, a letter
/// or label, or a choice's text.
fn multiple_choice(mut row: Row) -> Result<Row, String> {
    let question = python::str_of(required(&row, &["question", "prompt", "input"])?);
    let listed = first(&row, &["choices", "options"]).cloned();
    let (texts, labels) = match listed {
        Some(Value::Array(texts)) => (texts, Vec::new()),
        Some(Value::Object(both)) => {
            let list = |key| both.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            (list("text"), list("label"))
        }
        Some(other) => return Err(format!("`choices` holds {}, not a list", python::repr(&other))),
        None => (letters(&row).ok_or_else(|| missing(&row, "choices"))?, Vec::new()),
    };
    if texts.len() < 2 {
        return Err(format!("a multiple-choice row needs two choices; this one has {}", texts.len()));
    }
    let texts: Vec<String> = texts.iter().map(python::str_of).collect();
    let answer = required(&row, &["answer", "answerKey", "label", "target", "gold"])?;
    let gold = gold_index(answer, &texts, &labels)
        .ok_or_else(|| format!("the answer {} is none of the choices", python::repr(answer)))?;
    row.insert("question".to_owned(), json!(question));
    row.insert("choices".to_owned(), json!(texts));
    row.insert("gold".to_owned(), json!(gold));
    Ok(row)
}

fn gold_index(answer: &Value, texts: &[String], labels: &[Value]) -> Option<usize> {
    if let Some(index) = answer.as_u64() {
        return usize::try_from(index).ok().filter(|index| *index < texts.len());
    }
    let answer = answer.as_str()?.trim();
    let by_label = labels.iter().position(|label| python::str_of(label).trim() == answer);
    let by_text = || texts.iter().position(|text| text.trim() == answer);
    let by_letter = || match answer.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(usize::from(letter.to_ascii_uppercase() - b'A')),
        _ => answer.parse().ok(),
    };
    by_label.or_else(by_text).or_else(|| by_letter().filter(|index| *index < texts.len()))
}

fn question_answer(mut row: Row) -> Result<Row, String> {
    let question = python::str_of(required(&row, &["question", "prompt", "instruction"])?);
    let more = row
        .get("input")
        .and_then(Value::as_str)
        .filter(|_| row.contains_key("instruction"))
        .unwrap_or_default();
    let question = if more.is_empty() { question } else { format!("{question}\n{more}") };
    let answer =
        required(&row, &["answer", "answers", "completion", "output", "target", "response"])?.clone();
    let answer = match answer {
        Value::Array(answers) if answers.is_empty() => return Err("`answers` is empty".to_owned()),
        Value::Array(answers) => Value::Array(answers.iter().map(|one| json!(python::str_of(one))).collect()),
        one => json!([python::str_of(&one)]),
    };
    row.insert("question".to_owned(), json!(question));
    row.insert("answers".to_owned(), answer);
    Ok(row)
}

fn text_row(mut row: Row) -> Result<Row, String> {
    let text = python::str_of(required(&row, &["text", "page", "content", "document"])?);
    if text.is_empty() {
        return Err("the text is empty".to_owned());
    }
    row.insert("text".to_owned(), json!(text));
    Ok(row)
}

/// Pairs of pattern and replacement of `wikitext_detokenizer`, between its two runs of plain replacements.
static WIKITEXT: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\(\s*([^\)]*?)\s*\)", "($1)"),
        (r"\[\s*([^\]]*?)\s*\]", "[$1]"),
        (r"\{\s*([^}]*?)\s*\}", "{$1}"),
        (r#""\s*([^"]*?)\s*""#, "\"$1\""),
        (r"'\s*([^']*?)\s*'", "'$1'"),
    ]
    .into_iter()
    .map(|(pattern, replacement)| (Regex::new(pattern).expect("the pattern is valid"), replacement))
    .collect()
});

/// `tasks/wikitext/preprocess_wikitext.py`.
fn wikitext(page: &str) -> String {
    let mut text = page.replace("s '", "s'");
    // The source's pattern `/' [0-9]/` needs two slashes around it and so never changes an article; it is kept out.
    for (from, to) in [
        (" @-@ ", "-"),
        (" @,@ ", ","),
        (" @.@ ", "."),
        (" : ", ": "),
        (" ; ", "; "),
        (" . ", ". "),
        (" ! ", "! "),
        (" ? ", "? "),
        (" , ", ", "),
    ] {
        text = text.replace(from, to);
    }
    for (pattern, replacement) in WIKITEXT.iter() {
        text = pattern.replace_all(&text, *replacement).into_owned();
    }
    for (from, to) in [
        ("= = = =", "===="),
        ("= = =", "==="),
        ("= =", "=="),
        (" \u{b0} ", "\u{b0}"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ] {
        text = text.replace(from, to);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn row(value: &Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn hellaswag_rows_gain_query_choices_and_gold() {
        let out = Function::HellaswagDocs
            .process_row(row(
                &json!({"activity_label": "Washing", "ctx_a": "A man [step] sits.", "ctx_b": "he",
                "endings": [" washes [title] it.", "b  c"], "label": "1"}),
            ))
            .unwrap();
        assert_eq!(out["query"], "Washing: A man sits. He");
        assert_eq!(out["choices"], json!(["washes. it.", "b c"]));
        assert_eq!(out["gold"], 1);
        assert_eq!(
            out.keys().next_back().unwrap(),
            "gold",
            "new columns come last, as the harness hashes them"
        );
    }

    #[test]
    fn winogrande_splits_at_the_blank() {
        let doc = row(
            &json!({"sentence": "Sarah beat Maria so _ won .", "option1": "Sarah", "option2": "Maria", "answer": "2"}),
        );
        assert_eq!(Function::WinograndeText.evaluate(&doc).unwrap(), 1);
        assert_eq!(Function::WinograndeTarget.evaluate(&doc).unwrap(), "won .");
        assert_eq!(Function::WinograndeChoices.evaluate(&doc).unwrap()[1], "Sarah beat Maria so Maria");
    }

    #[test]
    fn a_users_answer_may_be_an_index_a_letter_a_label_or_the_text() {
        for answer in [json!(1), json!("B"), json!("b"), json!("blue"), json!("1")] {
            let out = Function::MultipleChoiceDocs
                .process_row(row(&json!({"question": "?", "choices": ["red", "blue"], "answer": answer})))
                .unwrap();
            assert_eq!(out["gold"], 1, "{answer}");
        }
        let labelled =
            json!({"question": "?", "choices": {"text": ["x", "y"], "label": ["P", "Q"]}, "answerKey": "Q"});
        assert_eq!(Function::MultipleChoiceDocs.process_row(row(&labelled)).unwrap()["gold"], 1);
        let lettered = json!({"question": "?", "A": "x", "B": "y", "answer": "A"});
        assert_eq!(Function::MultipleChoiceDocs.process_row(row(&lettered)).unwrap()["gold"], 0);
        let wrong = json!({"question": "?", "choices": ["a", "b"], "answer": 7});
        assert!(
            Function::MultipleChoiceDocs
                .process_row(row(&wrong))
                .unwrap_err()
                .contains("none of the choices")
        );
    }

    #[test]
    fn wikitext_is_detokenised() {
        assert_eq!(
            wikitext(" = Title = \n \n The 1 @,@ 000 men 's \" big \" day ( see below ) . \n"),
            " = Title =\n\nThe 1,000 men's \"big\" day (see below).\n"
        );
    }
}
