//! The requests of a fine-tuning row: each assistant turn after what precedes it, as the trainer's loss sees it.

use anneal_model::{ChatTemplate, Message, RenderOptions};
use serde_json::Value;

use super::request::Request;
use crate::engine::tasks::Doc;

/// What renders conversations: the model's template, where it has one.
pub type Conversations<'a> = Option<&'a ChatTemplate>;

/// Builds a row's requests: one for each assistant turn that carries loss, or one for a prompt's completion.
pub fn conversation(doc: &Doc, template: Conversations<'_>) -> Result<Vec<Request>, String> {
    if let (Some(prompt), Some(completion)) = (text(doc, "prompt"), text(doc, "completion")) {
        return Ok(vec![Request::Completion { context: prompt, continuation: completion, ends: true }]);
    }
    let template =
        template.ok_or("the row is a conversation, and the model has no chat template to render it with")?;
    let messages = doc.fields.get("messages").and_then(Value::as_array).ok_or("the row has no messages")?;
    let tools = doc.fields.get("tools").filter(|tools| !tools.is_null()).cloned();
    let messages: Vec<(Message, bool)> = messages.iter().map(message).collect::<Result<_, _>>()?;
    let all: Vec<Message> = messages.iter().map(|(message, _)| message.clone()).collect();
    let render = |count: usize, generation: bool| {
        let options = RenderOptions { tools: tools.clone(), ..RenderOptions::generation_prompt(generation) };
        template.render(&all[..count], &options).map_err(|error| error.to_string())
    };
    let mut requests = Vec::new();
    for (index, (_, scored)) in messages.iter().enumerate() {
        if *scored {
            requests.push(turn(&render(index, true)?, &render(index, false)?, &render(index + 1, false)?)?);
        }
    }
    if requests.is_empty() {
        Err("the row has no assistant turn that carries loss".to_owned())
    } else {
        Ok(requests)
    }
}

fn turn(prompted: &str, before: &str, after: &str) -> Result<Request, String> {
    // Some templates write the generation prompt otherwise than a turn's beginning; then the turn is scored from there.
    let context = [prompted, before].into_iter().find(|context| after.starts_with(context));
    let context =
        context.ok_or("the chat template rewrites earlier turns, so a turn cannot be told apart")?;
    // The line break after the end-of-turn token belongs to no turn.
    let continuation = after[context.len()..].trim_end_matches('\n').to_owned();
    Ok(Request::Completion { context: context.to_owned(), continuation, ends: false })
}

fn message(value: &Value) -> Result<(Message, bool), String> {
    let mut fields = value.as_object().cloned().ok_or("a message is not an object")?;
    let weight = fields.remove("weight");
    let message: Message =
        serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    let scored = message.role == "assistant" && weight != Some(Value::Bool(false));
    Ok((message, scored))
}

fn text(doc: &Doc, column: &str) -> Option<String> {
    doc.fields.get(column).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    const CHATML: &str = "{% for m in messages %}<|{{m.role}}|>{{m.content}}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

    #[test]
    fn each_assistant_turn_is_scored_with_its_end() {
        let template = ChatTemplate::new(CHATML, Map::new()).unwrap();
        let row = json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"},
            {"role": "user", "content": "more"}, {"role": "assistant", "content": "no", "weight": false},
            {"role": "assistant", "content": "end"}]});
        let doc = Doc::new(row.as_object().unwrap().clone(), 1, 1);
        let requests = conversation(&doc, Some(&template)).unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(
            requests[0],
            Request::Completion {
                context: "<|user|>hi<|end|>\n<|assistant|>".into(),
                continuation: "yo<|end|>".into(),
                ends: false
            }
        );
        assert!(conversation(&doc, None).unwrap_err().contains("chat template"));
    }
}
