//! The training pass on a device without kernels of our own: candle's graph, one a layer.
//!
//! Each layer's graph starts at its own input, so that a backward pass that only kept the inputs holds one layer's activations at a
//! time. Gradients are summed on the host, where the optimizer is; hidden states pass through it too.

use anneal_kernels::{
    Segments, linear_log_probs_composed,
    rows::{Asked, LogSoftmax, Scored, TokenLosses, TokenWeights},
};
use candle_core::{Tensor, Var};

use super::projection::Weight;
use super::{Decoder, DropoutState, Gradients, Keep, Pass};
use crate::error::{Error, Result};

/// Hidden states whose logits are held at once.
const LOGIT_ROWS: usize = 1024;

/// A forward pass as the backward pass needs it.
#[derive(Debug)]
pub(super) struct GraphTape {
    pass: Pass,
    embedded_td: Tensor,
    layers: Vec<Kept>,
    last_td: Var,
    hidden_td: Tensor,
}

#[derive(Debug)]
enum Kept {
    Input { x_td: Var, dropout: Option<DropoutState> },
    Graph { x_td: Var, y_td: Tensor },
}

impl GraphTape {
    /// Hidden states `[t, d]` after the final norm, row-major, and the tape of the pass.
    pub(super) fn record(
        decoder: &Decoder,
        tokens: &[u32],
        segments: &Segments,
        mut train: Option<&mut DropoutState>,
        keep: Keep,
    ) -> Result<(Vec<f32>, Self)> {
        let pass = decoder.pass(segments)?;
        let embedded_td = decoder.embed(tokens)?;
        let mut x_td = Var::from_tensor(&embedded_td.detach())?;
        let mut layers = Vec::with_capacity(decoder.layers().len());
        let keep = if keep == Keep::Activations && quantized(decoder) { Keep::LayerInputs } else { keep };
        for index in 0..decoder.layers().len() {
            let dropout = train.as_deref().cloned();
            let y_td = decoder.layer(index, x_td.as_tensor(), &pass, train.as_deref_mut())?;
            let next_td = Var::from_tensor(&y_td.detach())?;
            let x_td = std::mem::replace(&mut x_td, next_td);
            match keep {
                Keep::Nothing => {}
                Keep::LayerInputs => layers.push(Kept::Input { x_td, dropout }),
                Keep::Activations => layers.push(Kept::Graph { x_td, y_td }),
            }
        }
        let hidden_td = decoder.final_norm(x_td.as_tensor())?;
        let hidden = hidden_td.flatten_all()?.to_vec1()?;
        Ok((hidden, Self { pass, embedded_td, layers, last_td: x_td, hidden_td }))
    }

    /// Adds the gradients of every trained variable that `dhidden`, the gradient of the hidden states, leads to.
    pub(super) fn backward(
        self,
        decoder: &Decoder,
        dhidden: &[f32],
        gradients: &mut Gradients,
    ) -> Result<()> {
        let Self { pass, embedded_td, layers, last_td, hidden_td } = self;
        if layers.len() != decoder.layers().len() {
            return Err(Error::Argument("the forward pass kept nothing to go back with".to_owned()));
        }
        let dhidden_td = Tensor::from_slice(dhidden, hidden_td.shape(), decoder.device())?;
        let mut dx_td = back(&hidden_td, &dhidden_td, &last_td, gradients)?;
        drop(hidden_td);
        for (index, kept) in layers.into_iter().enumerate().rev() {
            let (x_td, y_td) = match kept {
                Kept::Graph { x_td, y_td } => (x_td, y_td),
                Kept::Input { x_td, mut dropout } => {
                    let y_td = decoder.layer(index, x_td.as_tensor(), &pass, dropout.as_mut())?;
                    (x_td, y_td)
                }
            };
            dx_td = back(&y_td, &dx_td, &x_td, gradients)?;
        }
        if decoder.model.embedding.var().is_some() {
            let store = (embedded_td * dx_td)?.sum_all()?.backward()?;
            gradients.add_store(&store)?;
        }
        Ok(())
    }

    /// Memory the kept inputs and outputs of the layers take, without what lies between them.
    pub(super) fn bytes(&self) -> usize {
        let inputs = self.layers.iter().map(|kept| match kept {
            Kept::Input { x_td, .. } | Kept::Graph { x_td, .. } => x_td.elem_count(),
        });
        (inputs.sum::<usize>() + self.last_td.elem_count() + self.hidden_td.elem_count()) * size_of::<f32>()
    }
}

