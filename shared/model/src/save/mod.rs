//! Writing models so that transformers and PEFT load them: full folders, adapters, merged models.

pub(crate) mod adapter;
mod folder;
mod merge;
mod writer;

pub use adapter::save_adapter;
pub use folder::{FolderParts, save_hf_folder};
pub use merge::merge_adapter;
pub use writer::{StoredType, write_safetensors};
