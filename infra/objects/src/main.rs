//! The embedded S3 server: s3s over a folder, on loopback.

fn main() {}
