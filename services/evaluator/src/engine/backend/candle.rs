//! Our decoder: shared beginnings are computed once and kept as keys and values, batches have no padding, logits are
//! computed only where something is scored.

use anneal_kernels::{Segments, rows::Asked};
use anneal_model::{Decoder, GenerateOptions, Generator, KvCache, Tokenizer};
use candle_core::Tensor;

use super::prefix::shared;
use super::{Answer, Answers, Prompt, Score, Scorer, TokenRequest};
use crate::engine::error::{Error, Result};
use crate::engine::prompts::Stops;

/// Tokens of one forward pass unless the spec says otherwise.
const BATCH_TOKENS: usize = 1024;
/// Bytes of keys and values that one batch may hold, at least; a quarter of the weights' where that is more.
const CACHE_BYTES: usize = 160 << 20;
/// Most prompts continued together.
const PROMPTS: usize = 32;

/// The decoder with its buffers.
pub(super) struct Candle {
    decoder: Decoder,
    tokenizer: Tokenizer,
    batch_tokens: usize,
    cache_bytes: usize,
    prefix: Vec<u32>,
    /// Caches that hold the prefix and nothing else, to be used again.
    slots: Vec<KvCache>,
    /// How the prompts at hand are continued.
    options: GenerateOptions,
}

impl Candle {
    /// A decoder that takes about `batch_tokens` tokens at a time.
    pub(super) fn new(decoder: Decoder, tokenizer: Tokenizer, batch_tokens: Option<usize>) -> Self {
        let batch_tokens = batch_tokens.unwrap_or(BATCH_TOKENS).max(1);
        let options = GenerateOptions::default();
        let cache_bytes = CACHE_BYTES.max(decoder.weight_bytes() / 4);
        Self { decoder, tokenizer, batch_tokens, cache_bytes, prefix: Vec::new(), slots: Vec::new(), options }
    }

    fn starts_with_prefix(&self, row: &[TokenRequest]) -> bool {
        !self.prefix.is_empty()
            && row.iter().all(|request| {
                request.first_scored() >= self.prefix.len() && request.input.starts_with(&self.prefix)
            })
    }

    fn slot(&mut self, with_prefix: bool) -> Result<KvCache> {
        if !with_prefix {
            return Ok(self.decoder.cache());
        }
        if self.slots.len() > 1 {
            return Ok(self.slots.pop().expect("there is more than one"));
        }
        if self.slots.is_empty() {
            let mut cache = self.decoder.cache();
            let prefix = self.prefix.clone();
            self.decoder.extend(&mut [(&mut cache, &prefix)], &[]).map_err(failed)?;
            self.slots.push(cache);
        }
        // The last one stays as the original that others are copied from.
        Ok(self.slots[0].clone())
    }

    /// Sequences without a shared beginning: one pass, nothing is kept.
    fn score_alone(&self, rows: &[&[TokenRequest]], board: &mut Board) -> Result<()> {
        let mut start = 0;
        while start < rows.len() {
            let mut end = start;
            let mut total = 0;
            while end < rows.len() && (end == start || total + rows[end][0].input.len() <= self.batch_tokens)
            {
                total += rows[end][0].input.len();
                end += 1;
            }
            let batch = &rows[start..end];
            let lengths: Vec<usize> = batch.iter().map(|row| row[0].input.len()).collect();
            let tokens: Vec<u32> = batch.iter().flat_map(|row| row[0].input.iter().copied()).collect();
            let segments = Segments::new(&lengths).map_err(failed)?;
            let mut wanted = Wanted::default();
            let mut offset = 0;
            for (index, row) in batch.iter().enumerate() {
                wanted.add(offset, 0..row[0].input.len(), start + index, 0, &row[0]);
                offset += row[0].input.len();
            }
            let hidden_nd = self.decoder.hidden_at(&tokens, &segments, &wanted.rows()).map_err(failed)?;
            self.read(&hidden_nd, wanted, board)?;
            start = end;
        }
        Ok(())
    }

