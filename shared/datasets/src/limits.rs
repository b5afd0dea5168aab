//! How much of a file may be held in memory at once.

/// Bounds on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line, JSON value or text document.
    pub row_bytes: usize,
}

impl Default for Limits {
    /// 32 MiB a row.
    fn default() -> Self {
        Self { row_bytes: 32 << 20 }
    }
}
