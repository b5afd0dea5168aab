//! Values and gradients beside the composition, and refusals.

use super::*;
use crate::*;

/// Values and gradients of `ours` beside `theirs`, for an uneven outer gradient.
fn compare(
    what: &str,
    inputs: &[Var],
    tolerance: f32,
    ours: impl Fn() -> Tensor,
    theirs: impl Fn() -> Tensor,
) {
    let (y, reference) = (ours(), theirs());
    assert_close(&y, &reference, tolerance, what);
    let outer = random(y.dims(), 99);
    let grads = |y: &Tensor| (y * &outer).unwrap().sum_all().unwrap().backward().unwrap();
    let (got, want) = (grads(&y), grads(&reference));
    for (n, input) in inputs.iter().enumerate() {
        let (got, want) = (got.get(input).unwrap(), want.get(input).unwrap());
        assert_close(got, want, tolerance, &format!("{what}: gradient {n}"));
    }
}

#[test]
fn linear_layers() {
    for (t, i, o) in [(1, 7, 5), (9, 40, 33), (60, 100, 18)] {
        let (x, w) = (var(&[t, i], 1), var(&[o, i], 2));
        for (compute, tolerance) in [(Compute::F32, 1e-5), (Compute::Bf16, 2e-2), (Compute::F16, 3e-3)] {
            compare(
                "linear",
                &[x.clone(), w.clone()],
                tolerance,
                || linear(&x, &w, compute).unwrap(),
                || compose::linear(&x, &w, compute).unwrap(),
            );
            let frozen = FrozenLinear::new(&w, compute).unwrap();
            compare(
                "frozen",
                std::slice::from_ref(&x),
                tolerance,
                || frozen.forward(&x).unwrap(),
                || compose::linear(&x, &w, compute).unwrap(),
            );
            let nf4 = Nf4Linear::quantize(&w, compute, false).unwrap();
            let stored = nf4.weight_f32().unwrap();
            compare(
                "nf4",
                std::slice::from_ref(&x),
                tolerance,
                || nf4.forward(&x).unwrap(),
                || compose::linear(&x, &stored, compute).unwrap(),
            );
        }
    }
}

#[test]
fn attention_over_ragged_segments() {
    for (lengths, h, k, c) in [
        (&[1, 5, 130][..], 4, 2, 8),
        (&[64, 65, 48, 49, 1], 3, 1, 6),
        (&[200], 2, 2, 16),
        (&[2, 2], 9, 3, 20),
    ] {
        let segments = Segments::new(lengths).unwrap();
        let t = segments.total();
        let (q, key, v) = (var(&[t, h, c], 3), var(&[t, k, c], 4), var(&[t, k, c], 5));
        let inputs = [q.clone(), key.clone(), v.clone()];
        compare(
            &format!("attention {lengths:?}"),
            &inputs,
            2e-5,
            || attention(&q, &key, &v, &segments, 0.7).unwrap(),
            || compose::attention(&q, &key, &v, &segments, 0.7).unwrap(),
        );
        let round = |x: &Tensor| compose::round_to(x, Compute::Bf16).unwrap();
        compare(
            &format!("bf16 attention {lengths:?}"),
            &inputs,
            2e-2,
            || attention_as(&q, &key, &v, &segments, 0.7, Compute::Bf16).unwrap(),
            || round(&compose::attention(&round(&q), &round(&key), &round(&v), &segments, 0.7).unwrap()),
        );
    }
}

#[test]
fn element_wise_operations() {
    for (t, d) in [(1, 1), (7, 33), (70, 64)] {
        let (x, w) = (var(&[t, d], 6), var(&[d], 7));
        let inputs = [x.clone(), w.clone()];
        let reference = || compose::rms_norm(&x, &w, 1e-5).unwrap();
        compare("rms_norm", &inputs, 1e-5, || rms_norm(&x, &w, 1e-5).unwrap(), reference);
        let u = var(&[t, d], 8);
        for (compute, tolerance) in [(Compute::F32, 1e-5), (Compute::Bf16, 2e-2), (Compute::F16, 2e-3)] {
            let reference = || compose::swiglu(&x, &u, compute).unwrap();
            compare(
                "swiglu",
                &[x.clone(), u.clone()],
                tolerance,
                || swiglu(&x, &u, compute).unwrap(),
                reference,
            );
        }
    }
    let (x, cos, sin) = (var(&[5, 3, 8], 9), random(&[5, 4], 10), random(&[5, 4], 11));
    let reference = || compose::rope(&x, &cos, &sin).unwrap();
    compare("rope", std::slice::from_ref(&x), 1e-6, || rope(&x, &cos, &sin).unwrap(), reference);
    let (w, ids) = (var(&[6, 4], 12), [5, 0, 5, 2]);
    let reference = || compose::embedding(&w, &ids).unwrap();
    compare("embedding", std::slice::from_ref(&w), 1e-6, || embedding(&w, &ids, true).unwrap(), reference);
}

