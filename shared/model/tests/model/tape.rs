//! The own backward pass beside candle's graph of the same operations.

use anneal_kernels::{IGNORE, linear_cross_entropy, rows::TokenWeights};
use anneal_model::{
    Architecture, Compute, Decoder, DropoutState, Gradients, Keep, LoadOptions, LoraConfig, Segments,
    WeightMode, formula::TinyModel,
};

const LENGTHS: [usize; 3] = [9, 4, 17];

fn tiny(architecture: Architecture, weights: WeightMode, compute: Compute) -> Decoder {
    let lora =
        (weights != WeightMode::Trainable).then(|| LoraConfig { dropout: 0.2, ..LoraConfig::default() });
    let model = TinyModel { architecture, layers: 3, ..TinyModel::default() };
    let options = LoadOptions { compute, weights, lora, ..LoadOptions::default() };
    let decoder = Decoder::initialise(&model.config(), &options).unwrap();
    for (name, var) in decoder.trainable() {
        if name.contains("lora_B") {
            let n = var.elem_count();
            let values: Vec<f32> = (0..n).map(|i| ((i * 7 % 11) as f32 - 5.0) * 0.01).collect();
            var.set(&candle_core::Tensor::from_vec(values, var.dims(), var.device()).unwrap()).unwrap();
        }
    }
    decoder
}

/// The loss, and each variable's gradient, by candle's graph.
fn by_graph(decoder: &Decoder, ids: &[u32], targets: &[u32]) -> (f64, Vec<Vec<f32>>) {
    let segments = Segments::new(&LENGTHS).unwrap();
    let hidden = decoder.hidden(ids, &segments, Some(&mut DropoutState::new(5))).unwrap();
    let (weight, trained) = decoder.output_weight().unwrap();
    let loss = linear_cross_entropy(&hidden, &weight, trained, targets, decoder.compute()).unwrap();
    let store = loss.loss_sum.backward().unwrap();
    let trainable = decoder.trainable();
    let gradients = trainable.iter().map(|(_, var)| {
        store.get(var.as_tensor()).map_or_else(
            || vec![0.0; var.elem_count()],
            |gradient| gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
        )
    });
    (f64::from(loss.loss_sum.to_scalar::<f32>().unwrap()), gradients.collect())
}

fn by_tape(decoder: &Decoder, ids: &[u32], targets: &[u32], keep: Keep) -> (f64, Gradients) {
    let segments = Segments::new(&LENGTHS).unwrap();
    let mut gradients = Gradients::zeros(&decoder.trainable());
    let (hidden, tape) = decoder.record(ids, &segments, Some(&mut DropoutState::new(5)), keep).unwrap();
    let weights = TokenWeights::Every(1.0);
    let (losses, dhidden) = decoder.loss_gradients(&hidden, targets, weights, &mut gradients).unwrap();
    tape.backward(decoder, &dhidden, &mut gradients).unwrap();
    (-losses.log_probs.iter().map(|&p| f64::from(p)).sum::<f64>(), gradients)
}

#[test]
fn the_tape_gives_the_graphs_gradients() {
    let count = LENGTHS.iter().sum::<usize>() as u32;
    let ids: Vec<u32> = (0..count).map(|n| 3 + n * 37 % 300).collect();
    let targets: Vec<u32> = (0..count).map(|n| if n % 4 == 0 { IGNORE } else { n * 13 % 320 }).collect();
    let modes = [WeightMode::Trainable, WeightMode::Frozen, WeightMode::Nf4 { double_quant: false }];
    for architecture in [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3, Architecture::SmolLm3]
    {
        for (weights, compute) in
            modes.into_iter().flat_map(|mode| [Compute::F32, Compute::Bf16, Compute::F16].map(|c| (mode, c)))
        {
            let decoder = tiny(architecture, weights, compute);
            let (want_loss, want) = by_graph(&decoder, &ids, &targets);
            let (loss, mut gradients) = by_tape(&decoder, &ids, &targets, Keep::Activations);
            let what = format!("{architecture:?} {weights:?} {compute:?}");
            assert!((loss - want_loss).abs() < 1e-4 * want_loss.abs(), "{what}: {loss} {want_loss}");
            let tolerance = if compute == Compute::F32 { 1e-4 } else { 2e-2 };
            for (((name, _), got), want) in decoder.trainable().iter().zip(gradients.sums()).zip(&want) {
                let norm = want.iter().map(|x| x * x).sum::<f32>().sqrt();
                let error = got.iter().zip(want).map(|(g, w)| (g - w) * (g - w)).sum::<f32>().sqrt();
                assert!(error <= tolerance * norm + 1e-6, "{what} {name}: {error} of {norm}");
            }
            let (_, mut again) = by_tape(&decoder, &ids, &targets, Keep::LayerInputs);
            assert_eq!(gradients.sums(), again.sums(), "{what}: layers run again");
        }
    }
}

#[test]
fn hidden_states_are_those_of_the_decoder() {
    // The second batch goes through the layers in blocks of rows, the last of them shorter, none of them ending with a sequence: how
    // many blocks there are depends on the threads.
    anneal_kernels::set_threads(2).unwrap();
    for lengths in [&LENGTHS[..], &[301, 250, 32]] {
        let ids: Vec<u32> = (0..lengths.iter().sum::<usize>() as u32).map(|n| 3 + n * 37 % 300).collect();
        let segments = Segments::new(lengths).unwrap();
        for architecture in [Architecture::Llama, Architecture::Qwen3] {
            for compute in [Compute::F32, Compute::Bf16] {
                let decoder = tiny(architecture, WeightMode::Frozen, compute);
                let want: Vec<f32> =
                    decoder.hidden(&ids, &segments, None).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                for keep in [Keep::Nothing, Keep::LayerInputs, Keep::Activations] {
                    let (hidden, _) = decoder.record(&ids, &segments, None, keep).unwrap();
                    assert_eq!(hidden, want, "{architecture:?} {compute:?} {keep:?}");
                }
            }
        }
    }
}
