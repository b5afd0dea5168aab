//! `config.json` of a Hugging Face folder.

use serde_json::Value;

/// Architectures that the platform's decoder computes.
const KNOWN: [&str; 1] = ["LlamaForCausalLM"];

/// The architecture's name, or why the configuration cannot be used.
pub(in crate::models) fn read(bytes: &[u8]) -> Result<String, String> {
    let config: Value = serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
    let name = config
        .get("architectures")
        .and_then(|list| list.get(0))
        .and_then(Value::as_str)
        .ok_or("names no architecture under `architectures`")?;
    if KNOWN.contains(&name) {
        return Ok(name.to_owned());
    }
    let shown: String = name.chars().take(80).collect();
    Err(format!("architecture `{shown}` is not supported yet; supported: {}", KNOWN.join(", ")))
}
