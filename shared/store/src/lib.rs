//! Database plumbing: connect (SQLite or PostgreSQL), migrations, outbox, inbox.
