//! `POST /v1/chat/completions`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{
    collect::collect,
    order::{chat_prompt, length},
    sse,
};
use crate::{
    deployments::Deployments,
    error::ApiError,
    generation::{Event, Order},
    model::Deployment,
    openai::{ChatAnswer, ChatChunk, ChatRequest, Usage, chat_logprobs},
};

pub(super) async fn create(
    deployments: web::Data<Deployments>,
    request: web::Json<ChatRequest>,
) -> Result<HttpResponse, ApiError> {
    let model = deployments.get(&request.model)?;
    let (id, created) = (format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()), deployments.now());
    let orders = orders(&model, &request)?;
    if request.parameters.streams() {
        return stream(&model, &request, orders, id, created);
    }
    let prompt_tokens = orders.first().map_or(0, |order| order.prompt.len());
    let (mut answers, mut written) = (Vec::new(), 0);
    for (index, order) in orders.into_iter().enumerate() {
        let wants_logprobs = order.alternatives.is_some();
        let whole = collect(model.ask(order)?).await?;
        written += whole.completion_tokens;
        let logprobs = wants_logprobs.then(|| chat_logprobs(&model.text.tokenizer, &whole.tokens));
        answers.push(ChatAnswer { index, text: whole.text, logprobs, finish: whole.finish.name() });
    }
    let usage = Usage::new(prompt_tokens, written);
    Ok(HttpResponse::Ok().json(ChatAnswer::response(&id, created, &model.name, &answers, usage)))
}

fn orders(model: &Deployment, request: &ChatRequest) -> Result<Vec<Order>, ApiError> {
    let prompt = chat_prompt(&model.text, request)?;
    let max_tokens = length(model.text.context_length, prompt.len(), request.max_tokens())?;
    if max_tokens == 0 {
        return Err(ApiError::invalid("max_tokens", "an answer has at least one token"));
    }
    let order = |index| {
        Ok(Order {
            prompt: prompt.clone(),
            sampling: request.parameters.sampling(index)?,
            max_tokens,
            stops: request.parameters.stops()?,
            alternatives: request.alternatives()?,
            echo: false,
        })
    };
    (0..request.parameters.answers()?).map(order).collect()
}

fn stream(
    model: &Arc<Deployment>,
    request: &ChatRequest,
    mut orders: Vec<Order>,
    id: String,
    created: i64,
) -> Result<HttpResponse, ApiError> {
    let (Some(order), true) = (orders.pop(), orders.is_empty()) else {
        return Err(ApiError::invalid("n", "only one answer can be streamed"));
    };
    let (prompt_tokens, include_usage) = (order.prompt.len(), request.parameters.include_usage());
    let events = model.ask(order)?;
    let model = Arc::clone(model);
    let mut first = true;
    Ok(sse::respond(events, move |event| {
        let chunk = ChatChunk { id: &id, created, model: &model.name };
        let mut messages: Vec<Value> = Vec::new();
        if std::mem::take(&mut first) {
            messages.push(chunk.delta(0, &json!({ "role": "assistant", "content": "" }), None, None));
        }
        match event {
            Event::Prompt(_) => {}
            Event::Token { text, scored } => {
                let logprobs = scored.map(|scored| chat_logprobs(&model.text.tokenizer, &[scored]));
                if !text.is_empty() || logprobs.is_some() {
                    messages.push(chunk.delta(0, &json!({ "content": text }), logprobs.as_ref(), None));
                }
            }
            Event::Done { finish, completion_tokens } => {
                messages.push(chunk.delta(0, &json!({}), None, Some(finish.name())));
                if include_usage {
                    messages.push(chunk.usage(Usage::new(prompt_tokens, completion_tokens)));
                }
            }
        }
        messages
    }))
}
