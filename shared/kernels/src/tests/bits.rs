//! The determinism contract: threads, batches and caches do not change a bit.

use super::*;
use crate::*;
use proptest::prelude::*;

/// One forward and backward pass through everything, as bits.
fn everything() -> Vec<Vec<u32>> {
    let segments = Segments::new(&[70, 3, 120]).unwrap();
    let (x, w) = (var(&[193, 96], 1), var(&[96, 96], 2));
    let (norm, table) = (var(&[96], 3), var(&[500, 96], 4));
    let y = linear(&rms_norm(&x, &norm, 1e-5).unwrap(), &w, Compute::Bf16).unwrap();
    let q = y.reshape((193, 6, 16)).unwrap();
    let k = q.narrow(1, 0, 2).unwrap().contiguous().unwrap();
    let attended = attention_as(&q, &k, &k, &segments, 0.25, Compute::Bf16).unwrap();
    let flat_rows = attended.reshape((193, 96)).unwrap();
    let y = swiglu(&flat_rows, &y, Compute::Bf16).unwrap();
    let targets: Vec<u32> = (0..193).map(|n| n * 5 % 500).collect();
    let loss = linear_cross_entropy(&y, &table, true, &targets, Compute::Bf16).unwrap();
    let grads = loss.loss_sum.backward().unwrap();
    let vars = [&x, &w, &norm, &table];
    let mut out: Vec<_> = vars.iter().map(|v| bits(grads.get(v).unwrap())).collect();
    let norm = global_norm(&vars.map(|v| flat(grads.get(v).unwrap())));
    out.extend([bits(&loss.loss_sum), bits(&y), vec![(norm.to_bits() >> 32) as u32, norm.to_bits() as u32]]);
    out
}

#[test]
fn threads_do_not_change_a_bit() {
    set_threads(1).unwrap();
    let one = everything();
    for threads in [2, 5] {
        set_threads(threads).unwrap();
        assert!(everything() == one, "{threads} threads");
    }
}

#[test]
fn cached_attention_gives_the_bits_of_the_whole() {
    for compute in [Compute::F32, Compute::Bf16] {
        cached_attention_of(compute);
    }
}

fn cached_attention_of(compute: Compute) {
    let (h, k, c) = (4, 2, 12);
    let lengths = [150, 1, 67];
    let segments = Segments::new(&lengths).unwrap();
    let t = segments.total();
    let values = |dims: &[usize], seed| round_to(&random(dims, seed), compute).unwrap();
    let (q, key, v) = (values(&[t, h, c], 5), values(&[t, k, c], 6), values(&[t, k, c], 7));
    let whole = attention_as(&q, &key, &v, &segments, 0.3, compute).unwrap();
    let (keys, values) = (flat(&key), flat(&v));
    for queries in [[1, 1, 1], [130, 1, 20], [7, 1, 66]] {
        let row = k * c;
        let held: Vec<KeyValues> = segments
            .iter()
            .map(|range| {
                let rows = |from: usize, to: usize| (range.start + from) * row..(range.start + to) * row;
                let mut held = KeyValues::new(k, c, compute);
                // In pieces that end anywhere, some forgotten and added again.
                let (mut piece, len) = (1, range.len());
                while held.len() < len {
                    let to = (held.len() + piece).min(len);
                    let at = rows(held.len(), to);
                    held.append(&keys[at.clone()], &values[at]);
                    let kept = to - piece / 3;
                    held.truncate(kept);
                    if piece % 2 == 0 {
                        held = held.beginning(kept);
                    }
                    let at = rows(kept, to);
                    held.append(&keys[at.clone()], &values[at]);
                    piece = piece * 2 + 1;
                }
                held
            })
            .collect();
        let caches: Vec<KvView> =
            held.iter().zip(queries).map(|(held, queries)| KvView { held, queries }).collect();
        let last = |x: &Tensor| {
            let parts: Vec<Tensor> =
                segments.iter().zip(queries).map(|(r, n)| x.narrow(0, r.end - n, n).unwrap()).collect();
            Tensor::cat(&parts, 0).unwrap()
        };
        let got = attention_cached_as(&last(&q), &caches, 0.3, compute).unwrap();
        assert!(bits(&got) == bits(&last(&whole)), "{compute:?} {queries:?}");
        let composed = crate::attention::cached_composed(&last(&q), &caches, 0.3, compute).unwrap();
        let tolerance = if compute == Compute::F32 { 1e-5 } else { 2e-2 };
        for (composed, got) in flat(&composed).iter().zip(flat(&got)) {
            assert!((composed - got).abs() < tolerance, "{compute:?} {queries:?}: {composed} {got}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_sequence_alone_has_the_bits_it_has_in_a_batch(lengths in prop::collection::vec(1_usize..90, 1..5), pick in 0_usize..5, half: bool) {
        let compute = if half { Compute::Bf16 } else { Compute::F32 };
        let segments = Segments::new(&lengths).unwrap();
        let range = segments.iter().nth(pick % lengths.len()).unwrap();
        let t = segments.total();
        let (x, w, norm) = (random(&[t, 24], 8), random(&[36, 24], 9), random(&[24], 10));
        let layer = |x: &Tensor, segments: &Segments| {
            let y = linear(&rms_norm(x, &norm, 1e-6).unwrap(), &w, Compute::Bf16).unwrap();
            let part = |from| y.narrow(1, from, 12).unwrap().reshape((x.dim(0).unwrap(), 2, 6)).unwrap();
            attention_as(&part(0), &part(12), &part(24), segments, 0.5, compute).unwrap()
        };
        let all = layer(&x, &segments).narrow(0, range.start, range.len()).unwrap();
        let alone = layer(&x.narrow(0, range.start, range.len()).unwrap(), &Segments::new(&[range.len()]).unwrap());
        prop_assert!(bits(&all) == bits(&alone));
    }
}
