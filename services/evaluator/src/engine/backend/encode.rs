//! From text to ids, with the harness's seams, prefix id and left truncation (`TemplateLM._encode_pair`,
//! `HFLM.tok_encode`, `utils.get_rolling_token_windows`).

use anneal_model::Tokenizer;

use super::TokenRequest;
use crate::engine::prompts::Request;

/// A request as ids.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoded {
    /// Sequences to score: one, or the windows of a text.
    Score {
        /// The sequences.
        sequences: Vec<TokenRequest>,
        /// Ids of the context before truncation.
        context_tokens: usize,
        /// Ids cut from the left.
        truncated: usize,
    },
    /// A prompt to continue.
    Prompt {
        /// Its ids.
        ids: Vec<u32>,
        /// Ids cut from the left.
        truncated: usize,
    },
}

/// Encodes requests for one model.
pub struct Encoder {
    tokenizer: Tokenizer,
    prefix_id: u32,
    prefix_text: String,
    max_length: usize,
}

impl Encoder {
    /// An encoder; the prefix id is the model's BOS, else its EOS.
    pub fn new(tokenizer: Tokenizer, max_length: usize) -> Result<Self, String> {
        let prefix_id = tokenizer.bos_id().or_else(|| tokenizer.eos_id());
        let prefix_id = prefix_id.ok_or("the tokenizer has neither a BOS nor an EOS token")?;
        let prefix_text = tokenizer.decode(&[prefix_id], false).map_err(|error| error.to_string())?;
        Ok(Self { tokenizer, prefix_id, prefix_text, max_length })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Longest sequence in ids.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Encodes one request.
    pub fn encode(&self, request: &Request) -> Result<Encoded, String> {
        match request {
            Request::LogLikelihood { context, continuation } => {
                let spaces = context.len() - context.trim_end().len();
                let (head, tail) = context.split_at(context.len() - spaces);
                // A context of white space alone is kept: the harness would call the model with nothing before.
                if head.is_empty() {
                    return self.pair(context, continuation, false);
                }
                self.pair(head, &format!("{tail}{continuation}"), false)
            }
            Request::Completion { context, continuation, ends } => self.pair(context, continuation, *ends),
            Request::Rolling { text } => self.rolling(text),
            Request::Generate { context, stops } => {
                let room =
                    self.max_length.checked_sub(stops.max_tokens).filter(|room| *room > 0).ok_or_else(
                        || {
                            format!(
                                "max_gen_toks {} leaves no room for a prompt in {} tokens",
                                stops.max_tokens, self.max_length
                            )
                        },
                    )?;
                let mut ids = self.ids(context)?;
                let truncated = ids.len().saturating_sub(room);
                ids.drain(..truncated);
                if ids.is_empty() {
                    ids.push(self.prefix_id);
                }
                Ok(Encoded::Prompt { ids, truncated })
            }
        }
    }

    /// Ids of a text; special ids are not added twice to a text that begins with them.
    fn ids(&self, text: &str) -> Result<Vec<u32>, String> {
        let add_special = self.prefix_text.is_empty() || !text.starts_with(&self.prefix_text);
        self.tokenizer.encode(text, add_special).map_err(|error| error.to_string())
    }

    fn pair(&self, context: &str, continuation: &str, ends: bool) -> Result<Encoded, String> {
        let (context_ids, mut targets) = if context.is_empty() {
            let ids = self.tokenizer.encode(continuation, false).map_err(|error| error.to_string())?;
            if ids.first() == Some(&self.prefix_id) {
                (ids[..1].to_vec(), ids[1..].to_vec())
            } else {
                (vec![self.prefix_id], ids)
            }
        } else {
            let context_ids = self.ids(context)?;
            let mut whole = self.ids(&format!("{context}{continuation}"))?;
            let targets = whole.split_off(context_ids.len().min(whole.len()));
            (context_ids, targets)
        };
        if ends {
            targets.extend(self.tokenizer.eos_id());
        }
        if targets.is_empty() {
            return Err(format!("the continuation {continuation:?} adds no token to its context"));
        }
        if targets.len() > self.max_length {
            return Err(format!(
                "the continuation has {} tokens, and the model takes {}",
                targets.len(),
                self.max_length
            ));
        }
        let context_tokens = context_ids.len();
        let mut input = context_ids;
        input.extend_from_slice(&targets);
        let truncated = input.len().saturating_sub(self.max_length + 1);
        input.drain(..truncated);
        input.pop();
        if input.len() < targets.len() {
            return Err("there is no context to predict the first token from".to_owned());
        }
        Ok(Encoded::Score { sequences: vec![TokenRequest { input, targets }], context_tokens, truncated })
    }

    /// Windows of `max_length` with one id of context from the window before; the prefix id precedes the first.
    fn rolling(&self, text: &str) -> Result<Encoded, String> {
        let ids = self.ids(text)?;
        let mut sequences = Vec::new();
        let first = ids.len().min(self.max_length);
        if first > 0 {
            let mut input = vec![self.prefix_id];
            input.extend_from_slice(&ids[..first - 1]);
            sequences.push(TokenRequest { input, targets: ids[..first].to_vec() });
        }
        let mut predicted = first;
        while predicted < ids.len() {
            let end = (predicted + self.max_length).min(ids.len());
            let start = end - self.max_length - 1;
            sequences.push(TokenRequest {
                input: ids[start..end - 1].to_vec(),
                targets: ids[predicted..end].to_vec(),
            });
            predicted = end;
        }
        if sequences.is_empty() {
            return Err("the text has no tokens".to_owned());
        }
        Ok(Encoded::Score { sequences, context_tokens: 0, truncated: 0 })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_model::formula::tiny_tokenizer;

    use super::*;

    fn encoder(max_length: usize) -> Encoder {
        Encoder::new(tiny_tokenizer().unwrap(), max_length).unwrap()
    }

    fn score(encoder: &Encoder, context: &str, continuation: &str) -> (Vec<TokenRequest>, usize, usize) {
        let request = Request::LogLikelihood { context: context.into(), continuation: continuation.into() };
        match encoder.encode(&request).unwrap() {
            Encoded::Score { sequences, context_tokens, truncated } => (sequences, context_tokens, truncated),
            Encoded::Prompt { .. } => panic!("sequences expected"),
        }
    }

    #[test]
    fn trailing_white_space_moves_to_the_continuation() {
        let encoder = encoder(64);
        assert_eq!(score(&encoder, "Answer: ", "yes"), score(&encoder, "Answer:", " yes"));
    }

    #[test]
    fn an_empty_context_is_the_prefix_id() {
        let encoder = encoder(64);
        let (sequences, context_tokens, _) = score(&encoder, "", "yes");
        assert_eq!(context_tokens, 1);
        assert_eq!(sequences[0].input[0], encoder.prefix_id);
        assert_eq!(sequences[0].input.len(), sequences[0].targets.len());
    }

    #[test]
    fn the_left_is_cut_and_counted() {
        let (long, _, none) = score(&encoder(1000), &"x y ".repeat(20), " end");
        assert_eq!(none, 0);
        let (cut, _, truncated) = score(&encoder(10), &"x y ".repeat(20), " end");
        assert_eq!(cut[0].targets, long[0].targets);
        assert_eq!(cut[0].input.len(), 10);
        assert_eq!(truncated, long[0].input.len() - 10);
        assert!(long[0].input.ends_with(&cut[0].input));
    }

    #[test]
    fn windows_cover_every_id_once() {
        let text = "the cat sat on the mat and the dog ran away";
        let encoder = encoder(8);
        let ids = encoder.ids(text).unwrap();
        let Encoded::Score { sequences, .. } =
            encoder.encode(&Request::Rolling { text: text.into() }).unwrap()
        else {
            panic!("sequences expected")
        };
        let covered: Vec<u32> = sequences.iter().flat_map(|window| window.targets.clone()).collect();
        assert_eq!(covered, ids);
        for window in &sequences {
            assert!(window.input.len() <= 8 && window.targets.len() <= window.input.len());
        }
        // A later window's context is what precedes its targets.
        let second = &sequences[1];
        assert_eq!(second.input[second.first_scored()], ids[7]);
    }
}
