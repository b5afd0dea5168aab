//! Messages of a prompt: rendered as plain text with delimiters, or handed to a chat template without them.

use serde_json::Value;

/// One message and what follows it in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// Its text.
    pub content: String,
    /// What follows it in plain text.
    pub delimiter: String,
}

impl Message {
    /// A message that nothing follows.
    pub fn new(role: &'static str, content: String) -> Self {
        Self { role, content, delimiter: String::new() }
    }
}

/// All messages as plain text.
pub(super) fn plain_text(messages: &[Message]) -> String {
    messages.iter().flat_map(|message| [message.content.as_str(), message.delimiter.as_str()]).collect()
}

/// Examples and question in one user message, between an optional system message and an optional begun answer.
pub(super) fn single_turn(mut messages: Vec<Message>) -> Vec<Message> {
    let mut out = Vec::new();
    if messages.first().is_some_and(|first| first.role == "system") {
        out.push(messages.remove(0));
    }
    let begun = messages.pop_if(|last| last.role == "assistant");
    if let Some(last) = messages.last_mut() {
        last.delimiter.clear();
    }
    out.push(Message::new("user", plain_text(&messages)));
    out.extend(begun);
    out
}

/// What one question-and-answer turn is made of.
pub(super) struct Turn<'a> {
    pub question: String,
    pub choices: Option<Vec<String>>,
    pub answer: Option<Value>,
    pub prefix: Option<String>,
    pub target_delimiter: &'a str,
    pub fewshot_delimiter: &'a str,
}

/// `build_qa_turn`: the question, and the answer or its beginning.
pub(super) fn turn(turn: Turn<'_>) -> Result<Vec<Message>, String> {
    let answer = turn.answer.filter(|answer| answer.as_str() != Some(""));
    let prefix = turn.prefix.filter(|prefix| !prefix.is_empty());
    let delimited = match (&answer, &prefix) {
        (_, Some(prefix)) => needs_delimiter(&turn.question, prefix),
        (answer, None) => answer.is_some(),
    };
    let delimiter = if delimited { turn.target_delimiter } else { "" };
    let mut messages =
        vec![Message { role: "user", content: turn.question, delimiter: delimiter.to_owned() }];
    if let Some(answer) = answer {
        let text = answer_text(&answer, turn.choices.as_deref())?;
        let content = delimit(prefix.as_deref().unwrap_or_default(), &text, " ");
        messages.push(Message { role: "assistant", content, delimiter: turn.fewshot_delimiter.to_owned() });
    } else if let Some(prefix) = prefix {
        messages.push(Message::new("assistant", prefix));
    }
    Ok(messages)
}

fn answer_text(answer: &Value, choices: Option<&[String]>) -> Result<String, String> {
    match (answer, choices) {
        (Value::String(text), _) => Ok(text.clone()),
        (Value::Array(answers), _) => answers
            .first()
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| "an example has no answer".to_owned()),
        (Value::Bool(index), Some(choices)) => choices.get(usize::from(*index)).cloned().ok_or_else(outside),
        (Value::Number(index), Some(choices)) => {
            let index = index.as_i64().unwrap_or(i64::MAX);
            // Python counts negative indices from the end.
            let at = if index < 0 { index + choices.len() as i64 } else { index };
            usize::try_from(at).ok().and_then(|at| choices.get(at)).cloned().ok_or_else(outside)
        }
        (other, _) => Err(format!("an example's answer is {other}, not text")),
    }
}

fn outside() -> String {
    "an example's answer is outside its choices".to_owned()
}

/// `maybe_delimit`: joined by the delimiter unless there is white space at the seam.
pub(super) fn delimit(prefix: &str, suffix: &str, delimiter: &str) -> String {
    if prefix.is_empty() || suffix.is_empty() || !needs_delimiter(prefix, suffix) {
        return format!("{prefix}{suffix}");
    }
    format!("{prefix}{delimiter}{suffix}")
}

fn needs_delimiter(prefix: &str, suffix: &str) -> bool {
    !prefix.is_empty() && !prefix.ends_with(char::is_whitespace) && !suffix.starts_with(char::is_whitespace)
}
