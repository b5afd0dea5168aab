//! Server-sent events: `data: {…}` for every event, `data: [DONE]` at the end.

use actix_web::{HttpResponse, web::Bytes};
use futures::stream;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use crate::{generation::Event, model::Answer};

fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// A stream of one answer. `write` turns an event into messages; when the client leaves, the receiver is dropped and
/// the model stops.
pub(super) fn respond(
    events: Receiver<Answer>,
    write: impl FnMut(Event) -> Vec<Value> + 'static,
) -> HttpResponse {
    let body = stream::unfold(Some((events, write)), |state| async move {
        let (mut events, mut write) = state?;
        let (messages, over) = match events.recv().await {
            Some(Ok(event)) => {
                let over = matches!(event, Event::Done { .. });
                (write(event), over)
            }
            Some(Err(error)) => (vec![error.body()], true),
            None => (vec![crate::error::ApiError::internal().body()], true),
        };
        let mut text: Vec<u8> = messages.iter().flat_map(|message| data(message).to_vec()).collect();
        if over {
            text.extend_from_slice(b"data: [DONE]\n\n");
        }
        let next = if over { None } else { Some((events, write)) };
        Some((Ok::<Bytes, actix_web::Error>(Bytes::from(text)), next))
    });
    HttpResponse::Ok()
        .insert_header(("content-type", "text/event-stream; charset=utf-8"))
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body)
}