/// A graph holds the weights of its products, which for a quantised layer are widened copies: no more than one layer's at a time.
fn quantized(decoder: &Decoder) -> bool {
    let mut projections = decoder.layers().iter().flat_map(|layer| &layer.linears);
    projections.any(|projection| matches!(projection.weight, Weight::Nf4(_)))
}

/// From the gradient of `y` to that of `x`; those of trained variables on the way are added to `gradients`.
fn back(y: &Tensor, dy: &Tensor, x: &Var, gradients: &mut Gradients) -> Result<Tensor> {
    let store = (y * dy)?.sum_all()?.backward()?;
    gradients.add_store(&store)?;
    match store.get(x.as_tensor()) {
        Some(dx) => Ok(dx.clone()),
        None => Ok(x.zeros_like()?),
    }
}

/// `log p` of every target after hidden states `[t, d]`, and, for a loss whose slope by each `-log p` is its weight, their gradient;
/// the output matrix's goes to `gradients` when it is trained.
pub(super) fn losses(
    decoder: &Decoder,
    hidden: &[f32],
    targets: &[u32],
    mut wanted: Option<(TokenWeights, &mut Gradients)>,
) -> Result<(TokenLosses, Vec<f32>)> {
    let d = decoder.config().hidden_size;
    let (w_vd, _) = decoder.output_weight()?;
    let mut losses = TokenLosses { log_probs: Vec::with_capacity(targets.len()), correct: 0 };
    let mut dhidden = Vec::new();
    for (chunk, from) in targets.chunks(LOGIT_ROWS).zip((0..).step_by(LOGIT_ROWS)) {
        let rows = &hidden[from * d..(from + chunk.len()) * d];
        let h_td = Var::from_slice(rows, (chunk.len(), d), decoder.device())?;
        let (log_probs_t, correct) =
            linear_log_probs_composed(h_td.as_tensor(), &w_vd, chunk, decoder.compute())?;
        losses.log_probs.extend(log_probs_t.to_vec1::<f32>()?);
        losses.correct += correct;
        if let Some((weights, gradients)) = &mut wanted {
            let slopes: Vec<f32> = match weights {
                TokenWeights::Every(weight) => vec![-*weight; chunk.len()],
                TokenWeights::Each(each) => {
                    each[from..from + chunk.len()].iter().map(|weight| -weight).collect()
                }
            };
            let slopes_t = Tensor::from_vec(slopes, chunk.len(), decoder.device())?;
            let dh_td = back(&log_probs_t, &slopes_t, &h_td, gradients)?;
            dhidden.extend(dh_td.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    Ok((losses, dhidden))
}

/// Some rows of hidden states `[t, d]`.
pub(super) fn gathered(hidden_td: &Tensor, rows: &[usize]) -> Result<Tensor> {
    if rows.is_empty() {
        // A device does not run a kernel over nothing.
        return Ok(hidden_td.narrow(0, 0, 0)?);
    }
    let rows_n: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
    Ok(hidden_td.index_select(&Tensor::from_vec(rows_n, rows.len(), hidden_td.device())?, 0)?)
}

/// Log-probabilities of ids after rows of hidden states `[n, d]`, some rows at a time.
pub(super) fn score(decoder: &Decoder, hidden_nd: &Tensor, asked: &[Asked]) -> Result<Vec<Scored>> {
    let mut scored = Vec::with_capacity(asked.len());
    let count = hidden_nd.dim(0)?;
    for first in (0..count).step_by(LOGIT_ROWS) {
        let rows = first..(first + LOGIT_ROWS).min(count);
        let logits_nv = decoder.logits(&hidden_nd.narrow(0, first, rows.len())?)?.to_vec2::<f32>()?;
        let softmaxes: Vec<LogSoftmax> = logits_nv.iter().map(|logits| LogSoftmax::of(logits)).collect();
        let of_rows = asked.iter().filter(|asked| rows.contains(&asked.row));
        scored.extend(of_rows.map(|asked| {
            let (row, id) = (asked.row - first, asked.id as usize);
            let logit = logits_nv[row].get(id).copied().unwrap_or(f32::NAN);
            Scored { log_prob: softmaxes[row].log_prob(logit), is_best: softmaxes[row].is_best(id) }
        }));
    }
    Ok(scored)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use anneal_kernels::{Compute, IGNORE};

    use super::*;
    use crate::{LoadOptions, LoraConfig, WeightMode, formula::TinyModel};

    const LENGTHS: [usize; 3] = [9, 4, 17];

    fn tiny(weights: WeightMode) -> Decoder {
        let lora =
            (weights != WeightMode::Trainable).then(|| LoraConfig { dropout: 0.2, ..LoraConfig::default() });
        let options = LoadOptions { compute: Compute::F32, weights, lora, ..LoadOptions::default() };
        let decoder =
            Decoder::initialise(&TinyModel { layers: 3, ..TinyModel::default() }.config(), &options).unwrap();
        for (_, var) in decoder.trainable().iter().filter(|(name, _)| name.contains("lora_B")) {
            let values: Vec<f32> =
                (0..var.elem_count()).map(|i| ((i * 7 % 11) as f32 - 5.0) * 0.01).collect();
            var.set(&Tensor::from_vec(values, var.dims(), var.device()).unwrap()).unwrap();
        }
        decoder
    }

    /// The two ways through the same decoder, both on the CPU: the one of other devices gives what the kernels give.
    #[test]
    fn the_graph_gives_the_kernels_losses_and_gradients() {
        let count = LENGTHS.iter().sum::<usize>() as u32;
        let ids: Vec<u32> = (0..count).map(|n| 3 + n * 37 % 300).collect();
        let targets: Vec<u32> = (0..count).map(|n| if n % 4 == 0 { IGNORE } else { n * 13 % 320 }).collect();
        let each: Vec<f32> = (0..count).map(|n| 0.5 - n as f32 * 0.1).collect();
        let segments = Segments::new(&LENGTHS).unwrap();
        for weights in [WeightMode::Trainable, WeightMode::Frozen, WeightMode::Nf4 { double_quant: false }] {
            let decoder = tiny(weights);
            let trainable = decoder.trainable();
            let slopes = TokenWeights::Each(&each);
            let mut expected = Gradients::zeros(&trainable);
            let mut dropout = DropoutState::new(5);
            let (hidden, tape) =
                decoder.record(&ids, &segments, Some(&mut dropout), Keep::Activations).unwrap();
            let (kernels, dhidden) =
                decoder.loss_gradients(&hidden, &targets, slopes, &mut expected).unwrap();
            tape.backward(&decoder, &dhidden, &mut expected).unwrap();
            for keep in [Keep::LayerInputs, Keep::Activations] {
                let mut gradients = Gradients::zeros(&trainable);
                let mut dropout = DropoutState::new(5);
                let (hidden, tape) =
                    GraphTape::record(&decoder, &ids, &segments, Some(&mut dropout), keep).unwrap();
                let (graph, dhidden) =
                    losses(&decoder, &hidden, &targets, Some((slopes, &mut gradients))).unwrap();
                tape.backward(&decoder, &dhidden, &mut gradients).unwrap();
                assert_eq!(graph.correct, kernels.correct);
                for (a, b) in graph.log_probs.iter().zip(&kernels.log_probs) {
                    assert!((a - b).abs() < 1e-4, "{weights:?}: {a} {b}");
                }
                for ((name, _), (a, b)) in trainable.iter().zip(gradients.sums().iter().zip(expected.sums()))
                {
                    let size = b.iter().fold(0_f32, |most, value| most.max(value.abs()));
                    assert!(size > 0.0, "{name} has no gradient");
                    for (a, b) in a.iter().zip(b) {
                        assert!((a - b).abs() <= 2e-4 * size, "{weights:?} {keep:?} {name}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_graph_gives_the_kernels_scores() {
        let ids: Vec<u32> = (0..17).map(|n| 3 + n * 37 % 300).collect();
        let decoder = tiny(WeightMode::Frozen);
        let hidden_td = decoder.hidden(&ids, &Segments::new(&[17]).unwrap(), None).unwrap();
        let vocabulary = decoder.config().vocab_size as u32;
        let asked: Vec<Asked> =
            [(0, 5), (0, 300), (3, vocabulary), (16, 1)].map(|(row, id)| Asked { row, id }).to_vec();
        let kernels = decoder.score(&hidden_td, &asked).unwrap();
        let graph = score(&decoder, &hidden_td, &asked).unwrap();
        assert_eq!(kernels.len(), graph.len());
        for (kernels, graph) in kernels.iter().zip(graph) {
            let alike = (kernels.log_prob - graph.log_prob).abs() < 1e-5;
            assert!(alike || (kernels.log_prob.is_nan() && graph.log_prob.is_nan()), "{kernels:?} {graph:?}");
            assert_eq!(kernels.is_best, graph.is_best);
        }
        assert!(kernels[2].log_prob.is_nan() && !kernels[0].log_prob.is_nan());
    }
}
