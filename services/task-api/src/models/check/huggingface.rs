//! `config.json` of a Hugging Face folder.

use serde_json::Value;

use super::Facts;

/// Architectures that the platform's decoder computes.
const KNOWN: [&str; 1] = ["LlamaForCausalLM"];

/// Positions of a Llama whose configuration names none: `LlamaConfig` of the transformers library.
const DEFAULT_POSITIONS: u64 = 2048;

/// The architecture and the context, or why the configuration cannot be used.
pub(in crate::models) fn read(bytes: &[u8]) -> Result<Facts, String> {
    let config: Value = serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
    let name = config
        .get("architectures")
        .and_then(|list| list.get(0))
        .and_then(Value::as_str)
        .ok_or("names no architecture under `architectures`")?;
    if KNOWN.contains(&name) {
        let positions = config.get("max_position_embeddings").and_then(Value::as_u64);
        return Ok(Facts {
            architecture: Some(name.to_owned()),
            context_tokens: Some(positions.unwrap_or(DEFAULT_POSITIONS)),
            ..Facts::default()
        });
    }
    let shown: String = name.chars().take(80).collect();
    Err(format!("architecture `{shown}` is not supported yet; supported: {}", KNOWN.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_architecture_and_the_context_are_read() {
        let known = br#"{"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 8192}"#;
        assert_eq!(read(known).map(|facts| facts.context_tokens), Ok(Some(8192)));
        let silent = br#"{"architectures": ["LlamaForCausalLM"]}"#;
        assert_eq!(read(silent).map(|facts| facts.context_tokens), Ok(Some(2048)));
        assert!(read(br#"{"architectures": ["Evil"]}"#).is_err() && read(b"{}").is_err());
    }
}
