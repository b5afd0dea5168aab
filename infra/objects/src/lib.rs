//! The embedded S3 server: the protocol by s3s, the storage a folder of plain files, on loopback.
//!
//! It stands in for a real object store on one machine and in tests. It deliberately knows nothing of what is stored.
//! The storage is our own and not `s3s-fs`: that keeps two side files an object, named by the encoded key, which no file
//! system takes for keys over some 130 bytes; it walks the whole bucket to list one folder, and reads in pieces of 4 kB.

mod error;
mod multipart;
mod object;
mod server;
mod storage;

pub use error::ObjectsError;
pub use server::{Options, Server};
