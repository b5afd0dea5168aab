//! Every parser of this room on spoilt files: it answers, with a reason where it refuses, and never panics.
//!
//! `PROPTEST_CASES` sets how many files are tried of each kind (256 by default). A file that fails is kept in cargo's folder
//! for test files; copied to `tests/corpus/<kind>/`, it is tried first from then on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anneal_model::gguf::Gguf;
use anneal_model::weights::SafeTensors;
use anneal_model::{ChatTemplate, RenderOptions, Source, Tokenizer};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::gguf_bytes::GgufBytes;
use crate::mutation::{mutations, spoilt};

/// Runs `check` on a file; where it panics the file is kept.
fn survives(kind: &str, file: &[u8], check: fn(&[u8])) {
    if catch_unwind(AssertUnwindSafe(|| check(file))).is_err() {
        let digest = Sha256::digest(file);
        let name = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}-{name:08x}"));
        std::fs::write(&kept, file).unwrap();
        panic!("the file is kept: {}", kept.display());
    }
}

/// What was once found.
fn findings(kind: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        survives(kind, &std::fs::read(entry.unwrap().path()).unwrap(), check);
        count += 1;
    }
    assert!(count > 0, "no {kind} files");
}

/// Calls `read` with the path of a file of this name and content.
fn written(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&path);
}

fn check_gguf(file: &[u8]) {
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

fn gguf_files() -> Vec<Vec<u8>> {
    let tokens: Vec<String> = ["<unk>", "<s>", "a", "b", "ab", "<0x41>"].map(str::to_owned).to_vec();
    let base = || {
        GgufBytes::default()
            .text("general.architecture", "llama")
            .number("llama.embedding_length", 4)
            .number("llama.block_count", 1)
            .number("llama.feed_forward_length", 4)
            .number("llama.attention.head_count", 2)
            .number("llama.context_length", 16)
            .float("llama.rope.freq_base", 10_000.0)
            .texts("tokenizer.ggml.tokens", &tokens)
            .integers("tokenizer.ggml.token_type", &[2, 3, 1, 1, 1, 6])
            .number("tokenizer.ggml.bos_token_id", 1)
            .text("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}")
    };
    let spm = base()
        .text("tokenizer.ggml.model", "llama")
        .floats("tokenizer.ggml.scores", &[0.0, 0.0, -1.0, -2.0, -3.0, 0.0])
        .tensor("token_embd.weight", &[6, 4], &[0.5; 24])
        .tensor("rope_freqs.weight", &[1], &[1.0]);
    let bpe = base()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "llama-bpe")
        .texts("tokenizer.ggml.merges", &["a b".to_owned()])
        .entry("q4_0", &[32, 1], 2, 0)
        .data(&[0x42; 18]);
    [spm, bpe].iter().map(GgufBytes::bytes).collect()
}

fn check_safetensors(file: &[u8]) {
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

const SAFETENSORS_HEADER: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]}}"#;

/// A file whose length field is that of its header.
fn safetensors(header: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, &[1; 24]].concat()
}

fn check_sentencepiece(file: &[u8]) {
    written("tokenizer.model", file, |path| match Tokenizer::from_folder(path.parent().unwrap(), None) {
        Ok(tokenizer) => drop(tokenizer.encode("Hello, wörld 123\n", true)),
        Err(error) => assert!(error.is_input() && !error.to_string().is_empty(), "{error}"),
    });
}

/// A protocol buffer's field of bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn sentencepiece() -> Vec<u8> {
    let piece = |text: &str, kind: u8| {
        let score = [2 << 3 | 5, 0, 0, 128, 63, 3 << 3, kind];
        field(1, &[field(1, text.as_bytes()), score.to_vec()].concat())
    };
    let pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<0x41>", 6), ("▁a", 1), ("b", 1), ("▁ab", 1)];
    let mut file: Vec<u8> = pieces.iter().flat_map(|(text, kind)| piece(text, *kind)).collect();
    file.extend(field(2, &[3 << 3, 2]));
    file
}

