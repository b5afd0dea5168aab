//! Every command, event, subject, stream and engine line, typed and versioned. Pure.
