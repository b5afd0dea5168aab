//! Chat templates: a conversation to text, by the model's own Jinja, as transformers renders it.

mod environment;
mod message;
mod methods;
mod source;
mod strftime;
mod template;
mod tojson;

pub use message::Message;
pub use template::{ChatTemplate, RenderOptions};
