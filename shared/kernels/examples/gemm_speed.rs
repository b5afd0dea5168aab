//! Measures the linear layers: GFLOP per second of processor time of one thread (so that a busy machine disturbs little),
//! or of wall time with more threads: `gemm_speed [THREADS]`.
#![allow(clippy::print_stdout, reason = "a measurement is for reading")]

use std::{fmt::Write as _, time::Instant};

use anneal_kernels::{Compute, FrozenLinear, Nf4Linear, in_pool, linear, set_threads};
use candle_core::{DType, Device, Result, Tensor, Var};

/// Seconds this thread has run (Linux), or wall time.
fn seconds(threads: usize, start: Instant) -> f64 {
    let stat = if threads == 1 { std::fs::read_to_string("/proc/thread-self/schedstat").ok() } else { None };
    match stat.and_then(|stat| stat.split(' ').next()?.parse::<u64>().ok()) {
        Some(nanoseconds) => nanoseconds as f64 / 1e9,
        None => start.elapsed().as_secs_f64(),
    }
}

fn best(threads: usize, mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    f();
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let from = seconds(threads, start);
        let mut runs = 0;
        let wall = Instant::now();
        while runs == 0 || wall.elapsed().as_secs_f64() < 0.08 {
            f();
            runs += 1;
        }
        best = best.min((seconds(threads, start) - from) / f64::from(runs));
    }
    best
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |n| n.parse())?;
    set_threads(threads)?;
    println!("{threads} threads; GFLOP/s, each forward and backward:");
    println!(
        "                          linear f32      | linear bf16     | frozen f32      | frozen bf16     | nf4 bf16"
    );
    for (t, i, o) in [
        (1, 576, 1536),
        (8, 576, 1536),
        (512, 576, 576),
        (512, 576, 1536),
        (1024, 576, 1536),
        (1024, 1536, 576),
        (512, 576, 49152),
    ] {
        println!("{t:5} x {i:5} x {o:5}: {}", in_pool(|| measure(threads, t, i, o))?);
    }
    Ok(())
}

fn measure(threads: usize, t: usize, i: usize, o: usize) -> Result<String> {
    let flops = 2.0 * (t * i * o) as f64 / 1e9;
    let x = Var::randn(0_f32, 1.0, (t, i), &Device::Cpu)?;
    let w = Var::randn(0_f32, 1.0, (o, i), &Device::Cpu)?;
    let mut line = String::new();
    let mut measure = |products: f64, forward: &dyn Fn() -> Tensor| {
        let ahead = best(threads, || drop(forward()));
        let y = forward();
        let backward = best(threads, || drop(y.sum_all().and_then(|y| y.backward()).expect("backward")));
        write!(line, " | {:7.1} {:7.1}", flops / ahead, products * flops / backward)
            .expect("a string takes what is written");
    };
    measure(2.0, &|| linear(&x, &w, Compute::F32).expect("linear"));
    measure(2.0, &|| linear(&x, &w, Compute::Bf16).expect("linear"));
    if o < 40000 {
        for compute in [Compute::F32, Compute::Bf16] {
            let frozen = FrozenLinear::new(&w.as_tensor().to_dtype(DType::F32)?, compute).expect("frozen");
            measure(1.0, &|| frozen.forward(&x).expect("frozen"));
        }
        let nf4 = Nf4Linear::quantize(&w, Compute::Bf16, false).expect("nf4");
        measure(1.0, &|| nf4.forward(&x).expect("nf4"));
    }
    Ok(line)
}
