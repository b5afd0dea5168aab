//! Nodes, constants, inputs and outputs in the order they are added; writes `model.onnx`.

use std::{collections::HashSet, fs, path::Path};

use half::f16;
use prost::Message;

use super::{
    proto::{
        Attribute, DataType, Dimension, Graph, Model, Node, OperatorSet, Shape, Size, Tensor, TensorType,
        Type, ValueInfo,
    },
    store::TensorStore,
};
use crate::engine::error::{Error, Result};

/// ONNX Runtime's own operator domain, built into every build of it.
pub(crate) const MICROSOFT: &str = "com.microsoft";
/// The newest operator set whose `RMSNormalization` we need, and its IR version.
const OPSET: i64 = 23;
const IR_VERSION: i64 = 11;

/// One dimension of an input or output.
#[derive(Clone, Copy)]
pub(crate) enum Dim<'a> {
    /// Fixed size.
    Of(usize),
    /// Symbol.
    Any(&'a str),
}

/// A graph being written.
pub(crate) struct GraphBuilder {
    graph: Graph,
    store: TensorStore,
    constants: HashSet<String>,
}

impl GraphBuilder {
    pub(crate) fn new(name: &str, store: TensorStore) -> Self {
        Self { graph: Graph { name: name.to_owned(), ..Graph::default() }, store, constants: HashSet::new() }
    }

    /// A node of ONNX's own operators with one output, named after the node; returns the output.
    pub(crate) fn op(&mut self, name: &str, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let output = format!("{name}/output_0");
        self.node("", name, op, inputs, &[&output], attributes);
        output
    }

    /// The same of ONNX Runtime's operators.
    pub(crate) fn ms(&mut self, name: &str, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let output = format!("{name}/output_0");
        self.node(MICROSOFT, name, op, inputs, &[&output], attributes);
        output
    }

    /// Any node.
    pub(crate) fn node(
        &mut self,
        domain: &str,
        name: &str,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<Attribute>,
    ) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.graph.node.push(Node {
            input: owned(inputs),
            output: owned(outputs),
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
    }

    fn constant(&mut self, name: &str, kind: DataType, dims: &[i64], bytes: Vec<u8>) -> Result<String> {
        if self.constants.insert(name.to_owned()) {
            let tensor: Tensor = self.store.put(name, kind, dims, bytes)?;
            self.graph.initializer.push(tensor);
        }
        Ok(name.to_owned())
    }

    /// A constant of 32-bit floats; a name already present is left as it is.
    pub(crate) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<String> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, DataType::Float, &signed(dims), bytes)
    }

    /// A constant of half-precision floats, rounded from `values`.
    pub(crate) fn halves(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<String> {
        let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        self.constant(name, DataType::Float16, &signed(dims), bytes)
    }

    /// A constant of bytes.
    pub(crate) fn bytes(&mut self, name: &str, dims: &[usize], values: Vec<u8>) -> Result<String> {
        self.constant(name, DataType::Uint8, &signed(dims), values)
    }

    /// A constant of 64-bit integers; a scalar when `dims` is empty.
    pub(crate) fn integers(&mut self, name: &str, dims: &[usize], values: &[i64]) -> Result<String> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, DataType::Int64, &signed(dims), bytes)
    }

    /// A vector of 64-bit integers, named by its content.
    pub(crate) fn shape(&mut self, values: &[i64]) -> Result<String> {
        let name = values.iter().fold("shape".to_owned(), |name, value| format!("{name}_{value}"));
        self.integers(&name, &[values.len()], values)
    }

    pub(crate) fn input(&mut self, name: &str, kind: DataType, dims: &[Dim]) {
        self.graph.input.push(value_info(name, kind, dims));
    }

    pub(crate) fn output(&mut self, name: &str, kind: DataType, dims: &[Dim]) {
        self.graph.output.push(value_info(name, kind, dims));
    }

    /// Writes `folder/model.onnx` and what lies beside it.
    pub(crate) fn write(self, folder: &Path) -> Result<()> {
        self.store.finish()?;
        let set = |domain: &str, version| OperatorSet { domain: domain.to_owned(), version };
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: "anneal".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![set("", OPSET), set(MICROSOFT, 1)],
        };
        let path = folder.join("model.onnx");
        fs::write(&path, model.encode_to_vec()).map_err(|source| Error::file(&path, source))
    }
}

fn signed(dims: &[usize]) -> Vec<i64> {
    dims.iter().map(|&size| size as i64).collect()
}

fn value_info(name: &str, kind: DataType, dims: &[Dim]) -> ValueInfo {
    let dim = dims.iter().map(|dim| Dimension {
        size: Some(match dim {
            Dim::Of(size) => Size::Value(*size as i64),
            Dim::Any(symbol) => Size::Symbol((*symbol).to_owned()),
        }),
    });
    let tensor_type = TensorType { elem_type: kind as i32, shape: Some(Shape { dim: dim.collect() }) };
    ValueInfo { name: name.to_owned(), kind: Some(Type { tensor_type: Some(tensor_type) }) }
}
