//! A base model and an adapter made one.

use std::path::Path;

use super::adapter::StoredAdapter;
use super::folder::{FolderParts, save_hf_folder};
use super::writer::StoredType;
use crate::decoder::Linear;
use crate::error::Result;
use crate::source::Source;

/// Writes `base + scale * B A` as a Hugging Face folder, with the base's tokenizer and template.
pub fn merge_adapter(base: &Source, adapter: &Path, folder: &Path, stored: StoredType) -> Result<()> {
    let adapter = StoredAdapter::open(adapter)?;
    let config = base.config();
    adapter.check_fits(config)?;
    let tokenizer = base.tokenizer()?;
    let template = base.chat_template()?;
    let parts = FolderParts { config, tokenizer: &tokenizer, chat_template: template.as_ref(), stored };
    save_hf_folder(folder, parts, |name| {
        let weight = base.tensor(name)?;
        match adapted(name).filter(|(_, linear)| adapter.config.targets.includes(*linear)) {
            Some((layer, linear)) => {
                let (a, b) = adapter.matrices(layer, linear, config, weight.device())?;
                Ok((weight + (b.matmul(&a)? * adapter.config.scale())?)?)
            }
            None => Ok(weight),
        }
    })
}

/// The layer and linear of a weight's name.
fn adapted(name: &str) -> Option<(usize, Linear)> {
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let path = rest.strip_suffix(".weight")?;
    let linear = Linear::ALL.into_iter().find(|l| l.path() == path)?;
    Some((layer.parse().ok()?, linear))
}
