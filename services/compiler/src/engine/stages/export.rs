//! Writing the artifact's graph.

use std::{fs, path::Path};

use crate::engine::{
    error::{Error, Result},
    graph::write_decoder,
    job::Job,
    onnx::INLINE_LIMIT_BYTES,
    quantize::Plan,
    reporter::Reporter,
    weights::Weights,
};

pub(crate) fn export(
    job: &Job,
    weights: &Weights,
    plan: &Plan,
    artifact: &Path,
    reporter: &mut Reporter,
) -> Result<()> {
    reporter.stage("export", |reporter| {
        fs::create_dir_all(artifact).map_err(|source| Error::file(artifact, source))?;
        let layers = weights.config().layers;
        write_decoder(artifact, weights, &job.recipe(), plan, INLINE_LIMIT_BYTES, |layer| {
            reporter.progress(layer + 1, layers, "layers")
        })
    })
}
