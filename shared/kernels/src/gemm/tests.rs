//! The product beside f64, and the order of its sums.

use super::{
    tile::{MOST_ROWS, Store},
    *,
};
use crate::isa::{Isa, best_isa};

fn values(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64)
        .map(|i| {
            let mut z = (seed << 40).wrapping_add(i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z ^= z >> 31;
            (z >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn reference(a: Matrix, b: Matrix, round: Compute) -> Vec<f64> {
    let at =
        |m: Matrix, r: usize, c: usize| f64::from(round.round(m.data[r * m.row_stride + c * m.col_stride]));
    let mut c = Vec::new();
    for i in 0..a.rows {
        for j in 0..b.cols {
            c.push((0..a.cols).map(|k| at(a, i, k) * at(b, k, j)).sum());
        }
    }
    c
}

fn check(m: usize, n: usize, k: usize) {
    let (a, b) = (values(m * k, 1), values(k * n, 2));
    for compute in [Compute::F32, Compute::Bf16, Compute::F16] {
        for layout in 0..4 {
            let a = if layout & 1 == 0 { Matrix::new(&a, m, k) } else { Matrix::new(&a, k, m).t() };
            let b = if layout & 2 == 0 { Matrix::new(&b, k, n) } else { Matrix::new(&b, n, k).t() };
            let panels = Strided { matrix: b, round: compute };
            let product = Product { a, a_round: compute, b: &panels, round: Compute::F32 };
            let mut results = vec![product.compute()];
            if compute == Compute::Bf16 {
                results.push(product.compute_by(&tile::PLAIN_PAIRS));
            }
            for (index, (got, want)) in
                results.iter().flat_map(|c| c.iter().zip(reference(a, b, compute))).enumerate()
            {
                let error = (f64::from(*got) - want).abs();
                assert!(
                    error < 1e-5 * (k as f64).sqrt(),
                    "{m}x{n}x{k} {compute:?} {layout} at {index}: {got} {want}"
                );
            }
        }
    }
}

#[test]
fn agrees_with_f64_at_odd_sizes() {
    for (m, n, k) in [
        (1, 1, 1),
        (1, 17, 5),
        (5, 16, 8),
        (6, 15, 9),
        (7, 33, 31),
        (13, 40, 385),
        (50, 70, 401),
        (61, 18, 100),
    ] {
        check(m, n, k);
    }
}

#[test]
fn a_row_alone_has_the_bits_it_has_among_others() {
    let (m, n, k) = (75, 83, 790);
    let (a, b) = (values(m * k, 3), values(k * n, 4));
    let panels = Strided { matrix: Matrix::new(&b, n, k).t(), round: Compute::Bf16 };
    let run = |a: Matrix| Product { a, a_round: Compute::Bf16, b: &panels, round: Compute::Bf16 }.compute();
    let all = run(Matrix::new(&a, m, k));
    for row in 0..m {
        let alone = run(Matrix::new(&a[row * k..][..k], 1, k));
        assert_eq!(alone, all[row * n..][..n], "row {row}");
    }
    for count in [2, 5, 8, 47, 48, 49] {
        assert_eq!(run(Matrix::new(&a[..count * k], count, k)), all[..count * n], "{count} rows");
    }
}

#[test]
fn a_left_operand_has_the_same_bits_by_columns_as_by_rows() {
    for (m, n, k) in [(1, 40, 900), (7, 16, 33), (75, 83, 790)] {
        let (a, b) = (values(m * k, 17), values(k * n, 18));
        let mut turned = vec![0.0; m * k];
        for (at, x) in a.iter().enumerate() {
            turned[at % k * m + at / k] = *x;
        }
        for compute in [Compute::F32, Compute::Bf16, Compute::F16] {
            let panels = Strided { matrix: Matrix::new(&b, k, n), round: compute };
            let run = |a: Matrix| Product { a, a_round: compute, b: &panels, round: Compute::F32 }.compute();
            let bits = |c: Vec<f32>| c.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            let by_columns = Matrix::new(&turned, k, m).t();
            assert_eq!(bits(run(by_columns)), bits(run(Matrix::new(&a, m, k))), "{m}x{n}x{k} {compute:?}");
        }
    }
}

#[test]
fn packed_weights_give_the_bits_of_strided_ones() {
    let (o, i) = (53, 421);
    let (x, w, g) = (values(70 * i, 5), values(o * i, 6), values(70 * o, 7));
    let w_oi = Matrix::new(&w, o, i);
    for compute in [Compute::F32, Compute::Bf16, Compute::F16] {
        let packed = PackedWeight::new(w_oi, compute);
        let mut rounded = w.clone();
        compute.round_slice(&mut rounded);
        assert_eq!(packed.widened(), rounded);
        for t in [1, 70] {
            let (a, g) = (Matrix::new(&x[..t * i], t, i), Matrix::new(&g[..t * o], t, o));
            let mut kernels = vec![Kernel::of(compute)];
            if compute == Compute::Bf16 {
                kernels.push(&tile::PLAIN_PAIRS);
            }
            for kernel in kernels {
                let run =
                    |a, b: &dyn Panels| Product { a, a_round: compute, b, round: compute }.compute_by(kernel);
                assert_eq!(run(a, &packed), run(a, &Strided { matrix: w_oi.t(), round: compute }));
                assert_eq!(
                    run(g, &TransposedPanels(&packed)),
                    run(g, &Strided { matrix: w_oi, round: compute })
                );
            }
        }
    }
}

#[test]
fn adding_continues_the_sum() {
    let (m, n, k) = (60, 20, 64);
    let (a, b) = (values(m * k, 8), values(k * n, 9));
    let panels = Strided { matrix: Matrix::new(&b, k, n), round: Compute::F32 };
    let product =
        Product { a: Matrix::new(&a, m, k), a_round: Compute::F32, b: &panels, round: Compute::F32 };
    let once = product.compute();
    let mut twice = once.clone();
    product.add_to(&mut twice);
    assert!(once.iter().zip(&twice).all(|(x, y)| (2.0 * x).to_bits() == y.to_bits()));
}

/// The kernels that read stored pairs in place of f32 and that this processor can run, each with the one it stands for.
fn widening_kernels() -> impl Iterator<Item = (&'static Kernel, &'static Kernel)> {
    let sets = [Isa::Plain, Isa::Avx2, Isa::Avx512].into_iter().filter(|&set| set <= best_isa());
    sets.map(|set| Kernel::of_isa(set, Compute::F32)).filter_map(|kernel| Some((kernel, kernel.widening?)))
}

#[test]
fn a_stored_weight_is_read_as_it_is() {
    const K: usize = 32;
    let (a, w) = (values(3 * K, 15), values(NR * K, 16));
    let mut exact = w.clone();
    Compute::Bf16.round_slice(&mut exact);
    // Chosen, not run: the processor need not have it.
    let depth = |isa, a_round, b: &dyn Panels| {
        let product = Product { a: Matrix::new(&a, 3, K), a_round, b, round: a_round };
        product.suited(Kernel::of_isa(isa, a_round)).right_depth
    };
    let stored = |w, compute| PackedWeight::new(Matrix::new(w, NR, K), compute);
    let strided = |round| Strided { matrix: Matrix::new(&w, NR, K).t(), round };
    for isa in [Isa::Plain, Isa::Avx2, Isa::Avx512] {
        assert_eq!(depth(isa, Compute::Bf16, &stored(&w, Compute::Bf16)), 2, "{isa:?}");
        assert_eq!(depth(isa, Compute::F32, &stored(&exact, Compute::F32)), 2, "{isa:?}");
        assert_eq!(depth(isa, Compute::F32, &stored(&w, Compute::F32)), 1, "{isa:?}");
        assert_eq!(depth(isa, Compute::F32, &strided(Compute::F32)), 1, "{isa:?}");
        assert_eq!(depth(isa, Compute::F16, &stored(&w, Compute::F16)), 1, "{isa:?}");
    }
    assert_eq!(depth(Isa::Avx2, Compute::Bf16, &strided(Compute::Bf16)), 1);
}

#[test]
fn stored_pairs_have_the_bits_that_a_widened_weight_gives() {
    for (kernel, widening) in widening_kernels() {
        for (m, n, k) in [(1, 40, 900), (6, 16, 33), (7, 31, 5), (FEW_ROWS, 20, 64), (FEW_ROWS + 9, 40, 421)]
        {
            let (a, w) = (values(m * k, 13), values(n * k, 14));
            let packed = PackedWeight::new(Matrix::new(&w, n, k), Compute::Bf16);
            for a_round in [Compute::Bf16, Compute::F32] {
                let a = Matrix::new(&a, m, k);
                let product = Product { a, a_round, b: &packed, round: Compute::F32 };
                let bits = |c: Vec<f32>| c.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                let widened = bits(product.compute_by(kernel));
                assert_eq!(bits(product.compute_by(widening)), widened, "{m}x{n}x{k} {a_round:?}");
            }
        }
    }
}

#[test]
fn a_weight_of_bf16_values_is_kept_as_pairs_until_another_value_comes() {
    let (o, i) = (3 * NR + 5, 7);
    let mut w = values(o * i, 19);
    Compute::Bf16.round_slice(&mut w);
    let exact = PackedWeight::new(Matrix::new(&w, o, i), Compute::F32);
    assert_eq!((exact.bytes(), exact.widened()), (4 * NR * 4 * 4, w.clone()));
    w[2 * NR * i + 3] = 0.1;
    let mut by_rows = PackedWeight::zeros((o, i), Compute::F32);
    let half = 2 * NR * i;
    by_rows.set_rows(0, Matrix::new(&w[..half], 2 * NR, i));
    by_rows.set_rows(2 * NR, Matrix::new(&w[half..], o - 2 * NR, i));
    assert_eq!((by_rows.bytes(), by_rows.widened()), (4 * NR * 7 * 4, w));
}

#[test]
fn every_tile_of_every_instruction_set_agrees_with_plain_sums() {
    const K: usize = 100;
    let sets = [Isa::Plain, Isa::Avx2, Isa::Avx512, Isa::Amx].into_iter().filter(|&set| set <= best_isa());
    let kernels = sets.flat_map(|set| [Compute::F32, Compute::Bf16].map(|of| (Kernel::of_isa(set, of), of)));
    let widening = widening_kernels().map(|(_, widening)| widening);
    let pairs = widening.chain([&tile::PLAIN_PAIRS]).map(|kernel| (kernel, Compute::Bf16));
    let with_twin = |(kernel, of): (&'static Kernel, Compute)| {
        [Some(kernel), kernel.grouped].into_iter().flatten().map(move |kernel| (kernel, of))
    };
    for (kernel, operands) in kernels.chain(pairs).flat_map(with_twin) {
        let mut a = values(kernel.rows * K, 10);
        let mut b = [values(NR * K, 11), values(NR * K, 12)];
        for xs in b.iter_mut().chain([&mut a]) {
            operands.round_slice(xs);
        }
        let cells = kernel.right_cells(K);
        let right = b.each_ref().map(|b| {
            let mut out = vec![0.0; cells * NR];
            if kernel.right_depth == 2 {
                pack::pair_up(b, NR, &mut out);
            } else {
                out.copy_from_slice(b);
            }
            out
        });
        let mut left = vec![f32::NAN; kernel.left_panel(kernel.cells(K))];
        pack::pack_left(kernel, Matrix::new(&a, kernel.rows, K), operands, 0, 0..K, &mut left);
        for panels in 1..=kernel.panels() {
            for rows in 1..=kernel.rows {
                let pointers = right.each_ref().map(Vec::as_ptr);
                let stored = |store: Store| {
                    let mut c = vec![1.0_f32; MOST_ROWS * 2 * NR];
                    #[allow(unsafe_code, reason = "the tile kernels take pointers")]
                    // SAFETY: the panels hold `cells` groups, `c` the largest tile.
                    unsafe {
                        let tile = kernel.tile(rows, panels);
                        tile(rows, cells, left.as_ptr(), pointers, c.as_mut_ptr(), 2 * NR, store);
                    }
                    c
                };
                let c = stored(Store { add: true, round: false });
                for add in [true, false].into_iter().filter(|_| kernel.rounds) {
                    let mut want = stored(Store { add, round: false });
                    Compute::Bf16.round_slice(&mut want);
                    assert_eq!(stored(Store { add, round: true }), want, "{kernel:?}, {rows} rows");
                }
                for (at, &got) in c.iter().enumerate() {
                    let (r, column) = (at / (2 * NR), at % (2 * NR));
                    let inside = r < rows && column < panels * NR;
                    let product = |k: usize| f64::from(a[r * K + k] * b[column / NR][k * NR + column % NR]);
                    let want = if inside { 1.0 + (0..K).map(product).sum::<f64>() } else { 1.0 };
                    let tolerance = if inside { 1e-4 } else { 0.0 };
                    assert!(
                        (f64::from(got) - want).abs() <= tolerance,
                        "{kernel:?} {operands:?}, {rows} rows, {panels} panels, at {r}, {column}: {got} {want}"
                    );
                }
            }
        }
    }
}
