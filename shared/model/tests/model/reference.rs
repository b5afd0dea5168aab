//! The first batch of published training curves: the model's numbers before any update.

use anneal_kernels::{IGNORE, linear_log_probs};
use anneal_model::{Compute, Decoder, LoadOptions, Segments, Source, WeightMode};
use serde_json::Value;

use crate::outside;

fn row_nll(decoder: &Decoder, ids: &[u32], mask: &[u64]) -> f64 {
    let hidden = decoder.hidden(ids, &Segments::new(&[ids.len()]).unwrap(), None).unwrap();
    let targets: Vec<u32> = (0..ids.len())
        .map(|j| if j + 1 < ids.len() && mask[j + 1] == 1 { ids[j + 1] } else { IGNORE })
        .collect();
    let (weight, trained) = decoder.output_weight().unwrap();
    let log_probs = linear_log_probs(&hidden, &weight, trained, &targets, decoder.compute()).unwrap();
    -log_probs.to_vec1::<f32>().unwrap().into_iter().map(f64::from).sum::<f64>()
}

#[test]
fn smollm2_before_training() {
    let name = "smollm2_before_training";
    let Some(model) = outside::part("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", name) else { return };
    let source = Source::open(model).unwrap();
    for (file, compute, weights) in [
        ("sft-lora.json", Compute::F32, WeightMode::Frozen),
        ("sft-qlora.json", Compute::F32, WeightMode::Nf4 { double_quant: false }),
        ("sft-lora-bf16.json", Compute::Bf16, WeightMode::Frozen),
    ] {
        let Some(path) = outside::data(&format!("../peers/train/reference/{file}"), name) else { continue };
        let reference: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let batch = &reference["first_batch"];
        let decoder =
            Decoder::load(&source, &LoadOptions { compute, weights, ..LoadOptions::default() }).unwrap();
        for row in 0..2 {
            let list = |key: &str| -> Vec<u64> { serde_json::from_value(batch[key][row].clone()).unwrap() };
            let ids: Vec<u32> = list("input_ids").into_iter().map(|id| id as u32).collect();
            let mask = list("loss_mask");
            let got = row_nll(&decoder, &ids, &mask);
            let want = batch["row_nll"][row].as_f64().unwrap();
            eprintln!("{file} row {row}: {got} {want}");
            // bf16 moves the loss of each token by a few hundredths either way, in the reference as here: logits of 16 to 32 are
            // rounded to steps of 0.125. Three standard deviations of the difference of two such sums.
            // In fp32 the reference's cross-entropy sums a vocabulary of exponentials in f32: 1.5e-5 a token too low.
            let tokens = mask.iter().sum::<u64>() as f64;
            let tolerance = match compute {
                Compute::F32 => 1e-5 * want + 2e-5 * tokens,
                _ => 3.0 * (2.0_f64.sqrt() * 0.04) * tokens.sqrt(),
            };
            assert!((got - want).abs() < tolerance, "{file} row {row}: {got}, not {want}");
        }
    }
}
