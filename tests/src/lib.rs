//! The tests live in `tests/`; this crate holds nothing else.
