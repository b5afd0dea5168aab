//! From candle storage to plain f32 slices and back: the only place that knows how a tensor is stored.

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

/// The contiguous f32 elements of a CPU storage.
pub(crate) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((from, to)) = layout.contiguous_offsets() else { bail!("a kernel needs a contiguous tensor") };
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// Runs `f` over the contiguous f32 elements of a CPU tensor.
pub fn with_floats<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => f(floats(cpu, layout)?),
        _ => bail!("a CPU kernel was given a tensor of another device"),
    }
}

/// A new CPU storage with its shape, as custom operations return it.
pub(crate) fn stored(values: Vec<f32>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), shape.into())
}

/// A new CPU tensor outside any graph.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &candle_core::Device::Cpu)
}

/// Whether the CPU kernels can take this tensor.
pub(crate) fn on_cpu(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}
