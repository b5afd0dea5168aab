//! The context of a row: description, examples, question; as plain text or through the model's chat template.

use serde_json::Value;

use super::message::{Message, Turn, plain_text, single_turn, turn};
use crate::engine::tasks::{Doc, FewshotConfig, Task};

/// A model's chat template.
pub trait Chat {
    /// Renders messages; `generation` adds the prompt for an answer, otherwise the last message is left open.
    fn render(&self, messages: &[Message], generation: bool) -> Result<String, String>;
}

/// What precedes the continuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// One prompt for all choices.
    One(String),
    /// A prompt for each choice.
    PerChoice(Vec<String>),
}

/// Builds a row's context from its examples.
pub fn context(
    task: &Task,
    doc: &Doc,
    examples: &[&Doc],
    chat: Option<&dyn Chat>,
) -> Result<Context, String> {
    let mut messages = Vec::new();
    let description = line(task, &task.config.description, doc)?;
    if !description.is_empty() {
        messages.push(Message::new("system", description));
    }
    for example in examples {
        messages.extend(
            example_turn(task, example)
                .map_err(|reason| format!("example at line {}: {reason}", example.line))?,
        );
    }
    let prefix = task.config.gen_prefix.as_ref().map(|source| task.line_of(source, doc)).transpose()?;
    let text = task.text(doc)?;
    if task.multiple_input {
        let contexts = task
            .choices(doc)?
            .into_iter()
            .map(|choice| {
                let mut all = messages.clone();
                all.extend(turn(Turn {
                    question: choice,
                    choices: None,
                    answer: None,
                    prefix: prefix.clone(),
                    target_delimiter: "",
                    fewshot_delimiter: &task.config.fewshot_delimiter,
                })?);
                render(all, prefix.is_some(), chat)
            })
            .collect::<Result<_, String>>()?;
        return Ok(Context::PerChoice(contexts));
    }
    let has_prefix = prefix.as_ref().is_some_and(|prefix| !prefix.is_empty());
    messages.extend(turn(Turn {
        question: question_text(text)?,
        choices: None,
        answer: None,
        prefix,
        target_delimiter: &task.config.target_delimiter,
        fewshot_delimiter: "",
    })?);
    render(messages, has_prefix, chat).map(Context::One)
}

fn example_turn(task: &Task, example: &Doc) -> Result<Vec<Message>, String> {
    let config = &task.config;
    let absent = FewshotConfig::default();
    let shots = config.fewshot_config.as_ref().unwrap_or(&absent);
    let text = task.text_by(shots.doc_to_text.as_ref().or(config.doc_to_text.as_ref()), example)?;
    let choice_field = shots.doc_to_choice.as_ref().or(config.doc_to_choice.as_ref());
    let choices = choice_field.map(|field| task.choices_by(Some(field), example)).transpose()?;
    let answer = task.target_by(shots.doc_to_target.as_ref().or(config.doc_to_target.as_ref()), example)?;
    let prefix_source = shots.gen_prefix.as_ref().or(config.gen_prefix.as_ref());
    let prefix = prefix_source.map(|source| task.line_of(source, example)).transpose()?;
    let (question, choices) = match (task.multiple_input, text.as_u64(), choices) {
        (true, Some(index), Some(choices)) => {
            let right = usize::try_from(index).ok().and_then(|index| choices.get(index)).cloned();
            (right.ok_or("the index of the right prompt is outside the choices")?, None)
        }
        (_, _, choices) => (question_text(text)?, choices),
    };
    turn(Turn {
        question,
        choices,
        answer: Some(answer),
        prefix,
        target_delimiter: shots.target_delimiter.as_deref().unwrap_or(&config.target_delimiter),
        fewshot_delimiter: shots.fewshot_delimiter.as_deref().unwrap_or(&config.fewshot_delimiter),
    })
}

