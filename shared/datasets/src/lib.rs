//! Dataset formats: detection, row validation with line numbers, streaming readers, splits and statistics.
