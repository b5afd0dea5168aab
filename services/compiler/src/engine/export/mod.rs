//! The files of a compiled folder besides the graph.

mod folder;
mod genai_config;
mod manifest;

pub(crate) use folder::{digests, write_companions, write_json};
pub(crate) use manifest::write_manifest;
