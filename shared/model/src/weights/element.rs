//! Element types of stored tensors, and their conversion to f32.

use half::{bf16, f16};

/// How an element is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// IEEE 754 binary64 (rounded to binary32 when read).
    F64,
    /// Anything else a file may hold (integers, booleans, 8-bit floats); present but not readable as weights.
    Other {
        /// Bytes an element takes.
        bytes: usize,
    },
}

impl Element {
    /// From a safetensors `dtype`.
    pub fn from_safetensors(name: &str) -> Option<Self> {
        Some(match name {
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "F64" => Self::F64,
            "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => {
                Self::Other { bytes: 1 }
            }
            "U16" | "I16" => Self::Other { bytes: 2 },
            "U32" | "I32" => Self::Other { bytes: 4 },
            "U64" | "I64" | "C64" => Self::Other { bytes: 8 },
            _ => return None,
        })
    }

    /// Bytes an element takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F64 => 8,
            Self::Other { bytes } => bytes,
        }
    }

    /// Converts little-endian bytes into `out`; `None` for types that hold no weights.
    /// `raw` holds exactly `out.len()` elements.
    pub(crate) fn convert(self, raw: &[u8], out: &mut [f32]) -> Option<()> {
        match self {
            Self::F32 => fill(raw, out, |b: [u8; 4]| f32::from_le_bytes(b)),
            Self::F16 => fill(raw, out, |b: [u8; 2]| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => fill(raw, out, |b: [u8; 2]| bf16::from_le_bytes(b).to_f32()),
            Self::F64 => fill(raw, out, |b: [u8; 8]| f64::from_le_bytes(b) as f32),
            Self::Other { .. } => return None,
        }
        Some(())
    }
}

fn fill<const N: usize>(raw: &[u8], out: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    let (elements, _) = raw.as_chunks::<N>();
    for (value, &bytes) in out.iter_mut().zip(elements) {
        *value = convert(bytes);
    }
}
