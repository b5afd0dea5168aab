//! The embedded S3 server: s3s over a folder, on loopback.
//!
//! It stands in for a real object store on one machine and in tests. It deliberately knows nothing of what is stored.

mod error;
mod server;

pub use error::ObjectsError;
pub use server::{Options, Server};
