//! Server-sent events: the `data` of each, as it comes, and the id to go on from.

use reqwest::Response;

use crate::failure::Failure;

/// An event stream.
pub(crate) struct Events {
    response: Response,
    lines: Lines,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        Self { response, lines: Lines::default() }
    }

    /// The id of the last event that had one.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.lines.last_id.as_deref()
    }

    /// The data of the next event; `None` once the server ends the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            if let Some(data) = self.lines.next() {
                return Ok(Some(data));
            }
            match self.response.chunk().await? {
                Some(chunk) => self.lines.push(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// What has come and is not yet a whole event.
#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
    last_id: Option<String>,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) {
        self.pending.extend(chunk.iter().filter(|byte| **byte != b'\r'));
    }

    /// The data of the next whole event that has any; comments and keep-alives have none.
    fn next(&mut self) -> Option<String> {
        loop {
            let end = self.pending.windows(2).position(|pair| pair == b"\n\n")?;
            let event: Vec<u8> = self.pending.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let values = |field: &'static str| {
                let values = text.lines().filter_map(move |line| line.strip_prefix(field)?.strip_prefix(':'));
                values.map(|value| value.strip_prefix(' ').unwrap_or(value))
            };
            self.last_id = values("id").next_back().map(str::to_owned).or(self.last_id.take());
            let data: Vec<&str> = values("data").collect();
            if !data.is_empty() {
                return Some(data.join("\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_pieces() {
        let whole = b": hello\n\nid: 4\r\ndata: {\"a\":1}\r\n\r\ndata: x\ndata: y\n\ndata: [DO";
        for size in 1..whole.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            for chunk in whole.chunks(size) {
                lines.push(chunk);
                while let Some(data) = lines.next() {
                    seen.push(data);
                }
            }
            assert_eq!(seen, ["{\"a\":1}", "x\ny"], "in pieces of {size}");
            assert_eq!(lines.last_id.as_deref(), Some("4"));
        }
    }
}
