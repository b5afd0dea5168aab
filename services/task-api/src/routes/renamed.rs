//! An answer on its way back, with the caller's name for its model in place of ours.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use crate::Error;

/// A longer line is passed on as it is.
const LONGEST_LINE: usize = 8 << 20;

/// Replaces `"model":"<ours>"` by `"model":"<theirs>"` line by line; text inside JSON strings has escaped quotes and
/// never matches.
pub(super) fn renamed<S, E>(
    source: S,
    ours: &str,
    theirs: &str,
) -> impl Stream<Item = Result<Bytes, Error>> + use<S, E>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let field = |name: &str| format!("\"model\":{}", serde_json::Value::from(name));
    let state = (source, BytesMut::new(), field(ours), field(theirs), false);
    futures::stream::unfold(state, |(mut source, mut held, ours, theirs, ended)| async move {
        if ended {
            return None;
        }
        loop {
            let (piece, ended) = match source.next().await {
                Some(Ok(bytes)) => {
                    held.extend_from_slice(&bytes);
                    match held.iter().rposition(|byte| *byte == b'\n') {
                        Some(end) => (held.split_to(end + 1), false),
                        None if held.len() > LONGEST_LINE => (held.split(), false),
                        None => continue,
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "the inference service broke off");
                    let error = Error::Unavailable("the inference service broke off".to_owned());
                    return Some((Err(error), (source, held, ours, theirs, true)));
                }
                None if held.is_empty() => return None,
                None => (held.split(), true),
            };
            let piece = match std::str::from_utf8(&piece) {
                Ok(text) => Bytes::from(text.replace(&ours, &theirs)),
                Err(_) => piece.freeze(),
            };
            return Some((Ok(piece), (source, held, ours, theirs, ended)));
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_replaced_wherever_the_pieces_break() {
        let text = "data: {\"model\":\"ws-1/bot\",\"text\":\"say \\\"model\\\":\\\"ws-1/bot\\\"\"}\n\ndata: {\"model\":\"ws-1/bot\"}";
        let want = text
            .replacen("\"model\":\"ws-1/bot\",", "\"model\":\"bot\",", 1)
            .replace("{\"model\":\"ws-1/bot\"}", "{\"model\":\"bot\"}");
        for size in [1, 7, 1000] {
            let pieces: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .map(|piece| Ok::<_, Error>(Bytes::copy_from_slice(piece)))
                .collect();
            let all: Vec<_> = renamed(futures::stream::iter(pieces), "ws-1/bot", "bot").collect().await;
            let joined: Vec<u8> = all.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
            assert_eq!(String::from_utf8(joined).unwrap(), want);
        }
    }
}
