//! What an engine's exit status means.

/// The four ways an engine ends (`design`: 0 done, 2 bad input, 3 stopped on request, 1 anything else).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// The work is done and a `result` line was printed.
    Done,
    /// Anything that is neither done, nor bad input, nor a requested stop; worth another try.
    Failed,
    /// The spec or its input is wrong; an `error` line names the field, or the file and line.
    BadInput,
    /// Stopped on request after writing a checkpoint.
    Stopped,
}

impl ExitKind {
    /// The process exit status of this ending.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::Stopped => 3,
        }
    }

    /// Reads an exit status; a status of no meaning (or a death by signal, `None`) is [`ExitKind::Failed`].
    pub const fn from_status(status: Option<i32>) -> Self {
        match status {
            Some(0) => Self::Done,
            Some(2) => Self::BadInput,
            Some(3) => Self::Stopped,
            _ => Self::Failed,
        }
    }
}
