//! What holds of every file, whatever is in it: a parser answers, with a reason where it refuses, and never panics. The tests try
//! spoilt files (`fuzz.rs`), `cargo xtask fuzz` those that reach new code.

use std::path::Path;

use anneal_model::gguf::Gguf;
use anneal_model::weights::SafeTensors;
use anneal_model::{ChatTemplate, RenderOptions, Source, Tokenizer};
use serde_json::{Map, Value, json};

/// Calls `read` with the path of a file of this name and content.
pub(crate) fn written(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&path);
}

pub(crate) fn check_gguf(file: &[u8]) {
    written("model.gguf", file, |path| {
        let gguf = match Gguf::open(path) {
            Ok(gguf) => gguf,
            Err(error) => {
                assert!(error.is_input() && !error.to_string().is_empty(), "{error}");
                return;
            }
        };
        for name in gguf.tensor_names() {
            // A tensor's values fit in a small multiple of the file: blocks hold at least two bits a weight.
            let values = gguf.read_f32(name).unwrap();
            assert!(values.len() <= 8 * file.len());
        }
        if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf) {
            let _ = tokenizer.encode("Hello, wörld 123\n", true);
        }
        let _ = ChatTemplate::from_gguf(&gguf);
        if let Ok(source) = Source::open(path) {
            source.tensor_names().iter().for_each(|name| drop(source.tensor(name)));
        }
    });
}

pub(crate) fn check_safetensors(file: &[u8]) {
    written("model.safetensors", file, |path| match SafeTensors::open(path) {
        Ok(weights) => {
            for name in weights.names() {
                if let Ok((shape, values)) = weights.read_f32(name) {
                    assert_eq!(shape.iter().product::<usize>(), values.len());
                    assert!(values.len() <= file.len());
                }
            }
        }
        Err(error) => assert!(error.is_input() && !error.to_string().is_empty(), "{error}"),
    });
}

pub(crate) fn check_sentencepiece(file: &[u8]) {
    written("tokenizer.model", file, |path| match Tokenizer::from_folder(path.parent().unwrap(), None) {
        Ok(tokenizer) => drop(tokenizer.encode("Hello, wörld 123\n", true)),
        Err(error) => assert!(error.is_input() && !error.to_string().is_empty(), "{error}"),
    });
}

pub(crate) fn check_template(file: &[u8]) {
    let source = String::from_utf8_lossy(file);
    let tokens = Map::from_iter([("bos_token".to_owned(), json!("<s>"))]);
    let Ok(template) = ChatTemplate::new(source, tokens) else { return };
    let mut context: Map<String, Value> = Map::new();
    context.insert(
        "messages".to_owned(),
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "what's 2 + 2? é"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": [2.5, true]}}}]},
            {"role": "tool", "content": "4"},
        ]),
    );
    context.insert("tools".to_owned(), json!([{"type": "function", "function": {"name": "add"}}]));
    context.insert("add_generation_prompt".to_owned(), json!(true));
    let once = template.render_context(&context, None);
    if let Err(error) = &once {
        assert!(!error.to_string().is_empty());
    }
    let again = template.render_context(&context, RenderOptions::default().now);
    assert_eq!(once.ok(), again.ok(), "a template renders the same twice");
}
