//! From tokens to the text a client may see: whole characters only, nothing of a stop string.

mod detokenizer;
mod stops;

pub(crate) use detokenizer::Detokenizer;
pub(crate) use stops::Stops;
