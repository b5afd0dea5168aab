//! Block formats of ggml and their values in f32 (`ggml-quants.c`, `dequantize_row_*`; products in the same order).

use half::{bf16, f16};

/// Elements in a K-quant's block.
const QK_K: usize = 256;

/// A ggml tensor type that this room reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are ggml's own names")]
#[allow(non_camel_case_types, reason = "the variants are ggml's own names")]
pub enum GgmlType {
    F32,
    F16,
    BF16,
    F64,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
}

/// Types ggml knows and this room does not read, for the error's sake.
const UNREAD: [(u32, &str); 15] = [
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (39, "MXFP4"),
];

impl GgmlType {
    /// All that are read, with ggml's number.
    pub const ALL: [(u32, Self); 16] = [
        (0, Self::F32),
        (1, Self::F16),
        (2, Self::Q4_0),
        (3, Self::Q4_1),
        (6, Self::Q5_0),
        (7, Self::Q5_1),
        (8, Self::Q8_0),
        (9, Self::Q8_1),
        (10, Self::Q2_K),
        (11, Self::Q3_K),
        (12, Self::Q4_K),
        (13, Self::Q5_K),
        (14, Self::Q6_K),
        (15, Self::Q8_K),
        (28, Self::F64),
        (30, Self::BF16),
    ];

    pub(super) fn from_code(code: u32) -> Result<Self, String> {
        if let Some((_, found)) = Self::ALL.into_iter().find(|(c, _)| *c == code) {
            return Ok(found);
        }
        match UNREAD.into_iter().find(|(c, _)| *c == code) {
            Some((_, name)) => Err(format!("quantisation {name} is not supported")),
            None => Err(format!("ggml type {code} is unknown")),
        }
    }

    /// ggml's name.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Elements in a block.
    pub fn block(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 | Self::F64 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::Q8_1 => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::Q8_K => QK_K,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q8_1 => 36,
            Self::Q2_K => 84,
            Self::Q3_K => 110,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
            Self::Q8_K => 292,
        }
    }

    /// The values of whole blocks. `raw` holds exactly the blocks of `out`.
    pub fn dequantize(self, raw: &[u8], out: &mut [f32]) {
        let block: fn(&[u8], &mut [f32]) = match self {
            Self::F32 => |b, y| y[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Self::F16 => |b, y| y[0] = half(b),
            Self::BF16 => |b, y| y[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32(),
            Self::F64 => {
                |b, y| y[0] = f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
            }
            Self::Q4_0 => q4_0,
            Self::Q4_1 => q4_1,
            Self::Q5_0 => q5_0,
            Self::Q5_1 => q5_1,
            Self::Q8_0 => |b, y| scaled_bytes(half(b), &b[2..], y),
            Self::Q8_1 => |b, y| scaled_bytes(half(b), &b[4..], y),
            Self::Q2_K => q2_k,
            Self::Q3_K => q3_k,
            Self::Q4_K => q4_k,
            Self::Q5_K => q5_k,
            Self::Q6_K => q6_k,
            Self::Q8_K => |b, y| {
                scaled_bytes(f32::from_le_bytes([b[0], b[1], b[2], b[3]]), &b[4..4 + QK_K], y);
            },
        };
        for (raw, out) in raw.chunks_exact(self.block_bytes()).zip(out.chunks_exact_mut(self.block())) {
            block(raw, out);
        }
    }
}

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

fn scaled_bytes(d: f32, qs: &[u8], y: &mut [f32]) {
    for (y, &q) in y.iter_mut().zip(qs) {
        *y = f32::from(q.cast_signed()) * d;
    }
}

fn q4_0(b: &[u8], y: &mut [f32]) {
    let d = half(b);
    for (j, &q) in b[2..].iter().enumerate() {
        y[j] = (f32::from(q & 15) - 8.0) * d;
        y[j + 16] = (f32::from(q >> 4) - 8.0) * d;
    }
}

fn q4_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half(b), half(&b[2..]));
    for (j, &q) in b[4..].iter().enumerate() {
        y[j] = f32::from(q & 15) * d + m;
        y[j + 16] = f32::from(q >> 4) * d + m;
    }
}

/// The fifth bit of element `j`, in its place.
fn fifth(high: u32, j: usize) -> u8 {
    ((high >> j) as u8 & 1) << 4
}

