//! The global gradient norm, the same bits for any number of threads.

use rayon::prelude::*;

use crate::{isa::vectorized, pool::in_pool};

/// Elements of one partial sum; fixed, so that the order of the sum is.
const PART: usize = 1 << 14;

/// The L2 norm over all elements of all gradients, summed in f64 in the order given.
pub fn global_norm(grads: &[Vec<f32>]) -> f64 {
    let mut sum = 0.0;
    for grad in grads {
        let partials: Vec<f64> = in_pool(|| grad.par_chunks(PART).map(sum_of_squares).collect());
        sum += partials.iter().sum::<f64>();
    }
    sum.sqrt()
}

vectorized! {
    /// In 8 fixed f64 lanes.
    fn sum_of_squares(xs: &[f32]) -> f64 {
        let mut lanes = [0.0_f64; 8];
        let (blocks, rest) = xs.as_chunks::<8>();
        for block in blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane += f64::from(x) * f64::from(x);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(x) * f64::from(x);
        }
        lanes.iter().sum()
    }
}
