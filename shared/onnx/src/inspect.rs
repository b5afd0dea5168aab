//! What a model would make ONNX Runtime open: checked before ONNX Runtime sees the file.
//!
//! Owns the rules for external data and operator domains; it does not judge the graph otherwise.
//! Field numbers: `onnx.proto3` of ONNX 1.23 (IR version 13).

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufReader},
    path::{Component, Path, PathBuf},
};

use crate::{
    Error, Result,
    wire::{Payload, Wire},
};

/// Operator sets that every build of ONNX Runtime has in itself.
const BUILT_IN_DOMAINS: [&str; 5] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"];
/// Graphs inside attributes inside functions: real models nest two or three deep.
const DEPTH: u32 = 32;

/// What a model file refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Operator domains of its nodes, functions and opset imports.
    pub domains: BTreeSet<String>,
    /// Files (relative to the model's folder) that hold its external data.
    pub external_files: BTreeSet<String>,
}

#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Function,
    OperatorSet,
}

impl Message {
    /// The messages that matter among the fields of this one.
    const fn child(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Model, 8) | (Self::Function, 9) => Self::OperatorSet,
            _ => return None,
        })
    }

    /// The field that names an operator domain.
    const fn domain_field(self) -> u64 {
        match self {
            Self::Node => 7,
            Self::OperatorSet => 1,
            Self::Function => 10,
            _ => 0,
        }
    }
}

struct Walk {
    wire: Wire<BufReader<File>>,
    folder: PathBuf,
    found: Inspection,
}

/// Reads `model` (`…/model.onnx`) and refuses external data outside its folder and custom operators.
///
/// # Errors
/// [`Error::UnsafeExternalData`], [`Error::CustomOperators`], [`Error::Malformed`], [`Error::File`].
pub fn inspect(model: &Path) -> Result<Inspection> {
    let file_error = |source| Error::File { path: model.to_owned(), source };
    let file = File::open(model).map_err(file_error)?;
    let length = file.metadata().map_err(file_error)?.len();
    let folder = model.parent().unwrap_or(Path::new(".")).to_owned();
    let mut walk = Walk { wire: Wire::new(BufReader::new(file)), folder, found: Inspection::default() };
    walk.message(Message::Model, length, 0).map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Read(source) => Error::Malformed {
            path: model.to_owned(),
            reason: format!("{source} (at byte {})", walk.wire.position()),
        },
    })?;
    Ok(walk.found)
}

enum Stop {
    Refused(Error),
    Read(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Walk {
    fn message(&mut self, message: Message, length: u64, depth: u32) -> Result<(), Stop> {
        if depth > DEPTH {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "graphs nested too deep").into());
        }
        let end = self.wire.position() + length;
        if matches!(message, Message::Tensor) {
            return self.tensor(end);
        }
        while let Some((field, payload)) = self.wire.field(end)? {
            let Payload::Bytes(bytes) = payload else { continue };
            if field == message.domain_field() {
                let domain = self.wire.text(bytes)?;
                if !BUILT_IN_DOMAINS.contains(&domain.as_str()) {
                    return Err(Stop::Refused(Error::CustomOperators { domain }));
                }
                self.found.domains.insert(domain);
            } else if let Some(child) = message.child(field) {
                self.message(child, bytes, depth + 1)?;
            } else {
                self.wire.skip(bytes)?;
            }
        }
        Ok(())
    }

    /// `TensorProto`: name (8), external_data (13, `StringStringEntryProto` of key 1 and value 2).
    fn tensor(&mut self, end: u64) -> Result<(), Stop> {
        let (mut name, mut location) = (String::new(), None);
        while let Some((field, payload)) = self.wire.field(end)? {
            match (field, payload) {
                (8, Payload::Bytes(bytes)) => name = self.wire.text(bytes)?,
                (13, Payload::Bytes(bytes)) => {
                    let (key, value) = self.entry(bytes)?;
                    if key == "location" {
                        location = Some(value);
                    }
                }
                (_, Payload::Bytes(bytes)) => self.wire.skip(bytes)?,
                (_, Payload::Number) => {}
            }
        }
        let Some(location) = location else { return Ok(()) };
        check_location(&self.folder, &location).map_err(|reason| {
            Stop::Refused(Error::UnsafeExternalData { tensor: name, location: location.clone(), reason })
        })?;
        self.found.external_files.insert(location);
        Ok(())
    }