    /// Rows with a shared beginning: stems together, then every first choice together, every second …
    fn score_shared(&mut self, rows: &[(usize, &[TokenRequest])], board: &mut Board) -> Result<()> {
        let mut states: Vec<Stem<'_>> = Vec::with_capacity(rows.len());
        for (index, row) in rows {
            let with_prefix = self.starts_with_prefix(row);
            let end = row
                .iter()
                .skip(1)
                .fold(row[0].input.len(), |end, request| shared(&row[0].input[..end], &request.input));
            let start = if with_prefix { self.prefix.len() } else { 0 };
            let cache = self.slot(with_prefix)?;
            states.push(Stem { row: *index, requests: row, start, end: end.max(start), cache, with_prefix });
        }
        self.stems(&mut states, board)?;
        for choice in 0..rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0) {
            self.branches(&mut states, choice, board)?;
        }
        for mut state in states {
            if state.with_prefix && self.slots.len() < rows.len() + 1 {
                state.cache.truncate(self.prefix.len());
                self.slots.push(state.cache);
            }
        }
        Ok(())
    }

    fn stems(&self, states: &mut [Stem<'_>], board: &mut Board) -> Result<()> {
        let mut wanted = Wanted::default();
        let mut offset = 0;
        for state in states.iter() {
            if state.end > state.start {
                for (index, request) in state.requests.iter().enumerate() {
                    wanted.add(offset, state.start..state.end, state.row, index, request);
                }
                offset += state.end - state.start;
            }
        }
        let mut batch: Vec<(&mut KvCache, &[u32])> = states
            .iter_mut()
            .filter(|state| state.end > state.start)
            .map(|state| (&mut state.cache, &state.requests[0].input[state.start..state.end]))
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        let hidden_nd = self.decoder.extend(&mut batch, &wanted.rows()).map_err(failed)?;
        self.read(&hidden_nd, wanted, board)
    }

    fn branches(&self, states: &mut [Stem<'_>], choice: usize, board: &mut Board) -> Result<()> {
        let mut wanted = Wanted::default();
        let mut offset = 0;
        let mut batch: Vec<(&mut KvCache, &[u32])> = Vec::new();
        for state in states.iter_mut() {
            let Some(request) = state.requests.get(choice).filter(|request| request.input.len() > state.end)
            else {
                continue;
            };
            wanted.add(offset, state.end..request.input.len(), state.row, choice, request);
            offset += request.input.len() - state.end;
            state.cache.truncate(state.end);
            batch.push((&mut state.cache, &request.input[state.end..]));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let hidden_nd = self.decoder.extend(&mut batch, &wanted.rows()).map_err(failed)?;
        self.read(&hidden_nd, wanted, board)
    }

    fn score_rows(&mut self, rows: &[&[TokenRequest]]) -> Result<Vec<Vec<Score>>> {
        let mut board = Board::new(rows);
        // A row of windows, or of one request, has no beginning to share.
        let alike = |row: &[TokenRequest]| {
            row.len() > 1 && row.iter().all(|one| shared(&one.input, &row[0].input) > 0)
        };
        let mut alone: Vec<(usize, usize)> = Vec::new();
        let mut together = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            if alike(row) || self.starts_with_prefix(row) {
                together.push((index, *row));
            } else {
                alone.extend((0..row.len()).map(|request| (index, request)));
            }
        }
        if !together.is_empty() {
            self.score_shared(&together, &mut board)?;
        }
        let sequences: Vec<&[TokenRequest]> =
            alone.iter().map(|(row, request)| std::slice::from_ref(&rows[*row][*request])).collect();
        let mut flat = Board::new(&sequences);
        self.score_alone(&sequences, &mut flat)?;
        for ((row, request), sums) in alone.into_iter().zip(flat.0) {
            board.0[row][request].clone_from(&sums[0]);
        }
        Ok(board.scores())
    }

    /// Scores what is wanted after the hidden states of its rows.
    fn read(&self, hidden_nd: &Tensor, wanted: Wanted, board: &mut Board) -> Result<()> {
        let targets: Vec<(usize, Target)> = wanted
            .0
            .into_values()
            .enumerate()
            .flat_map(|(row, targets)| targets.into_iter().map(move |target| (row, target)))
            .collect();
        let asked: Vec<Asked> = targets.iter().map(|&(row, target)| Asked { row, id: target.id }).collect();
        let scored = self.decoder.score(hidden_nd, &asked).map_err(failed)?;
        for ((_, target), scored) in targets.into_iter().zip(scored) {
            board.put(target, scored.log_prob, scored.is_best);
        }
        Ok(())
    }
}

impl Scorer for Candle {
    fn fit(&self, rows: &[&[TokenRequest]]) -> usize {
        let bytes = self.decoder.cache_bytes_a_token();
        let (mut tokens, mut held) = (0, 0);
        let mut count = 0;
        for row in rows {
            let whole = row.iter().map(|request| request.input.len()).max().unwrap_or(0);
            let own = whole - if self.starts_with_prefix(row) { self.prefix.len() } else { 0 };
            tokens += own;
            held += whole * bytes;
            let kept = row.len() > 1 || own < whole;
            if count > 0 && (tokens > self.batch_tokens || (kept && held > self.cache_bytes)) {
                break;
            }
            count += 1;
        }
        count
    }

    fn share(&mut self, prefix: &[u32]) -> Result<()> {
        self.slots.clear();
        self.prefix = prefix.to_vec();
        Ok(())
    }

    fn score(&mut self, rows: &[&[TokenRequest]]) -> Result<Vec<Vec<Score>>> {
        anneal_kernels::in_pool(|| self.score_rows(rows))
    }

    fn generate<'a>(&'a mut self, prompts: &[Prompt<'_>], stops: &'a Stops) -> Result<Box<dyn Answers + 'a>> {
        self.slots.clear();
        self.options = GenerateOptions {
            max_new_tokens: stops.max_tokens,
            stop: stops.until.clone(),
            stop_ids: Vec::new(),
            temperature: stops.temperature,
            top_p: stops.top_p.unwrap_or(1.0),
            seed: 0,
            batch_size: PROMPTS,
            batch_tokens: self.batch_tokens,
            cache_bytes: self.cache_bytes,
            ..GenerateOptions::default()
        };
        let prompts: Vec<anneal_model::Prompt<'_>> = prompts
            .iter()
            .map(|prompt| anneal_model::Prompt { ids: prompt.ids, seed: prompt.seed, stream: 0 })
            .collect();
        let generator = Generator::new(&self.decoder, &self.tokenizer, &prompts, &self.options);
        Ok(Box::new(Continuing(generator.map_err(failed)?)))
    }
}

