//! Every parser of this room on spoilt files: it answers, with a reason where it refuses, and never panics.
//!
//! `PROPTEST_CASES` sets how many files are tried of each kind (256 by default). A file that fails is kept in cargo's folder
//! for test files; copied to `tests/corpus/<kind>/`, it is tried first from then on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anneal_model::gguf::Gguf;
use anneal_model::weights::SafeTensors;
use anneal_model::{ChatTemplate, Tokenizer};
use proptest::prelude::*;
use serde_json::Map;
use sha2::{Digest as _, Sha256};

use crate::checks::{check_gguf, check_safetensors, check_sentencepiece, check_template, written};
use crate::mutation::{mutations, spoilt};
use crate::seeds::{SAFETENSORS_HEADER, TEMPLATES, gguf_files, safetensors, sentencepiece};

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
    let folder = Path::new("tests/corpus").join(kind);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        survives(kind, &std::fs::read(entry.unwrap().path()).unwrap(), check);
        count += 1;
    }
    assert!(count > 0, "no {kind} files");
}

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
