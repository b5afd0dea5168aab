//! The only user of async-nats: publish, consume, acknowledge, dead letters, request and reply.