#[test]
fn cross_entropy_and_log_probs() {
    for (t, d, v) in [(1, 3, 2), (11, 12, 50), (400, 6, 37)] {
        let (h, w) = (var(&[t, d], 13), var(&[v, d], 14));
        let inputs = [h.clone(), w.clone()];
        let targets: Vec<u32> =
            (0..t).map(|n| if n % 3 == 2 { IGNORE } else { (n * 7 % v) as u32 }).collect();
        for (compute, tolerance) in [(Compute::F32, 2e-5), (Compute::Bf16, 4e-2)] {
            let reference = || compose::linear_log_probs(&h, &w, &targets, compute).unwrap();
            let ours = || linear_log_probs(&h, &w, true, &targets, compute).unwrap();
            compare("log probs", &inputs, tolerance, ours, reference);
            let loss = || linear_cross_entropy(&h, &w, true, &targets, compute).unwrap();
            let reference = || reference().sum_all().unwrap().neg().unwrap();
            compare("cross entropy", &inputs, tolerance, || loss().loss_sum, reference);
            let composed =
                linear_log_probs(&h, &w, true, &targets, compute).unwrap().to_vec1::<f32>().unwrap();
            let kept: Vec<f32> = (0..t).filter(|&n| targets[n] != IGNORE).map(|n| composed[n]).collect();
            assert_eq!(loss().log_probs, kept);
        }
        let logits = compose::linear(&h, &w, Compute::F32).unwrap();
        let best: Vec<u32> = logits.argmax(1).unwrap().to_vec1().unwrap();
        let correct = best.iter().zip(&targets).filter(|(a, b)| a == b).count();
        assert_eq!(linear_cross_entropy(&h, &w, false, &targets, Compute::F32).unwrap().correct, correct);
    }
}

#[test]
fn adamw_follows_the_formula() {
    let p = var(&[3, 50], 15);
    let mut expected: Vec<f64> = flat(&p).into_iter().map(f64::from).collect();
    let (mut m, mut v) = (vec![0.0_f64; 150], vec![0.0_f64; 150]);
    let mut optimizer = AdamW::new(AdamWOptions { weight_decay: 0.1, ..AdamWOptions::default() });
    for step in 1..=5 {
        let grad = random(&[3, 50], 16 + step);
        optimizer.step(1e-2, 0.5, [("p", &p, flat(&grad).as_slice())]).unwrap();
        for (n, g) in flat(&grad).into_iter().enumerate() {
            let g = f64::from(g) * 0.5;
            m[n] = 0.9 * m[n] + 0.1 * g;
            v[n] = 0.999 * v[n] + 0.001 * g * g;
            let power = step as i32;
            let root = (v[n] / (1.0 - 0.999_f64.powi(power))).sqrt() + 1e-8;
            expected[n] = expected[n] * (1.0 - 1e-3) - 1e-2 / (1.0 - 0.9_f64.powi(power)) * m[n] / root;
        }
    }
    for (got, want) in flat(&p).into_iter().zip(expected) {
        assert!((f64::from(got) - want).abs() < 1e-6, "{got} {want}");
    }
    let norm = global_norm(&[flat(&p)]);
    let want = flat(&p).into_iter().map(|x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    assert!((norm - want).abs() < 1e-12 * want);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let (x, w) = (random(&[3, 4], 1), random(&[2, 5], 2));
    assert!(linear(&x, &w, Compute::F32).unwrap_err().to_string().contains("x has 4 columns"));
    assert!(embedding(&w, &[2], false).unwrap_err().to_string().contains("beyond the vocabulary"));
    assert!(rms_norm(&x, &random(&[3], 1), 1e-5).is_err());
    let q = random(&[3, 3, 4], 1);
    let segments = Segments::new(&[2]).unwrap();
    assert!(attention(&q, &q, &q, &segments, 1.0).unwrap_err().to_string().contains("segments hold 2"));
    assert!(linear_cross_entropy(&x, &random(&[2, 4], 1), false, &[0, 2, IGNORE], Compute::F32).is_err());
}
