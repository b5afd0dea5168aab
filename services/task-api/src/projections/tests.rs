//! Rebuilds.
