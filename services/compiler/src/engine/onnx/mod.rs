//! Writing ONNX files: messages, graph building, and where tensors are kept.

mod builder;
pub(crate) mod proto;
mod store;

pub(crate) use builder::{Dim, GraphBuilder, MICROSOFT};
pub(crate) use proto::{Attribute, DataType};
pub(crate) use store::{INLINE_LIMIT_BYTES, TensorStore};