fn q5_0(b: &[u8], y: &mut [f32]) {
    let (d, high) = (half(b), u32::from_le_bytes([b[2], b[3], b[4], b[5]]));
    for (j, &q) in b[6..].iter().enumerate() {
        y[j] = (f32::from((q & 15) | fifth(high, j)) - 16.0) * d;
        y[j + 16] = (f32::from((q >> 4) | fifth(high, j + 16)) - 16.0) * d;
    }
}

fn q5_1(b: &[u8], y: &mut [f32]) {
    let (d, m) = (half(b), half(&b[2..]));
    let high = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
    for (j, &q) in b[8..].iter().enumerate() {
        y[j] = f32::from((q & 15) | fifth(high, j)) * d + m;
        y[j + 16] = f32::from((q >> 4) | fifth(high, j + 16)) * d + m;
    }
}

fn q2_k(b: &[u8], y: &mut [f32]) {
    let (scales, qs) = (&b[..16], &b[16..80]);
    let (d, dmin) = (half(&b[80..]), half(&b[82..]));
    for (group, y) in y.chunks_exact_mut(16).enumerate() {
        let (d, m) = (d * f32::from(scales[group] & 15), dmin * f32::from(scales[group] >> 4));
        let (from, shift) = (group / 8 * 32 + group % 2 * 16, group % 8 / 2 * 2);
        for (y, &q) in y.iter_mut().zip(&qs[from..from + 16]) {
            *y = d * f32::from((q >> shift) & 3) - m;
        }
    }
}

fn q3_k(b: &[u8], y: &mut [f32]) {
    let (mask, qs, scales, d) = (&b[..32], &b[32..96], &b[96..108], half(&b[108..]));
    for (group, y) in y.chunks_exact_mut(16).enumerate() {
        let low = if group < 8 { scales[group] & 15 } else { scales[group - 8] >> 4 };
        let high = (scales[8 + group % 4] >> (2 * (group / 4))) & 3;
        let d = d * (f32::from(low | (high << 4)) - 32.0);
        let column = group % 2 * 16;
        let (from, shift, bit) = (group / 8 * 32 + column, group % 8 / 2 * 2, group / 2);
        for (l, y) in y.iter_mut().enumerate() {
            let absent = if (mask[column + l] >> bit) & 1 == 1 { 0.0 } else { 4.0 };
            *y = d * (f32::from((qs[from + l] >> shift) & 3) - absent);
        }
    }
}

/// The 6-bit scale and minimum of 32-element group `j` of Q4_K and Q5_K.
fn scale_and_min(scales: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (scales[j] & 63, scales[j + 4] & 63)
    } else {
        ((scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4), (scales[j + 4] >> 4) | ((scales[j] >> 6) << 4))
    };
    (f32::from(scale), f32::from(min))
}

fn q4_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin, scales, qs) = (half(b), half(&b[2..]), &b[4..16], &b[16..144]);
    for (group, y) in y.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_and_min(scales, group);
        let (d, m, shift) = (d * scale, dmin * min, group % 2 * 4);
        let from = group / 2 * 32;
        for (y, &q) in y.iter_mut().zip(&qs[from..from + 32]) {
            *y = d * f32::from((q >> shift) & 15) - m;
        }
    }
}

fn q5_k(b: &[u8], y: &mut [f32]) {
    let (d, dmin, scales, high, qs) = (half(b), half(&b[2..]), &b[4..16], &b[16..48], &b[48..176]);
    for (group, y) in y.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_and_min(scales, group);
        let (d, m, shift) = (d * scale, dmin * min, group % 2 * 4);
        let from = group / 2 * 32;
        for (l, y) in y.iter_mut().enumerate() {
            let q = ((qs[from + l] >> shift) & 15) | (((high[l] >> group) & 1) << 4);
            *y = d * f32::from(q) - m;
        }
    }
}

fn q6_k(b: &[u8], y: &mut [f32]) {
    let (low, high, scales, d) = (&b[..128], &b[128..192], &b[192..208], half(&b[208..]));
    for (n, y) in y.iter_mut().enumerate() {
        let (part, quarter, l) = (n / 128, n % 128 / 32, n % 32);
        let byte = low[part * 64 + quarter % 2 * 32 + l];
        let nibble = if quarter < 2 { byte & 15 } else { byte >> 4 };
        let q = nibble | (((high[part * 32 + l] >> (2 * quarter)) & 3) << 4);
        *y = d * f32::from(scales[n / 16].cast_signed()) * (f32::from(q) - 32.0);
    }
}
