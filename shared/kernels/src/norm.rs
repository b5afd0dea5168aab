//! The global gradient norm, the same bits for any number of threads.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::{
    Result,
    pool::in_pool,
    slices::{on_cpu, with_floats},
};

/// Elements of one partial sum; fixed, so that the order of the sum is.
const PART: usize = 1 << 14;

/// The L2 norm over all elements of all tensors, summed in f64 in the order given.
pub fn global_norm<'a>(grads: impl IntoIterator<Item = &'a Tensor>) -> Result<f64> {
    let mut sum = 0.0;
    for grad in grads {
        let grad = if on_cpu(grad) {
            grad.clone()
        } else {
            grad.to_device(&candle_core::Device::Cpu)?.to_dtype(candle_core::DType::F32)?
        };
        sum += with_floats(&grad, |grad| {
            let partials: Vec<f64> = in_pool(|| grad.par_chunks(PART).map(sum_of_squares).collect());
            Ok(partials.iter().sum::<f64>())
        })?;
    }
    Ok(sum.sqrt())
}

/// In 8 fixed f64 lanes.
fn sum_of_squares(xs: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    for block in xs.chunks(8) {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum()
}
