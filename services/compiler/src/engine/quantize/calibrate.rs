//! Running calibration text through the float32 graph, keeping what the choices need of every linear's input.

use std::path::Path;

use anneal_model::ModelConfig;
use anneal_onnx::{Options, Session};

use super::Group;
use crate::engine::{error::Result, graph::Tap};

/// Rows of activations kept for measuring errors, a group.
const KEPT_ROWS: usize = 96;

/// What is known of one group's input.
pub(crate) struct Samples {
    pub(crate) layer: usize,
    pub(crate) group: Group,
    /// Greatest magnitude of each channel over all calibration tokens.
    pub(crate) peaks: Vec<f32>,
    /// Some rows, spread over all sequences.
    pub(crate) rows: Vec<f32>,
}

/// A float32 graph with taps.
pub(crate) struct Calibrator {
    session: Session,
    names: Vec<String>,
    samples: Vec<Samples>,
    per_sequence: usize,
    seen: usize,
}

impl Calibrator {
    /// Opens the tapped graph in `folder`, for about `sequences` sequences.
    pub(crate) fn open(
        folder: &Path,
        config: &ModelConfig,
        sequences: usize,
        threads: usize,
    ) -> Result<Self> {
        let session = Session::open(folder, &Options { threads, ..Options::default() })?;
        let taps: Vec<Tap> =
            (0..config.layers).flat_map(|layer| Group::ALL.map(|group| Tap { layer, group })).collect();
        let names = taps.iter().map(|tap| tap.name()).collect();
        let samples = taps
            .iter()
            .map(|tap| Samples { layer: tap.layer, group: tap.group, peaks: vec![], rows: vec![] })
            .collect();
        Ok(Self { session, names, samples, per_sequence: KEPT_ROWS.div_ceil(sequences.max(1)), seen: 0 })
    }

    /// Runs one sequence.
    pub(crate) fn feed(&mut self, tokens: &[u32]) -> Result<()> {
        let count = tokens.len();
        let (seen, wanted) = (self.seen, self.per_sequence);
        let samples = &mut self.samples;
        self.session.tapped(tokens, &self.names, |index, values| {
            let sample = &mut samples[index];
            let width = values.len() / count;
            sample.peaks.resize(width, 0.0);
            for row in values.chunks_exact(width) {
                sample.peaks.iter_mut().zip(row).for_each(|(peak, value)| *peak = peak.max(value.abs()));
            }
            for pick in 0..wanted.min(count) {
                if sample.rows.len() < KEPT_ROWS * width {
                    // Different places in different sequences; the golden ratio spreads them evenly.
                    let place =
                        (((seen * wanted + pick) as f64 * 0.618_033_988_75).fract() * count as f64) as usize;
                    sample.rows.extend_from_slice(&values[place * width..(place + 1) * width]);
                }
            }
        })?;
        self.seen += 1;
        Ok(())
    }

    /// What was gathered, by layer and group.
    pub(crate) fn finish(self) -> Vec<Samples> {
        self.samples
    }
}
