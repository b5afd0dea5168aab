//! HTTP API, tasks, datasets, models, deployments, users, and the projections of events.
//!
//! A request walks `routes` (HTTP) or `background::answers` (the broker) into the core (`tasks`, `models`, `datasets`,
//! `deployments`, `imports`, `access`), which works on an open transaction of `store`; what must be told leaves through the outbox
//! with that transaction. `projections` read the streams back. This service owns the truth about tasks; it computes
//! nothing itself but what `evaluations` say together.

mod access;
mod app;
mod background;
mod builtins;
mod config;
mod datasets;
mod deployments;
mod discarded;
mod error;
mod evaluations;
mod form;
mod http;
mod imports;
mod models;
mod projections;
mod routes;
mod service;
mod store;
mod tasks;
mod wakes;
mod work_folder;

pub use config::{Config, Database};
pub use error::Error;
pub use routes::openapi;
pub use service::{Running, start};

pub(crate) use app::App;
