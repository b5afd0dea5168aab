//! Measures the linear layers: GFLOP/s of the forward product and of both gradients.
#![allow(clippy::print_stdout, reason = "a measurement is for reading")]

use std::time::Instant;

use anneal_kernels::{Compute, FrozenLinear, Nf4Linear, in_pool, linear, set_threads};
use candle_core::{Device, Result, Tensor, Var};

fn best(repeats: usize, mut f: impl FnMut()) -> f64 {
    (0..repeats).fold(f64::INFINITY, |best, _| {
        let start = Instant::now();
        f();
        best.min(start.elapsed().as_secs_f64())
    })
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(2), |n| n.parse())?;
    set_threads(threads)?;
    println!(
        "{threads} threads; GFLOP/s: linear f32 forward, forward + both gradients; frozen bf16 forward, forward + dx; nf4 the same"
    );
    for (t, i, o) in [
        (1, 576, 1536),
        (8, 576, 1536),
        (512, 576, 576),
        (512, 576, 1536),
        (512, 1536, 576),
        (512, 576, 49152),
        (1024, 576, 576),
        (1024, 576, 1536),
        (1024, 1536, 576),
        (2048, 576, 1536),
        (2048, 1536, 576),
    ] {
        println!("{t:5} x {i:5} x {o:5}: {}", in_pool(|| measure(t, i, o))?);
    }
    Ok(())
}

fn measure(t: usize, i: usize, o: usize) -> Result<String> {
    let flops = 2.0 * (t * i * o) as f64 / 1e9;
    let repeats = if t < 10 {
        200
    } else if o > 40000 {
        2
    } else {
        7
    };
    let x = Var::randn(0_f32, 1.0, (t, i), &Device::Cpu)?;
    let w = Var::randn(0_f32, 1.0, (o, i), &Device::Cpu)?;
    let ones = Tensor::ones((t, o), candle_core::DType::F32, &Device::Cpu)?;
    let mut line = String::new();
    let mut measure = |products: f64, forward: &dyn Fn() -> Tensor| {
        let seconds = best(repeats, || drop(forward()));
        let y = forward();
        let backward = best(repeats, || {
            drop((&y * &ones).and_then(|y| y.sum_all()).and_then(|y| y.backward()).expect("backward"))
        });
        line +=
            &format!(" | {:6.1} {:6.1}", flops / seconds, (products + 1.0) * flops / (seconds + backward));
    };
    measure(2.0, &|| linear(&x, &w, Compute::F32).expect("linear"));
    measure(2.0, &|| linear(&x, &w, Compute::Bf16).expect("linear"));
    let frozen = FrozenLinear::new(&w, Compute::F32).expect("frozen");
    measure(1.0, &|| frozen.forward(&x).expect("frozen"));
    let frozen = FrozenLinear::new(&w, Compute::Bf16).expect("frozen");
    measure(1.0, &|| frozen.forward(&x).expect("frozen"));
    let nf4 = Nf4Linear::quantize(&w, Compute::Bf16, false).expect("nf4");
    measure(1.0, &|| nf4.forward(&x).expect("nf4"));
    Ok(line)
}
