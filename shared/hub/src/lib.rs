//! A client of the Hugging Face hub, or of a mirror that speaks its HTTP API: what a repository holds at a revision, which of
//! it is a model or a dataset, and its files, resumed where a download broke off and checked against the hub's own hashes.
//!
//! It knows no platform: what becomes of the files is its caller's matter. Nothing that it fetches is ever run.

mod choose;
mod client;
mod config;
mod download;
mod error;
mod repo;

pub use choose::{Chosen, DatasetChoice, dataset_files, model_files};
pub use client::{Hub, RemoteFile, Snapshot};
pub use config::HubConfig;
pub use error::HubError;
pub use repo::{Repo, RepoKind, Revision};