    fn entry(&mut self, length: u64) -> Result<(String, String), Stop> {
        let end = self.wire.position() + length;
        let (mut key, mut value) = (String::new(), String::new());
        while let Some((field, payload)) = self.wire.field(end)? {
            match (field, payload) {
                (1, Payload::Bytes(bytes)) => key = self.wire.text(bytes)?,
                (2, Payload::Bytes(bytes)) => value = self.wire.text(bytes)?,
                (_, Payload::Bytes(bytes)) => self.wire.skip(bytes)?,
                (_, Payload::Number) => {}
            }
        }
        Ok((key, value))
    }
}

fn check_location(folder: &Path, location: &str) -> Result<(), &'static str> {
    let path = Path::new(location);
    if path.is_absolute() || location.contains(['\\', ':', '\0']) {
        return Err("an absolute path");
    }
    let mut reached = folder.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(name) => reached.push(name),
            Component::CurDir => {}
            _ => return Err("a path that leaves the folder"),
        }
        match fs::symlink_metadata(&reached) {
            Ok(metadata) if metadata.is_symlink() => return Err("a symbolic link"),
            Ok(_) => {}
            Err(_) => return Err("no such file"),
        }
    }
    if reached.is_file() { Ok(()) } else { Err("not a file") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// One length-delimited field.
    fn bytes(field: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![field << 3 | 2];
        let mut length = payload.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(payload);
        out
    }

    fn model_with_external(location: &str) -> Vec<u8> {
        let entry = [bytes(1, b"location"), bytes(2, location.as_bytes())].concat();
        let tensor = [bytes(8, b"w"), vec![14 << 3, 1], bytes(13, &entry)].concat();
        bytes(7, &bytes(5, &tensor))
    }

    fn inspect_bytes(folder: &Path, model: &[u8]) -> Result<Inspection> {
        let path = folder.join("model.onnx");
        fs::write(&path, model).unwrap();
        inspect(&path)
    }

    #[test]
    fn external_data_inside_the_folder_is_accepted_and_outside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("weights"), b"w").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link")).unwrap();
        let found = inspect_bytes(folder.path(), &model_with_external("weights")).unwrap();
        assert_eq!(found.external_files.into_iter().collect::<Vec<_>>(), ["weights"]);
        for (location, expected) in [
            ("../weights", "a path that leaves the folder"),
            ("a/../../weights", "no such file"),
            ("/etc/hostname", "an absolute path"),
            ("C:\\weights", "an absolute path"),
            ("link", "a symbolic link"),
            ("missing", "no such file"),
            (".", "not a file"),
        ] {
            match inspect_bytes(folder.path(), &model_with_external(location)) {
                Err(Error::UnsafeExternalData { reason, tensor, .. }) => {
                    assert_eq!((reason, tensor.as_str()), (expected, "w"), "{location}");
                }
                other => panic!("{location}: {other:?}"),
            }
        }
    }

    #[test]
    fn custom_operators_are_refused_even_inside_a_nested_graph() {
        let folder = tempfile::tempdir().unwrap();
        let inner = bytes(1, &bytes(7, b"evil.ops"));
        let node = bytes(5, &bytes(6, &inner));
        let model = bytes(7, &bytes(1, &node));
        let error = inspect_bytes(folder.path(), &model).unwrap_err();
        assert!(error.to_string().contains("evil.ops"), "{error}");
    }

    #[test]
    fn garbage_is_an_error_that_says_where() {
        let folder = tempfile::tempdir().unwrap();
        for garbage in [
            &b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..],
            b"\x3a\xff\x01",
            b"PK\x03\x04",
            b"\x80",
        ] {
            let error = inspect_bytes(folder.path(), garbage).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
        }
        let mut deep = Vec::new();
        for _ in 0..40 {
            deep = bytes(1, &bytes(5, &bytes(6, &deep)));
        }
        assert!(matches!(inspect_bytes(folder.path(), &bytes(7, &deep)), Err(Error::Malformed { .. })));
    }
}
