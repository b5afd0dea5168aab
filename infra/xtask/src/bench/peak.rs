//! What a machine's products reach at best, and what a model's training asks of them.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::pairs::timed_lines;

/// The best of ten products of `[2048, 2048]` matrices in bf16.
const PROGRAM: &str = "
import sys, time, torch
torch.set_num_threads(int(sys.argv[1]))
a, b = torch.randn(2048, 2048).bfloat16(), torch.randn(2048, 2048).bfloat16()
torch.nn.functional.linear(a, b)
best = 9e9
for _ in range(10):
    start = time.perf_counter()
    torch.nn.functional.linear(a, b)
    best = min(best, time.perf_counter() - start)
print(2 * 2048 ** 3 / best)
";

/// FLOP/s of PyTorch's bf16 products on so many threads.
pub(super) fn matrix_peak(python: &Path, threads: usize) -> Result<f64> {
    let lines = timed_lines(Command::new(python).args(["-c", PROGRAM, threads.to_string().as_str()]))?;
    lines.last().and_then(|(_, value)| value.as_f64()).context("PyTorch printed no peak")
}

/// Operations that a token of a sequence of `length` takes forward and backward: 6 for every weight of a product, and the products of
/// causal attention (Chowdhery et al. 2022, appendix B, halved for causality); nothing that is computed again counts. `config` is a
/// Hugging Face folder's.
pub(super) fn training_flops(config: &Value, length: usize) -> Result<f64> {
    let number = |key: &str| config[key].as_f64().with_context(|| format!("config.json has no number {key}"));
    let (hidden, heads, layers) =
        (number("hidden_size")?, number("num_attention_heads")?, number("num_hidden_layers")?);
    let head = config["head_dim"].as_f64().unwrap_or(hidden / heads);
    let kv_heads = config["num_key_value_heads"].as_f64().unwrap_or(heads);
    let attention = hidden * head * (2.0 * heads + 2.0 * kv_heads);
    let layer = attention + 3.0 * hidden * number("intermediate_size")?;
    let weights = layers * layer + number("vocab_size")? * hidden;
    Ok(6.0 * weights + 6.0 * layers * heads * head * length as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn weights_and_causal_attention_count() {
        let config = json!({
            "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3,
            "intermediate_size": 16, "vocab_size": 10,
        });
        // A layer: q and o 8 by 8, k and v 8 by 4, three of 8 by 16; then 10 by 8 once.
        let weights = 3 * (2 * 64 + 2 * 32 + 3 * 128) + 80;
        // Scores and their product with the values: 2 of 2 operations for 8 channels and half of 100 keys, three times for backward.
        let attention = 3 * 2 * 2 * 8 * 50 * 3;
        let got = training_flops(&config, 100).unwrap_or(f64::NAN);
        assert!((got - f64::from(6 * weights + attention)).abs() < 0.5, "{got}");
        assert!(training_flops(&json!({}), 100).is_err());
    }
}
