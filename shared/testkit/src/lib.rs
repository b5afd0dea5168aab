//! A mock clock, and a real NATS and S3 started for a test.
//!
//! For tests only: a part that cannot be started panics with what to do.

mod eventually;
mod nats;
mod objects;
mod parts;
mod proxy;

pub use anneal_runtime::clock::ManualClock;
pub use eventually::eventually;
pub use nats::Nats;
pub use objects::Objects;
pub use parts::part;
pub use proxy::{Mode, Proxy};
