//! A mock clock, builders, and a real NATS and S3 started for a test.
