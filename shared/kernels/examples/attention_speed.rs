//! Measures attention, forward and backward, at SmolLM2's shapes: milliseconds of wall time. `attention_speed [THREADS]`.
#![allow(clippy::print_stdout, reason = "a measurement is for reading")]

use std::time::Instant;

use anneal_kernels::{Compute, Segments, attention_as, set_threads};
use candle_core::{Device, Var};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(2), |n| n.parse())?;
    set_threads(threads)?;
    for (count, length) in [(4, 128), (2, 512), (1, 1024), (1, 2048)] {
        let segments = Segments::new(&vec![length; count])?;
        let t = segments.total();
        let q = Var::randn(0_f32, 1.0, (t, 9, 64), &Device::Cpu)?;
        let k = Var::randn(0_f32, 1.0, (t, 3, 64), &Device::Cpu)?;
        let mut best = [f64::INFINITY; 2];
        for _ in 0..5 {
            let start = Instant::now();
            let y = attention_as(&q, &k, &k, &segments, 0.125, Compute::Bf16)?;
            best[0] = best[0].min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            y.sum_all()?.backward()?;
            best[1] = best[1].min(start.elapsed().as_secs_f64());
        }
        println!("{count} x {length}: forward {:.2} ms, backward {:.2} ms", best[0] * 1e3, best[1] * 1e3);
    }
    Ok(())
}