fn line(task: &Task, source: &str, doc: &Doc) -> Result<String, String> {
    if source.is_empty() {
        return Ok(String::new());
    }
    task.line_of(source, doc).map_err(|reason| format!("description: {reason}"))
}

fn question_text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("doc_to_text yields {other}, not text")),
    }
}

fn render(messages: Vec<Message>, begun: bool, chat: Option<&dyn Chat>) -> Result<String, String> {
    let Some(chat) = chat else { return Ok(plain_text(&messages)) };
    let messages = single_turn(messages);
    chat.render(&messages, !begun).or_else(|first| {
        // Templates without a system role refuse it: once more without, as the harness does.
        let without: Vec<Message> =
            messages.iter().filter(|message| message.role != "system").cloned().collect();
        if without.len() == messages.len() { Err(first) } else { chat.render(&without, !begun) }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::tasks::task_for_tests as task;

    struct Bracketed;

    impl Chat for Bracketed {
        fn render(&self, messages: &[Message], generation: bool) -> Result<String, String> {
            let body: String = messages.iter().flat_map(|m| ["<", m.role, ">", m.content.as_str()]).collect();
            Ok(if generation { body + "<assistant>" } else { body })
        }
    }

    fn one(context: Context) -> String {
        match context {
            Context::One(text) => text,
            Context::PerChoice(_) => panic!("one prompt expected"),
        }
    }

    const CHOICE: &str = "task: t\noutput_type: multiple_choice\ntest_split: test\nfewshot_split: dev\n\
        description: \"About {{topic}}.\\n\\n\"\ndoc_to_text: \"{{q}}\\nAnswer:\"\ndoc_to_choice: [A, B]\ndoc_to_target: gold\n";

    #[test]
    fn examples_precede_the_question_with_delimiters() {
        let task = task(
            CHOICE,
            &[json!({"q": "one?", "gold": 1, "topic": "x"}), json!({"q": "two?", "gold": 0, "topic": "y"})],
        );
        let plain = context(&task, &task.docs[1], &[&task.docs[0]], None).unwrap();
        assert_eq!(one(plain), "About y.\n\none?\nAnswer: B\n\ntwo?\nAnswer:");
        let chat = context(&task, &task.docs[1], &[&task.docs[0]], Some(&Bracketed)).unwrap();
        assert_eq!(one(chat), "<system>About y.\n\n<user>one?\nAnswer: B\n\ntwo?\nAnswer:<assistant>");
    }

    #[test]
    fn each_choice_is_a_prompt_when_the_text_is_an_index() {
        let yaml = "task: w\noutput_type: multiple_choice\nvalidation_split: validation\n\
            doc_to_text: !function preprocess_winogrande.doc_to_text\n\
            doc_to_target: !function preprocess_winogrande.doc_to_target\n\
            doc_to_choice: !function preprocess_winogrande.doc_to_choice\n";
        let row = json!({"sentence": "I saw _ run .", "option1": "Al", "option2": "Bo", "answer": "2"});
        let task = task(yaml, &[row.clone(), row]);
        let built = context(&task, &task.docs[0], &[&task.docs[1]], None).unwrap();
        assert_eq!(
            built,
            Context::PerChoice(vec![
                "I saw Bo run .\n\nI saw Al".into(),
                "I saw Bo run .\n\nI saw Bo".into()
            ])
        );
    }

    #[test]
    fn a_begun_answer_is_delimited_and_left_open() {
        let task =
            task(&format!("{CHOICE}gen_prefix: 'So:'\n"), &[json!({"q": "one?", "gold": 1, "topic": "x"})]);
        let built = context(&task, &task.docs[0], &[&task.docs[0]], None).unwrap();
        assert_eq!(one(built), "About x.\n\none?\nAnswer: So: B\n\none?\nAnswer: So:");
        let chat = context(&task, &task.docs[0], &[], Some(&Bracketed)).unwrap();
        assert_eq!(one(chat), "<system>About x.\n\n<user>one?\nAnswer:<assistant>So:");
    }
}