fn check_template(file: &[u8]) {
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

const TEMPLATES: [&str; 3] = [
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']|string + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "{{- bos_token }}\n{%- set ns = namespace(n=0, last=none) %}\n{%- for m in messages[::-1] if m.role != 'system' -%}\n  {%- set ns.n = ns.n + 1 -%}\n  {%- if m.tool_calls is defined and m.tool_calls -%}\n    {%- for call in m.tool_calls -%}{{ call.function.arguments | tojson(indent=2) }}{%- endfor -%}\n  {%- elif m.content is string and m.content.startswith('what') -%}{{ m.content.split(' ')[0] | upper }}\n  {%- else -%}{{ loop.index0 ~ ':' ~ (m.content | trim) }}{%- endif -%}\n{%- endfor -%}\n{{ ns.n }}",
    "{% macro show(tool, depth=0) %}{% if tool is mapping %}{% for key, value in tool | dictsort %}{{ '  ' * depth }}{{ key }}={{ show(value, depth + 1) }}{% endfor %}{% else %}{{ tool }}{% endif %}{% endmacro %}{% for tool in tools or [] %}{{ show(tool) }}{% endfor %}{{ strftime_now('%d %b %Y') }}{% if messages|length > 9 %}{{ raise_exception('too long') }}{% endif %}",
];

const JINJA: &[&str] = &[
    "{%",
    "%}",
    "{{",
    "}}",
    "{#",
    "#}",
    "-%}",
    "{%- ",
    "{% raw %}",
    "{% endraw %}",
    "{% for x in messages %}",
    "{% endfor %}",
    "{% if x %}",
    "{% else %}",
    "{% endif %}",
    "{% set x = ",
    "{% macro f(x) %}",
    "{% endmacro %}",
    "{% generation %}",
    "{% endgeneration %}",
    "{% break %}",
    "{% continue %}",
    "|tojson",
    "|int",
    "|float",
    "|sort(true)",
    "|list",
    "|join",
    "|length",
    "|map(attribute='role')",
    "|selectattr('content')",
    "|reverse",
    "|string * 999",
    "[::-1]",
    "[1:-1]",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "\\",
    " + ",
    " ~ ",
    " ** ",
    " // ",
    " % ",
    " * 99999999",
    "range(9999999)",
    "messages",
    "loop.cycle(1, 2)",
    ".split(' ')",
    ".items()",
    ".ljust(99)",
    "none",
    "true",
    " in ",
    " is defined",
    " not ",
    " if ",
    " recursive",
    "namespace(",
    "1e999",
    "18446744073709551616",
    "é",
    "\u{0}",
    "\r\n",
    "/**/",
];

#[test]
fn findings_stay_mended() {
    findings("gguf", check_gguf);
    findings("safetensors", check_safetensors);
    findings("sentencepiece", check_sentencepiece);
    findings("template", check_template);
}

#[test]
fn good_files_are_good() {
    for file in gguf_files() {
        written("m.gguf", &file, |path| {
            let gguf = Gguf::open(path).unwrap();
            assert!(Tokenizer::from_gguf(&gguf).is_ok() && ChatTemplate::from_gguf(&gguf).unwrap().is_some());
        });
        check_gguf(&file);
    }
    let weights = safetensors(SAFETENSORS_HEADER.as_bytes());
    written("m.safetensors", &weights, |path| assert_eq!(SafeTensors::open(path).unwrap().names().len(), 2));
    written("tokenizer.model", &sentencepiece(), |path| {
        assert!(Tokenizer::from_folder(path.parent().unwrap(), None).is_ok());
    });
    for template in TEMPLATES {
        check_template(template.as_bytes());
        assert!(ChatTemplate::new(template, Map::new()).is_ok());
    }
}

proptest! {
    #[test]
    fn spoilt_gguf_files_are_answered(
        which in 0_usize..2,
        changes in mutations(&["llama", "gpt2", "tokenizer.ggml.scores", "GGUF", "\u{0}"]),
    ) {
        survives("gguf", &spoilt(&gguf_files()[which], &changes), check_gguf);
    }

    #[test]
    fn spoilt_safetensors_files_are_answered(
        whole in any::<bool>(),
        changes in mutations(&["F32", "I64", "\"shape\":[", "-1", "18446744073709551615", "}", "{", "[", ",", "\\u0000", "1e3"]),
    ) {
        let file = if whole {
            spoilt(&safetensors(SAFETENSORS_HEADER.as_bytes()), &changes)
        } else {
            safetensors(&spoilt(SAFETENSORS_HEADER.as_bytes(), &changes))
        };
        survives("safetensors", &file, check_safetensors);
    }

    #[test]
    fn spoilt_sentencepiece_models_are_answered(changes in mutations(&["\u{a}\u{3}\u{a}\u{1}c", "▁", "<0x00>"])) {
        survives("sentencepiece", &spoilt(&sentencepiece(), &changes), check_sentencepiece);
    }

    #[test]
    fn spoilt_chat_templates_are_answered(which in 0_usize..3, changes in mutations(JINJA)) {
        survives("template", &spoilt(TEMPLATES[which].as_bytes(), &changes), check_template);
    }
}
