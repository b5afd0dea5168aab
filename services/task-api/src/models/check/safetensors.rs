//! The header of a safetensors file. Source: the format's description in the `safetensors` repository (version 0.4 on).

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

/// Longer headers are refused, as by the reference implementation.
const LARGEST_HEADER: u64 = 100_000_000;

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Tensors in file order; a name that comes twice is an error.
struct Header(Vec<(String, Tensor)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Tensors)
    }
}

struct Tensors;

impl<'de> Visitor<'de> for Tensors {
    type Value = Header;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut tensors = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(serde::de::Error::custom("a tensor name comes twice"));
            }
            if name == "__metadata__" {
                map.next_value::<Value>()?;
            } else {
                tensors.push((name, map.next_value()?));
            }
        }
        Ok(Header(tensors))
    }
}

/// Where the header ends, by the file's first eight bytes.
pub(in crate::models) fn header_end(head: &[u8], file_bytes: u64) -> Result<u64, String> {
    let length = head.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    let length = length.ok_or("is shorter than its header's length field")?;
    if length > LARGEST_HEADER || length.checked_add(8).is_none_or(|end| end > file_bytes) {
        return Err(format!("claims a header of {length} bytes: the file is corrupt or cut off"));
    }
    Ok(length + 8)
}

/// How many parameters the file holds, or why it is corrupt. `head` begins the file and holds its header.
pub(in crate::models) fn parameters(head: &[u8], file_bytes: u64) -> Result<u64, String> {
    let header_end = header_end(head, file_bytes)?;
    let end = usize::try_from(header_end).unwrap_or(usize::MAX);
    let json = head.get(8..end).ok_or("breaks off inside its header")?;
    let Header(mut tensors) =
        serde_json::from_slice(json).map_err(|error| format!("has an unusable header: {error}"))?;
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let (mut at, mut count) = (0_u64, 0_u64);
    for (name, tensor) in &tensors {
        let shown: String = name.chars().take(80).collect();
        let elements = tensor.shape.iter().try_fold(1_u64, |product, n| product.checked_mul(*n));
        let bytes = elements.and_then(|n| n.checked_mul(bits(&tensor.dtype)?)).map(|bits| bits / 8);
        let [start, stop] = tensor.data_offsets;
        if start != at || bytes.is_none() || stop.checked_sub(start) != bytes {
            return Err(format!("tensor `{shown}`: shape, type and place do not fit together"));
        }
        at = stop;
        count = count.saturating_add(elements.unwrap_or(0));
    }
    if at.checked_add(header_end) != Some(file_bytes) {
        return Err(
            "its tensors do not fill the file exactly: it is cut off or has trailing bytes".to_owned()
        );
    }
    Ok(count)
}

fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F64" | "I64" | "U64" => 64,
        "F32" | "I32" | "U32" => 32,
        "F16" | "BF16" | "I16" | "U16" => 16,
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => 8,
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn check(header: &str, data: usize) -> Result<u64, String> {
        let bytes = file(header, data);
        parameters(&bytes, bytes.len() as u64)
    }

    #[test]
    fn a_sound_header_is_counted() {
        let header =
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
        assert_eq!(check(header, 24).unwrap(), 6);
    }

    #[test]
    fn corrupt_headers_are_refused() {
        assert!(parameters(&u64::MAX.to_le_bytes(), 8).is_err());
        assert!(parameters(b"abc", 3).is_err());
        let tensor = |shape: &str, offsets: &str| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        assert!(check(&tensor("[4]", "[0,16]"), 20).is_err(), "trailing bytes");
        assert!(check(&tensor("[4]", "[0,16]"), 8).is_err(), "cut off");
        assert!(check(&tensor("[4611686018427387904,4]", "[0,16]"), 16).is_err(), "overflow");
        assert!(check(&tensor("[4]", "[8,24]"), 24).is_err(), "a gap");
        let twice = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
        assert!(check(twice, 1).is_err(), "a duplicate name");
        let overlap = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
        assert!(check(overlap, 3).is_err(), "overlapping tensors");
    }
}
