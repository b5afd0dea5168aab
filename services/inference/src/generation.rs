//! One answer: prompt through the model, then token by token until something ends it.

use anneal_onnx::{Logits, Session, State};

use crate::{
    model::Loaded,
    sampling::Sampling,
    text::{Detokenizer, Stops},
};

/// Prompt tokens fed in one run: their logits (vocabulary × 4 bytes each) are in memory together.
const CHUNK: usize = 128;

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) prompt: Vec<u32>,
    pub(crate) sampling: Sampling,
    pub(crate) max_tokens: usize,
    pub(crate) stops: Vec<String>,
    /// Most likely alternatives to tell with each token; `None` tells no log-probabilities.
    pub(crate) alternatives: Option<usize>,
    /// Tell the prompt's tokens too.
    pub(crate) echo: bool,
}

/// A token with its log-probability.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scored {
    pub(crate) token: u32,
    /// `None` for a prompt's first token, which nothing predicts.
    pub(crate) log_probability: Option<f32>,
    /// Most likely tokens at this place.
    pub(crate) alternatives: Vec<(u32, f32)>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// An end token or a stop string.
    Stop,
    /// `max_tokens`.
    Length,
}

impl Finish {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

/// What happens while an answer is made, in order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The prompt's tokens, when they were asked for.
    Prompt(Vec<Scored>),
    /// A token, and the text that may be shown now (which may be empty, or belong to earlier tokens).
    Token { text: String, scored: Option<Scored> },
    /// The end.
    Done { finish: Finish, completion_tokens: usize },
}

/// The client has gone, or the model failed.
pub(crate) enum Stopped {
    Gone,
    Failed(String),
}

impl<E: std::error::Error> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Answers `order`; `tell` returns false when nobody listens any more.
pub(crate) fn answer(
    model: &mut Loaded,
    order: &Order,
    mut tell: impl FnMut(Event) -> bool,
) -> Result<(), Stopped> {
    let (session, text) = model.parts();
    let mut send = |event: Event| if tell(event) { Ok(()) } else { Err(Stopped::Gone) };
    let (mut state, mut logits, scored) = read_prompt(session, order)?;
    if order.echo {
        send(Event::Prompt(scored))?;
    }
    let (mut detokenizer, mut stops) = (Detokenizer::default(), Stops::new(order.stops.clone()));
    let mut written: Vec<u32> = Vec::new();
    while written.len() < order.max_tokens {
        let row = logits.last(0);
        let token = order.sampling.choose(row, &written);
        if text.end_tokens.contains(&token) {
            let rest = detokenizer.finish(&text.tokenizer)?;
            let (shown, _) = stops.push(&rest);
            send(Event::Token { text: shown + &stops.finish(), scored: None })?;
            return send(Event::Done { finish: Finish::Stop, completion_tokens: written.len() });
        }
        written.push(token);
        let scored = order.alternatives.map(|count| score(row, token, count));
        let (shown, ended) = stops.push(&detokenizer.push(&text.tokenizer, token)?);
        send(Event::Token { text: shown, scored })?;
        if ended {
            return send(Event::Done { finish: Finish::Stop, completion_tokens: written.len() });
        }
        if written.len() < order.max_tokens {
            logits = session.step(&mut state, &[token])?;
        }
    }
    let rest = detokenizer.finish(&text.tokenizer)?;
    let (shown, ended) = stops.push(&rest);
    let shown = if ended { shown } else { shown + &stops.finish() };
    send(Event::Token { text: shown, scored: None })?;
    send(Event::Done { finish: Finish::Length, completion_tokens: written.len() })
}

/// Feeds the prompt in chunks; scores its tokens when `echo` and log-probabilities are asked for.
fn read_prompt(session: &mut Session, order: &Order) -> Result<(State, Logits, Vec<Scored>), Stopped> {
    let plain = |token| Scored { token, log_probability: None, alternatives: vec![] };
    let mut scored = Vec::new();
    if order.echo {
        scored.extend(order.prompt.iter().map(|&token| plain(token)));
    }
    let mut chunks = order.prompt.chunks(CHUNK);
    let Some(first) = chunks.next() else { return Err(Stopped::Failed("an empty prompt".into())) };
    let (mut state, mut logits) = session.prefill(&[first])?;
    let mut place = 0;
    loop {
        if let (true, Some(count)) = (order.echo, order.alternatives) {
            for row in 0..logits.tokens(0) {
                if let Some(&next) = order.prompt.get(place + row + 1) {
                    scored[place + row + 1] = score(logits.row(0, row), next, count);
                }
            }
        }
        place += logits.tokens(0);
        match chunks.next() {
            Some(chunk) => logits = session.extend(&mut state, &[chunk])?,
            None => return Ok((state, logits, scored)),
        }
    }
}

/// Log-probabilities of a token and of the most likely ones.
fn score(logits: &[f32], token: u32, count: usize) -> Scored {
    let top = logits.iter().fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
    let norm = top + logits.iter().map(|&logit| f64::from(logit - top).exp()).sum::<f64>().ln() as f32;
    let mut alternatives: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    if count > 0 {
        for (token, &logit) in logits.iter().enumerate() {
            if alternatives.len() < count || alternatives.last().is_some_and(|least| logit > least.1) {
                let at = alternatives.partition_point(|other| other.1 >= logit);
                alternatives.insert(at, (token as u32, logit));
                alternatives.truncate(count);
            }
        }
    }
    for (_, logit) in &mut alternatives {
        *logit -= norm;
    }
    let log_probability = logits.get(token as usize).map(|logit| logit - norm);
    Scored { token, log_probability, alternatives }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn scores_are_log_probabilities_with_the_best_first() {
        let scored = score(&[0.0, (2.0_f32).ln(), (5.0_f32).ln()], 0, 2);
        assert!((scored.log_probability.unwrap() - (1.0_f32 / 8.0).ln()).abs() < 1e-6);
        assert_eq!(scored.alternatives.iter().map(|pair| pair.0).collect::<Vec<_>>(), [2, 1]);
        assert!((scored.alternatives[0].1 - (5.0_f32 / 8.0).ln()).abs() < 1e-6);
    }
}
