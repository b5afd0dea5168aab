//! A mock clock, a real NATS, S3 and PostgreSQL, and a hub of its own, started for a test.
//!
//! For tests only: a part that cannot be started panics with what to do.

mod eventually;
mod hub;
mod nats;
mod objects;
mod parts;
mod postgres;
mod proxy;

pub use anneal_runtime::clock::ManualClock;
pub use eventually::eventually;
pub use hub::{COMMIT as HUB_COMMIT, Content as HubContent, FakeHub, TOKEN as HUB_TOKEN};
pub use nats::Nats;
pub use objects::Objects;
pub use parts::part;
pub use postgres::Postgres;
pub use proxy::{Mode, Proxy};
