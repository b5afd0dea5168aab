//! The NF4 format.

use super::*;
use crate::{nf4::LEVELS, *};

fn codes(weight: &[f32]) -> Vec<u8> {
    let w = Tensor::from_vec(weight.to_vec(), (1, weight.len()), &Device::Cpu).unwrap();
    let nf4 = Nf4Linear::quantize(&w, Compute::F32, false).unwrap();
    nf4.codes().iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

#[test]
fn levels_code_to_themselves_and_ties_go_down() {
    assert_eq!(codes(&LEVELS), (0..16).collect::<Vec<u8>>());
    for n in 0..15 {
        let midpoint = f64::midpoint(f64::from(LEVELS[n]), f64::from(LEVELS[n + 1]));
        let nearest = midpoint as f32;
        let expected = if f64::from(nearest) > midpoint { n + 1 } else { n };
        assert_eq!(codes(&[nearest, 1.0]), [expected as u8, 15], "between level {n} and the next");
        assert_eq!(codes(&[nearest.next_down(), 1.0])[0], n as u8);
        assert_eq!(codes(&[nearest.next_up(), 1.0])[0], n as u8 + 1);
    }
    assert_eq!(codes(&[0.0; 64]), [7; 64]);
}

#[test]
fn blocks_of_64_run_across_rows() {
    let w = random(&[3, 50], 1);
    let nf4 = Nf4Linear::quantize(&w, Compute::F32, false).unwrap();
    let (w, stored) = (flat(&w), flat(&nf4.weight_f32().unwrap()));
    for (w, stored) in w.chunks(64).zip(stored.chunks(64)) {
        let absmax = w.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        for (w, stored) in w.iter().zip(stored) {
            let nearest = LEVELS.iter().map(|l| (l * absmax - w).abs()).fold(f32::INFINITY, f32::min);
            assert!(((stored - w).abs() - nearest).abs() < 1e-6);
        }
    }
    assert_eq!(nf4.bytes(), 75 + 3 * 4);
}

#[test]
fn the_composed_weight_is_the_dequantised_one() {
    for (shape, double) in [([3, 50], false), ([16, 64], true), ([5, 130], true)] {
        let nf4 = Nf4Linear::quantize(&random(&shape, 2), Compute::F32, double).unwrap();
        let composed = nf4.composed(&Device::Cpu).unwrap();
        assert_eq!(composed.dims(), shape);
        assert_eq!(flat(&composed), flat(&nf4.weight_f32().unwrap()));
    }
}

#[test]
fn double_quantisation_keeps_the_scales_within_a_percent() {
    let w = random(&[128, 256], 2);
    let plain = Nf4Linear::quantize(&w, Compute::F32, false).unwrap();
    let double = Nf4Linear::quantize(&w, Compute::F32, true).unwrap();
    assert_eq!(plain.codes(), double.codes());
    assert_close(&double.weight_f32().unwrap(), &plain.weight_f32().unwrap(), 0.01, "double");
    assert!(double.bytes() < plain.bytes());
}
