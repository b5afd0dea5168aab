//! What a run's weights are built on, as one number: an adapter continued on another base would be another model.

use anneal_contracts::engine::Method;
use anneal_model::Source;
use rayon::prelude::*;

use super::{Error, Result};

/// Values that are turned into bytes at a time.
const CHUNK: usize = 1 << 14;

/// CRC-32C of the configuration and, under an adapter, of every tensor of the base in f32, however it is stored. A run of
/// `full` has all its weights in its checkpoints.
pub(crate) fn checksum(source: &Source, method: Method) -> Result<u32> {
    let config = source.config();
    let sum = crc32c::crc32c(config.to_huggingface("float32").to_string().as_bytes());
    if method == Method::Full {
        return Ok(sum);
    }
    let shapes = config.tensor_shapes();
    let sums: Vec<u32> = shapes.par_iter().map(|(name, _)| of_tensor(source, name)).collect::<Result<_>>()?;
    let of_all = sums.into_iter().zip(&shapes).fold(sum, |sum, (of_tensor, (name, _))| {
        crc32c::crc32c_append(crc32c::crc32c_append(sum, name.as_bytes()), &of_tensor.to_le_bytes())
    });
    Ok(of_all)
}

fn of_tensor(source: &Source, name: &str) -> Result<u32> {
    let values = source.tensor(name).map_err(Error::model("model"))?.flatten_all()?.to_vec1::<f32>()?;
    let mut bytes = Vec::with_capacity(4 * CHUNK);
    Ok(values.chunks(CHUNK).fold(0, |sum, chunk| {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        crc32c::crc32c_append(sum, &bytes)
    }))
}
