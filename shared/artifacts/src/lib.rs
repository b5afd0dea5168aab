//! The only user of aws-sdk-s3: immutable hashed objects and folders with a manifest, and presigned links.
//!
//! Keys are built from typed ids only ([`Prefix`], [`Key`]). A folder is real once its `manifest.json` is written, which
//! happens last; whoever fetches it checks every size and SHA-256. This room deliberately does not know what is stored.

mod config;
mod error;
mod folder;
mod get;
mod hash;
mod key;
mod list;
mod manifest;
mod multipart;
mod presign;
mod put;
mod store;

pub use config::ObjectsConfig;
pub use error::ArtifactError;
pub use folder::Folder;
pub use get::Body;
pub use hash::{Stored, sha256_of_file};
pub use key::{Key, KeyError, Prefix};
pub use list::Listed;
pub use manifest::{MANIFEST, Manifest, ManifestFile};
pub use store::ObjectStore;
