//! Matrix products `c = a · b` with f32 sums, inputs and output rounded to a [`Compute`] format.

use crate::Compute;

/// A read-only matrix with strides in elements.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        debug_assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// `c = round(round(a) · round(b))`, row-major; `inputs` and `output` name the two roundings.
pub(crate) fn product(a: Matrix, b: Matrix, c: &mut [f32], inputs: Compute, output: Compute) {
    assert_eq!(a.cols, b.rows);
    assert_eq!(c.len(), a.rows * b.cols);
    let round = |m: Matrix| {
        let mut data = m.data.to_vec();
        inputs.round_slice(&mut data);
        data
    };
    let (ra, rb);
    let (mut a, mut b) = (a, b);
    if inputs != Compute::F32 {
        ra = round(a);
        rb = round(b);
        a.data = &ra;
        b.data = &rb;
    }
    #[allow(unsafe_code, reason = "the product crate takes raw pointers")]
    // SAFETY: the views cover their slices and `c` holds `a.rows · b.cols` elements (asserted).
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            c.as_mut_ptr(),
            1,
            b.cols as isize,
            false,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
    output.round_slice(c);
}