/// Prompts that the decoder continues.
struct Continuing<'a>(Generator<'a>);

impl Answers for Continuing<'_> {
    fn step(&mut self) -> Result<Option<Vec<Answer>>> {
        match anneal_kernels::in_pool(|| self.0.step()) {
            Ok(ended) => Ok(ended.map(|ended| {
                let answers = ended.into_iter();
                answers.map(|(prompt, ended)| Answer { prompt, text: Some(ended.text) }).collect()
            })),
            Err(anneal_model::Error::NotANumber { prompt }) => Ok(Some(vec![Answer { prompt, text: None }])),
            Err(error) => Err(failed(error)),
        }
    }
}

/// A row whose beginning is in a cache.
struct Stem<'a> {
    row: usize,
    requests: &'a [TokenRequest],
    start: usize,
    end: usize,
    cache: KvCache,
    with_prefix: bool,
}

/// One id to be scored.
#[derive(Clone, Copy)]
struct Target {
    row: usize,
    request: usize,
    place: usize,
    id: u32,
}

/// Ids to be scored, by position of the pass; a position may have several.
#[derive(Default)]
struct Wanted(std::collections::BTreeMap<usize, Vec<Target>>);

impl Wanted {
    /// Rows of the pass after which something is scored, in order.
    fn rows(&self) -> Vec<usize> {
        self.0.keys().copied().collect()
    }

    /// The targets of a request whose positions lie in `range`; position `range.start` is at `offset` of the pass.
    fn add(
        &mut self,
        offset: usize,
        range: std::ops::Range<usize>,
        row: usize,
        request: usize,
        what: &TokenRequest,
    ) {
        let first = what.first_scored();
        for position in range.start.max(first)..range.end.min(what.input.len()) {
            let place = position - first;
            let target = Target { row, request, place, id: what.targets[place] };
            self.0.entry(offset + position - range.start).or_default().push(target);
        }
    }
}

/// Log-probability and greediness of every target.
struct Board(Vec<Vec<Vec<(f32, bool)>>>);

impl Board {
    fn new(rows: &[&[TokenRequest]]) -> Self {
        let empty = |request: &TokenRequest| vec![(f32::NAN, false); request.targets.len()];
        Self(rows.iter().map(|row| row.iter().map(empty).collect()).collect())
    }

    fn put(&mut self, target: Target, value: f32, greedy: bool) {
        self.0[target.row][target.request][target.place] = (value, greedy);
    }

    /// Sums in the order of the targets.
    fn scores(self) -> Vec<Vec<Score>> {
        let score = |targets: Vec<(f32, bool)>| Score {
            sum: targets.iter().map(|(value, _)| f64::from(*value)).sum(),
            greedy: targets.iter().all(|(_, greedy)| *greedy),
        };
        self.0.into_iter().map(|row| row.into_iter().map(score).collect()).collect()
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Model(error.to_string())
}
