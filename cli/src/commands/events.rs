//! Events of the workspace, as they happen. A stream that breaks off is taken up again where it ended.

use std::{io::Write, time::Duration};

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::{
    client::{Api, Events},
    failure::Failure,
    output::Output,
};

/// From where on.
#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// After this event; from now on when absent.
    #[arg(long)]
    after: Option<u64>,
}

/// The server sends a comment every 15 seconds at least: silence this long is a broken connection.
const SILENCE: Duration = Duration::from_secs(60);
/// The first try follows at once; the pauses after it grow.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Tries before a server that is away is given up: about five minutes.
const TRIES: u32 = 60;

pub(crate) async fn run(arguments: EventsArguments, api: &Api, output: &Output) -> Result<(), Failure> {
    let mut after = arguments.after.map(|id| id.to_string());
    let mut stream = open(api, after.as_deref()).await?;
    loop {
        let cut = follow(&mut stream, output).await?;
        let last = stream.last_id().map(str::to_owned);
        if last.is_none() && after.is_none() {
            tell("no event had come yet: what happens until the stream is back may be missed");
        }
        after = last.or(after);
        tell(&format!("the stream broke off ({cut}); taking it up again"));
        stream = reopen(api, after.as_deref()).await?;
    }
}

async fn open(api: &Api, after: Option<&str>) -> Result<Events, Failure> {
    let mut request = api.request(Method::GET, "events");
    if let Some(after) = after {
        request = request.header("Last-Event-ID", after);
    }
    api.events(request).await
}

/// Opens the stream again, however long (within reason) the server is away. A refusal ends it.
async fn reopen(api: &Api, after: Option<&str>) -> Result<Events, Failure> {
    let mut pause = Duration::ZERO;
    for _ in 1..TRIES {
        tokio::time::sleep(pause).await;
        match open(api, after).await {
            Err(Failure::Http(_) | Failure::Refused { status: 500.., .. }) => {
                pause = LONGEST_PAUSE.min(pause * 2 + FIRST_PAUSE);
            }
            other => return other,
        }
    }
    open(api, after).await
}

/// Shows events until the stream breaks off; says why it did. Only what cannot be shown is a failure.
async fn follow(stream: &mut Events, output: &Output) -> Result<String, Failure> {
    loop {
        match tokio::time::timeout(SILENCE, stream.next()).await {
            Ok(Ok(Some(data))) => show(&data, output)?,
            Ok(Ok(None)) => return Ok("the server ended it".to_owned()),
            Ok(Err(error)) => return Ok(error.to_string()),
            Err(_) => return Ok(format!("nothing came for {} s", SILENCE.as_secs())),
        }
    }
}

fn show(data: &str, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.text(&format!("{data}\n"));
    }
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |key: &str| event[key].as_str().unwrap_or("–").to_owned();
    output.text(&format!(
        "{:>8} {} {} {}\n",
        event["id"].to_string(),
        text("time"),
        text("type"),
        text("task")
    ))
}

fn tell(what: &str) {
    // A closed terminal is no reason to end.
    writeln!(std::io::stderr(), "anneal: {what}").ok();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::settings::Resolved;

    /// Answers one request after the other with these, each on a connection of its own; gives the requests.
    async fn serve(listener: TcpListener, answers: &[&str]) -> Vec<String> {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap();
            requests.push(String::from_utf8_lossy(&request[..length]).to_lowercase());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    }

    #[tokio::test]
    async fn a_cut_stream_goes_on_after_the_last_event_until_the_server_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let api = Api::new(&Resolved { server, key: "key".to_owned() }).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let first = format!("{head}id: 7\ndata: {{\"id\":7}}\n\nid: 8\ndata: {{\"id\":8}}\n\n");
        let second = format!("{head}: alive\n\n");
        let away = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let answers = [first.as_str(), &second, away, refused];
        let arguments = EventsArguments { after: Some(6) };
        let output = Output::new(true);
        let (requests, ended) = tokio::join!(serve(listener, &answers), run(arguments, &api, &output));
        let asked: Vec<bool> = ["6", "8", "8", "8"]
            .iter()
            .zip(&requests)
            .map(|(id, request)| request.contains(&format!("last-event-id: {id}\r\n")))
            .collect();
        assert_eq!(asked, [true; 4], "{requests:?}");
        assert_eq!(ended.unwrap_err().exit_code(), 4);
    }
}
