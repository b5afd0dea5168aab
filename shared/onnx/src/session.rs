//! One loaded model and its runs.

use std::{borrow::Cow, path::Path};

use ort::{
    session::{OutputSelector, RunOptions, SessionInputValue, builder::GraphOptimizationLevel},
    value::{DynValue, Tensor},
};

use crate::{Error, Geometry, Logits, Result, State, geometry::cache_names, inspect, library};

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads of one run.
    pub threads: usize,
    /// Whether idle threads wait actively between operators: faster alone, slower on a shared machine.
    pub spinning: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            spinning: true,
        }
    }
}

/// A compiled decoder in ONNX Runtime. Runs take `&mut self`: one at a time.
pub struct Session {
    runtime: ort::session::Session,
    geometry: Geometry,
    caches: Vec<(String, String)>,
}

impl Session {
    /// Loads `folder/model.onnx` after [`inspect`] has accepted it.
    ///
    /// # Errors
    /// What [`inspect`] refuses, [`Error::NotInitialised`], [`Error::Layout`], and ONNX Runtime's own refusals.
    pub fn open(folder: &Path, options: &Options) -> Result<Self> {
        let model = folder.join("model.onnx");
        inspect(&model)?;
        let session = ort::session::Session::builder(library::environment()?)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(options.threads.max(1))?
            .with_intra_op_spinning(options.spinning)?
            .with_memory_pattern(false)?
            .commit_from_file(&model)?;
        let geometry = Geometry::read(folder, session.inputs(), session.outputs())?;
        let caches = (0..geometry.layers)
            .flat_map(|layer| ["key", "value"].map(|part| cache_names(layer, part)))
            .collect();
        Ok(Self { runtime: session, geometry, caches })
    }

    /// The decoder's shape.
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Names of the outputs that are neither logits nor caches, such as a calibration graph has.
    pub fn extra_outputs(&self) -> Vec<String> {
        let names = self.runtime.outputs().iter().map(ort::value::Outlet::name);
        names.filter(|name| *name != "logits" && !name.starts_with("present.")).map(str::to_owned).collect()
    }

    /// Runs the prompts from their first token, together: logits of every token, and the caches to go on from.
    pub fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(State, Logits)> {
        let mut state = State::empty(self.runtime.allocator(), &self.geometry, prompts.len())?;
        let logits = self.extend(&mut state, prompts)?;
        Ok((state, logits))
    }

    /// Feeds every sequence its next token.
    pub fn step(&mut self, state: &mut State, tokens: &[u32]) -> Result<Logits> {
        let rows: Vec<&[u32]> = tokens.chunks(1).collect();
        self.extend(state, &rows)
    }

    /// Feeds every sequence its next tokens; with caches from before, either one sequence or one token each
    /// (the fused attention operator's limit).
    pub fn extend(&mut self, state: &mut State, tokens: &[&[u32]]) -> Result<Logits> {
        let feed = Feed::new(state, tokens, self.geometry.vocabulary)?;
        if state.width > 0 && feed.width > 1 && tokens.len() > 1 {
            return Err(Error::Input("several sequences with caches go on by one token at a time".into()));
        }
        let lengths = tokens.iter().map(|row| row.len()).collect();
        let inputs = inputs(&self.geometry, &self.caches, &feed, state)?;
        let mut outputs = self.runtime.run(inputs)?;
        let logits = outputs.remove("logits").ok_or_else(|| Error::Runtime("no logits".into()))?;
        let presents = self.caches.iter().map(|(_, present)| outputs.remove(present));
        let caches: Option<Vec<DynValue>> = presents.collect();
        state.caches = caches.ok_or_else(|| Error::Runtime("a cache is missing".into()))?;
        state.width += feed.width;
        state.mask = feed.mask;
        for (length, row) in state.lengths.iter_mut().zip(tokens) {
            *length += row.len();
        }
        Logits::new(logits, lengths, self.geometry.vocabulary)
    }

    /// Logits of one sequence's next tokens; `state` stays where it is, so that others can go on from there.
    pub fn branch(&mut self, state: &State, tokens: &[u32]) -> Result<Logits> {
        let found = self.outputs(state, &[tokens], &["logits".to_owned()])?;
        one_logits(found, vec![tokens.len()], self.geometry.vocabulary)
    }

    /// Logits of whole sequences, without keeping caches.
    pub fn logits(&mut self, sequences: &[&[u32]]) -> Result<Logits> {
        let lengths = sequences.iter().map(|row| row.len()).collect();
        let state = State::empty(self.runtime.allocator(), &self.geometry, sequences.len())?;
        let found = self.outputs(&state, sequences, &["logits".to_owned()])?;
        one_logits(found, lengths, self.geometry.vocabulary)
    }

