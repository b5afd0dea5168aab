//! What every worker does: claim, renew, run the engine child, stages, progress, logs, usage, checkpoints, stop.
