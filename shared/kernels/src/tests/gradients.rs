//! Gradients beside central differences of the composition in f64.

use candle_core::DType;

use super::*;
use crate::*;

/// Compares the kernel's gradients with central differences of `reference`, which is given the inputs in f64.
fn check(what: &str, inputs: &[Var], ours: impl Fn() -> Tensor, reference: impl Fn(&[Tensor]) -> Tensor) {
    let y = ours();
    let outer = random(y.dims(), 77);
    let grads = (&y * &outer).unwrap().sum_all().unwrap().backward().unwrap();
    let outer = outer.to_dtype(DType::F64).unwrap();
    let exact: Vec<Tensor> =
        inputs.iter().map(|x| x.as_tensor().to_dtype(DType::F64).unwrap().detach()).collect();
    let loss = |inputs: &[Tensor]| {
        let y = reference(inputs);
        (&y * &outer).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
    };
    let step = 1e-5;
    for (n, input) in inputs.iter().enumerate() {
        let got = flat(grads.get(input).unwrap());
        let center: Vec<f64> = exact[n].flatten_all().unwrap().to_vec1().unwrap();
        for at in 0..center.len() {
            let moved = |by: f64| {
                let mut x = center.clone();
                x[at] += by;
                let mut inputs = exact.clone();
                inputs[n] = Tensor::from_vec(x, input.dims(), &Device::Cpu).unwrap();
                loss(&inputs)
            };
            let want = (moved(step) - moved(-step)) / (2.0 * step);
            let error = (f64::from(got[at]) - want).abs();
            assert!(error < 1e-4 * want.abs().max(1.0), "{what}: input {n} at {at}: {} {want}", got[at]);
        }
    }
}

#[test]
fn every_operation() {
    let (x, w) = (var(&[3, 5], 1), var(&[4, 5], 2));
    check(
        "linear",
        &[x.clone(), w.clone()],
        || linear(&x, &w, Compute::F32).unwrap(),
        |i| compose::linear(&i[0], &i[1], Compute::F32).unwrap(),
    );
    let norm = var(&[5], 3);
    check(
        "rms_norm",
        &[x.clone(), norm.clone()],
        || rms_norm(&x, &norm, 1e-3).unwrap(),
        |i| compose::rms_norm(&i[0], &i[1], 1e-3).unwrap(),
    );
    let up = var(&[3, 5], 4);
    check(
        "swiglu",
        &[x.clone(), up.clone()],
        || swiglu(&x, &up, Compute::F32).unwrap(),
        |i| compose::swiglu(&i[0], &i[1], Compute::F32).unwrap(),
    );
    let (q, k, v) = (var(&[5, 4, 2], 5), var(&[5, 2, 2], 6), var(&[5, 2, 2], 7));
    let segments = Segments::new(&[2, 3]).unwrap();
    check(
        "attention",
        &[q.clone(), k.clone(), v.clone()],
        || attention(&q, &k, &v, &segments, 0.8).unwrap(),
        |i| compose::attention(&i[0], &i[1], &i[2], &segments, 0.8).unwrap(),
    );
    let (cos, sin) = (random(&[5, 1], 8), random(&[5, 1], 9));
    check(
        "rope",
        std::slice::from_ref(&q),
        || rope(&q, &cos, &sin).unwrap(),
        |i| {
            let wide = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
            compose::rope(&i[0], &wide(&cos), &wide(&sin)).unwrap()
        },
    );
    let (targets, inputs) = ([2, IGNORE, 0], [x.clone(), w.clone()]);
    check(
        "log probs",
        &inputs,
        || linear_log_probs(&x, &w, true, &targets, Compute::F32).unwrap(),
        |i| compose::linear_log_probs(&i[0], &i[1], &targets, Compute::F32).unwrap(),
    );
    check(
        "loss",
        &inputs,
        || linear_cross_entropy(&x, &w, true, &targets, Compute::F32).unwrap().loss_sum,
        |i| {
            compose::linear_log_probs(&i[0], &i[1], &targets, Compute::F32)
                .unwrap()
                .sum_all()
                .unwrap()
                .neg()
                .unwrap()
        },
    );
    check(
        "embedding",
        std::slice::from_ref(&w),
        || embedding(&w, &[1, 3, 1], true).unwrap(),
        |i| compose::embedding(&i[0], &[1, 3, 1]).unwrap(),
    );
}
