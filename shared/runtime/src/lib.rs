//! Configuration, clock, tracing, health and shutdown of a service process.
