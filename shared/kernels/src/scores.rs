//! Log-probabilities of ids after hidden states: the output product and the log-softmax in one, without logits for more than a few
//! rows and columns at a time.

use std::ops::Range;

use crate::{
    Compute,
    gemm::{Matrix, Panels, Product},
    log_softmax::{LogSoftmax, PART, Part},
};

/// An id whose probability after a row of hidden states is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The row.
    pub row: usize,
    /// The id.
    pub id: u32,
}

/// How likely an id is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Its log-probability; NaN for an id beyond the vocabulary, or where a logit is NaN.
    pub log_prob: f32,
    /// Whether it is the first of those with the highest logit.
    pub is_best: bool,
}

/// Scores ids, which are in the order of their rows, under `softmax(h · wᵀ)`; `h` is `[n, d]` and `ahead` `wᵀ [d, v]`.
pub(crate) fn score(h: Matrix, ahead: &dyn Panels, asked: &[Asked], compute: Compute) -> Vec<Scored> {
    assert!(asked.is_sorted_by_key(|asked| asked.row), "ids are asked for in the order of their rows");
    let of_row = |row: usize| -> Range<usize> {
        let from = asked.partition_point(|asked| asked.row < row);
        from..from + asked[from..].partition_point(|asked| asked.row == row)
    };
    let product = Product { a: h, a_round: compute, b: ahead, round: compute };
    let parts = product.read_parts(PART, |row, columns, logits| {
        let mut found = Vec::new();
        for (index, asked) in of_row(row).zip(&asked[of_row(row)]) {
            if columns.contains(&(asked.id as usize)) {
                found.push((index, logits[asked.id as usize - columns.start]));
            }
        }
        (Part::of(logits, columns.start), found)
    });
    let mut scored = vec![Scored { log_prob: f32::NAN, is_best: false }; asked.len()];
    for row in 0..h.rows {
        let softmax = LogSoftmax::join(parts.iter().map(|rows| &rows[row].0));
        for (index, logit) in parts.iter().flat_map(|rows| &rows[row].1) {
            let is_best = softmax.is_best(asked[*index].id as usize);
            scored[*index] = Scored { log_prob: softmax.log_prob(*logit), is_best };
        }
    }
    scored
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::PackedWeight;

    #[test]
    fn scores_are_those_of_whole_rows_of_logits() {
        let values = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        for (n, d, v) in [(1, 8, 5), (7, 24, 513), (70, 32, 1100), (130, 40, 2048)] {
            for compute in [Compute::F32, Compute::Bf16, Compute::F16] {
                let (h, w) = (values(n * d, 0.71), values(v * d, 1.37));
                let weight = PackedWeight::new(Matrix::new(&w, v, d), compute);
                let h = Matrix::new(&h, n, d);
                let ids = [0, v - 1, v / 2, v, 3];
                let ask = |row| ids.map(|id| Asked { row, id: id as u32 });
                // A row in three is not asked about.
                let asked: Vec<Asked> = (0..n).filter(|row| row % 3 != 1).flat_map(ask).collect();
                let scored = score(h, &weight, &asked, compute);
                let logits = Product { a: h, a_round: compute, b: &weight, round: compute }.compute();
                for (asked, got) in asked.iter().zip(scored) {
                    let (logits, id) = (&logits[asked.row * v..][..v], asked.id as usize);
                    let softmax = LogSoftmax::of(logits);
                    let want = logits.get(id).map_or(f32::NAN, |logit| softmax.log_prob(*logit));
                    assert_eq!(
                        got.log_prob.to_bits(),
                        want.to_bits(),
                        "{asked:?} of {n} {d} {v} {compute:?}"
                    );
                    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let first = logits.iter().position(|&logit| logit >= highest);
                    assert_eq!(got.is_best, first == Some(id), "{asked:?} of {n} {d} {v} {compute:?}");
                }
            }
        }
    }
}
