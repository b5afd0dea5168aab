//! GGUF files byte by byte, right or wrong on purpose.

/// A file under construction; every count can be overruled.
#[derive(Clone, Default)]
pub(crate) struct GgufBytes {
    pub(crate) metadata: Vec<u8>,
    pub(crate) values: u64,
    pub(crate) table: Vec<u8>,
    pub(crate) tensors: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) version: Option<u32>,
    pub(crate) value_count: Option<u64>,
    pub(crate) tensor_count: Option<u64>,
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl GgufBytes {
    /// A value with its type's number and its bytes as they are.
    pub(crate) fn raw(mut self, key: &str, kind: u32, bytes: &[u8]) -> Self {
        self.metadata.extend([&string(key), &kind.to_le_bytes()[..], bytes].concat());
        self.values += 1;
        self
    }

    pub(crate) fn number(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    pub(crate) fn float(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    pub(crate) fn flag(self, key: &str, value: bool) -> Self {
        self.raw(key, 7, &[u8::from(value)])
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, 8, &string(value))
    }

    pub(crate) fn texts(self, key: &str, values: &[String]) -> Self {
        let mut bytes = [&8_u32.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
        for v in values {
            bytes.extend(string(v));
        }
        self.raw(key, 9, &bytes)
    }

    pub(crate) fn integers(self, key: &str, values: &[i32]) -> Self {
        let mut bytes = [&5_u32.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
        for v in values {
            bytes.extend(v.to_le_bytes());
        }
        self.raw(key, 9, &bytes)
    }

    pub(crate) fn floats(self, key: &str, values: &[f32]) -> Self {
        let mut bytes = [&6_u32.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
        for v in values {
            bytes.extend(v.to_le_bytes());
        }
        self.raw(key, 9, &bytes)
    }

    /// A table entry as it is given (sizes innermost first).
    pub(crate) fn entry(mut self, name: &str, dims: &[u64], kind: u32, offset: u64) -> Self {
        self.table.extend([&string(name), &(dims.len() as u32).to_le_bytes()[..]].concat());
        for d in dims {
            self.table.extend(d.to_le_bytes());
        }
        self.table.extend([&kind.to_le_bytes()[..], &offset.to_le_bytes()].concat());
        self.tensors += 1;
        self
    }

    /// An f32 tensor, aligned, with its data. `shape` is outermost first.
    pub(crate) fn tensor(mut self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        self.data.resize(self.data.len().next_multiple_of(32), 0);
        let offset = self.data.len() as u64;
        for v in values {
            self.data.extend(v.to_le_bytes());
        }
        let dims: Vec<u64> = shape.iter().rev().map(|&n| n as u64).collect();
        self.entry(name, &dims, 0, offset)
    }

    pub(crate) fn data(mut self, bytes: &[u8]) -> Self {
        self.data.extend(bytes);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.unwrap_or(3).to_le_bytes());
        file.extend(self.tensor_count.unwrap_or(self.tensors).to_le_bytes());
        file.extend(self.value_count.unwrap_or(self.values).to_le_bytes());
        file.extend(&self.metadata);
        file.extend(&self.table);
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(&self.data);
        file
    }

    pub(crate) fn write(&self, path: &std::path::Path) {
        std::fs::write(path, self.bytes()).unwrap();
    }
}
