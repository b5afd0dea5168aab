//! Talking to a deployment, word by word.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::{Value, json};

use crate::{client::Api, failure::Failure, output::Output};

/// What to say to whom.
#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// Name of the deployment.
    deployment: String,
    /// What to say; a conversation line by line from standard input when absent.
    message: Option<String>,
    /// A system message.
    #[arg(long)]
    system: Option<String>,
    /// Longest answer in tokens.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// Sampling temperature; 0 always takes the likeliest token.
    #[arg(long)]
    temperature: Option<f64>,
}

pub(crate) async fn run(arguments: ChatArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let mut messages = Vec::new();
    messages.extend(arguments.system.as_ref().map(|text| json!({ "role": "system", "content": text })));
    if let Some(message) = &arguments.message {
        messages.push(json!({ "role": "user", "content": message }));
        return answer(&arguments, &messages, api, output).await.map(drop);
    }
    let terminal = std::io::stdin().is_terminal();
    loop {
        if terminal {
            write!(std::io::stderr(), "> ")?;
        }
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            continue;
        }
        messages.push(json!({ "role": "user", "content": line.trim() }));
        let reply = answer(&arguments, &messages, api, output).await?;
        messages.push(json!({ "role": "assistant", "content": reply }));
    }
}

/// Says the answer as it comes, and gives the whole.
async fn answer(
    arguments: &ChatArguments,
    messages: &[Value],
    api: &Api,
    output: &Output,
) -> Result<String, Failure> {
    let mut body = json!({ "model": arguments.deployment, "messages": messages, "stream": true });
    if let Some(most) = arguments.max_tokens {
        body["max_tokens"] = json!(most);
    }
    if let Some(temperature) = arguments.temperature {
        body["temperature"] = json!(temperature);
    }
    let mut events = api.events(api.openai("chat/completions").json(&body)).await?;
    let mut whole = String::new();
    while let Some(data) = events.next().await? {
        if data == "[DONE]" {
            break;
        }
        let chunk: Value = serde_json::from_str(&data)
            .map_err(|error| Failure::Failed(format!("the server sent no JSON: {error}")))?;
        if let Some(error) = chunk["error"]["message"].as_str() {
            return Err(Failure::Failed(error.to_owned()));
        }
        if output.is_json() {
            output.text(&format!("{chunk}\n"))?;
        }
        let piece = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        whole.push_str(piece);
        if !output.is_json() {
            output.text(piece)?;
        }
    }
    if !output.is_json() {
        output.text("\n")?;
    }
    Ok(whole)
}
