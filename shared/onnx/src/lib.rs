//! The only user of ort: loads ONNX Runtime and runs an exported decoder with its key-value cache.