    /// Hands the named extra outputs for one sequence to `visit`, by index, each row by row.
    pub fn tapped(
        &mut self,
        sequence: &[u32],
        names: &[String],
        mut visit: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let state = State::empty(self.runtime.allocator(), &self.geometry, 1)?;
        for (index, value) in self.outputs(&state, &[sequence], names)?.iter().enumerate() {
            visit(index, value.try_extract_tensor::<f32>()?.1);
        }
        Ok(())
    }

    fn outputs(&mut self, state: &State, sequences: &[&[u32]], names: &[String]) -> Result<Vec<DynValue>> {
        let feed = Feed::new(state, sequences, self.geometry.vocabulary)?;
        let inputs = inputs(&self.geometry, &self.caches, &feed, state)?;
        let selector = names.iter().fold(OutputSelector::no_default(), OutputSelector::with);
        let options = RunOptions::new()?.with_outputs(selector);
        let mut outputs = self.runtime.run_with_options(inputs, &options)?;
        let found: Option<Vec<DynValue>> = names.iter().map(|name| outputs.remove(name)).collect();
        found.ok_or_else(|| Error::Runtime("an output that was asked for is missing".into()))
    }
}

/// Everything that one run is fed.
fn inputs<'v>(
    geometry: &Geometry,
    names: &'v [(String, String)],
    feed: &Feed,
    state: &'v State,
) -> Result<Vec<(Cow<'v, str>, SessionInputValue<'v>)>> {
    let mut inputs = feed.inputs(geometry.position_ids)?;
    for ((past, _), cache) in names.iter().zip(&state.caches) {
        inputs.push((Cow::Borrowed(past.as_str()), cache.into()));
    }
    Ok(inputs)
}

fn one_logits(mut found: Vec<DynValue>, lengths: Vec<usize>, vocabulary: usize) -> Result<Logits> {
    let logits = found.pop().ok_or_else(|| Error::Runtime("no logits".into()))?;
    Logits::new(logits, lengths, vocabulary)
}

/// The integer inputs of one run, left-padded.
struct Feed {
    ids: Vec<i64>,
    mask: Vec<i64>,
    positions: Vec<i64>,
    rows: usize,
    width: usize,
    total: usize,
}

impl Feed {
    fn new(state: &State, tokens: &[&[u32]], vocabulary: usize) -> Result<Self> {
        let width = tokens.iter().map(|row| row.len()).max().unwrap_or(0);
        if tokens.len() != state.sequences() || tokens.iter().any(|row| row.is_empty()) {
            return Err(Error::Input(format!(
                "{} sequences need at least one token each",
                state.sequences()
            )));
        }
        if let Some(token) =
            tokens.iter().flat_map(|row| row.iter()).find(|&&token| token as usize >= vocabulary)
        {
            return Err(Error::Input(format!("token {token} is not in the vocabulary of {vocabulary}")));
        }
        let total = state.width + width;
        let mut feed =
            Self { ids: vec![], mask: vec![], positions: vec![], rows: tokens.len(), width, total };
        for (row, tokens) in tokens.iter().enumerate() {
            let padding = width - tokens.len();
            feed.ids.extend(std::iter::repeat_n(0, padding));
            feed.ids.extend(tokens.iter().map(|&token| i64::from(token)));
            feed.mask.extend(&state.mask[row * state.width..(row + 1) * state.width]);
            feed.mask.extend((0..width).map(|column| i64::from(column >= padding)));
            let start = state.lengths[row];
            feed.positions.extend((0..width).map(|column| (start + column.saturating_sub(padding)) as i64));
        }
        Ok(feed)
    }

    fn inputs<'v>(&self, position_ids: bool) -> Result<Vec<(Cow<'v, str>, SessionInputValue<'v>)>> {
        let tensor = |columns: usize, data: &[i64]| -> Result<SessionInputValue<'v>> {
            Ok(Tensor::from_array(([self.rows, columns], data.to_vec()))?.into())
        };
        let mut inputs = vec![
            (Cow::Borrowed("input_ids"), tensor(self.width, &self.ids)?),
            (Cow::Borrowed("attention_mask"), tensor(self.total, &self.mask)?),
        ];
        if position_ids {
            inputs.push((Cow::Borrowed("position_ids"), tensor(self.width, &self.positions)?));
        }
        Ok(inputs)
    }
}
