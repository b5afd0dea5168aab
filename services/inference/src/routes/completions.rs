//! `POST /v1/completions`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{
    collect::{Whole, collect},
    order::{completion_prompt, length},
    sse,
};
use crate::{
    deployments::Deployments,
    error::ApiError,
    generation::{Event, Order, Scored},
    model::{Deployment, Text},
    openai::{CompletionLogprobs, CompletionRequest, Usage},
};

/// OpenAI's default length of a completion.
const DEFAULT_TOKENS: usize = 16;

pub(super) async fn create(
    deployments: web::Data<Deployments>,
    request: web::Json<CompletionRequest>,
) -> Result<HttpResponse, ApiError> {
    let model = deployments.get(&request.model)?;
    let (id, created) = (format!("cmpl-{}", uuid::Uuid::new_v4().simple()), deployments.now());
    let mut orders = Vec::new();
    for piece in request.prompts()? {
        let prompt = completion_prompt(&model.text, &piece)?;
        let max_tokens = max_tokens(&model.text, &request, prompt.len())?;
        for index in 0..request.parameters.answers()? {
            orders.push(order(&request, prompt.clone(), max_tokens, index)?);
        }
    }
    if request.parameters.streams() {
        return stream(&model, &request, orders, id, created);
    }
    let (mut choices, mut usage) = (Vec::new(), Usage::default());
    for (index, order) in orders.into_iter().enumerate() {
        // A prompt is counted once, however many answers it gets.
        let first_of_prompt = index % request.parameters.answers()? == 0;
        let prompt = order.prompt.clone();
        let whole = collect(model.ask(order)?).await?;
        let prompt_tokens = if first_of_prompt { prompt.len() } else { 0 };
        usage = Usage::new(
            usage.prompt_tokens + prompt_tokens,
            usage.completion_tokens + whole.completion_tokens,
        );
        choices.push(choice(&model.text, &request, index, &prompt, &whole)?);
    }
    Ok(HttpResponse::Ok().json(json!({
        "id": id, "object": "text_completion", "created": created, "model": model.name,
        "choices": choices, "usage": usage, "system_fingerprint": null,
    })))
}

/// The length of an answer to a prompt of this many tokens, which must fit into the context with it.
fn max_tokens(text: &Text, request: &CompletionRequest, prompt_tokens: usize) -> Result<usize, ApiError> {
    let asked = request.parameters.max_tokens.unwrap_or(DEFAULT_TOKENS);
    let max_tokens = length(text.context_length, prompt_tokens, Some(asked))?;
    if max_tokens == 0 && !request.echoes() {
        return Err(ApiError::invalid("max_tokens", "0 is allowed with 'echo' only"));
    }
    Ok(max_tokens)
}

fn order(
    request: &CompletionRequest,
    prompt: Vec<u32>,
    max_tokens: usize,
    index: usize,
) -> Result<Order, ApiError> {
    Ok(Order {
        prompt,
        sampling: request.parameters.sampling(index)?,
        max_tokens,
        stops: request.parameters.stops()?,
        alternatives: request.alternatives()?,
        echo: request.echoes(),
    })
}

fn prompt_text(text: &Text, prompt: &[u32]) -> Result<String, ApiError> {
    text.tokenizer.decode(prompt, false).map_err(|error| ApiError::invalid("prompt", error.to_string()))
}

fn choice(
    text: &Text,
    request: &CompletionRequest,
    index: usize,
    prompt: &[u32],
    whole: &Whole,
) -> Result<Value, ApiError> {
    let mut shown = String::new();
    if request.echoes() {
        shown = prompt_text(text, prompt)?;
    }
    shown.push_str(&whole.text);
    let logprobs = request.logprobs.map(|_| {
        let all: Vec<Scored> = whole.prompt.iter().chain(&whole.tokens).cloned().collect();
        CompletionLogprobs::new(&text.tokenizer, &all, 0)
    });
    Ok(json!({ "index": index, "text": shown, "logprobs": logprobs, "finish_reason": whole.finish.name() }))
}

fn stream(
    model: &Arc<Deployment>,
    request: &CompletionRequest,
    mut orders: Vec<Order>,
    id: String,
    created: i64,
) -> Result<HttpResponse, ApiError> {
    let (Some(order), true) = (orders.pop(), orders.is_empty()) else {
        return Err(ApiError::invalid("n", "only one answer can be streamed"));
    };
    let prompt = order.prompt.clone();
    let echo = if request.echoes() { Some(prompt_text(&model.text, &prompt)?) } else { None };
    let (include_usage, wants_logprobs) = (request.parameters.include_usage(), request.logprobs.is_some());
    let events = model.ask(order)?;
    let model = Arc::clone(model);
    let mut offset = 0;
    Ok(sse::respond(events, move |event| {
        let chunk = |choices: Value, usage: Value| {
            json!({
                "id": id, "object": "text_completion", "created": created, "model": model.name,
                "choices": choices, "usage": usage, "system_fingerprint": null,
            })
        };
        let piece = |text: &str, logprobs: Option<CompletionLogprobs>, finish: Option<&str>| {
            let choice = json!({ "index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish });
            chunk(json!([choice]), Value::Null)
        };
        let (shown, scored) = match event {
            Event::Prompt(scored) => (echo.clone().unwrap_or_default(), scored),
            Event::Token { text, scored } => (text, scored.into_iter().collect()),
            Event::Done { finish, completion_tokens } => {
                let mut messages = vec![piece("", None, Some(finish.name()))];
                if include_usage {
                    messages.push(chunk(json!([]), json!(Usage::new(prompt.len(), completion_tokens))));
                }
                return messages;
            }
        };
        let logprobs =
            wants_logprobs.then(|| CompletionLogprobs::new(&model.text.tokenizer, &scored, offset));
        offset += shown.chars().count();
        if shown.is_empty() && scored.is_empty() { vec![] } else { vec![piece(&shown, logprobs, None)] }
    }))
}
