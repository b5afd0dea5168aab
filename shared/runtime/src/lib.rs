//! Configuration, clock, tracing, background tasks, fail points and shutdown of a service process.
//!
//! This room owns what every process needs whatever it does, and is the only one that reads the environment or the wall
//! clock. It deliberately knows nothing of the domain.

pub mod clock;
pub mod config;
pub mod confine;
pub mod executor;
pub mod fail;
pub mod memory;
mod secret;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;

pub use executor::block_on;
pub use secret::Secret;
pub use tokio_util::sync::CancellationToken;
