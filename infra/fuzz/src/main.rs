//! libFuzzer over the parsers: which one, `ANNEAL_FUZZ_KIND` says; good files to begin with are written to `ANNEAL_FUZZ_SEEDS`.
//! The checks and the good files are those of the rooms' own tests.
#![no_main]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a finding")]

#[path = "../../../shared/model/tests/model/checks.rs"]
mod checks;
#[path = "../../../shared/model/tests/model/gguf_bytes.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod gguf_bytes;
#[path = "../../../shared/datasets/tests/checks/mod.rs"]
mod row_checks;
#[path = "../../../shared/model/tests/model/seeds.rs"]
mod seeds;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// A kind of file: how one is checked, and good ones.
struct Target {
    check: fn(&[u8]),
    seeds: Vec<Vec<u8>>,
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn target(kind: &str) -> Target {
    match kind {
        "gguf" => Target { check: checks::check_gguf, seeds: seeds::gguf_files() },
        "safetensors" => Target {
            check: checks::check_safetensors,
            seeds: vec![seeds::safetensors(seeds::SAFETENSORS_HEADER.as_bytes())],
        },
        "sentencepiece" => Target { check: checks::check_sentencepiece, seeds: vec![seeds::sentencepiece()] },
        "template" => Target {
            check: checks::check_template,
            seeds: seeds::TEMPLATES.iter().map(|template| template.as_bytes().to_vec()).collect(),
        },
        "rows" => {
            Target { check: check_rows, seeds: ROWS.iter().map(|row| row.as_bytes().to_vec()).collect() }
        }
        other => panic!("{other:?} is not one of gguf, safetensors, sentencepiece, template and rows"),
    }
}

/// A row of every layout.
const ROWS: [&str; 6] = [
    "{\"text\": \"Once upon a time\"}\n",
    "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": \"hello\"}]}\n",
    "{\"instruction\": \"add\", \"input\": \"1 2\", \"output\": \"3\", \"history\": [[\"a\", \"b\"]], \"system\": \"s\"}\n",
    "{\"conversations\": [{\"from\": \"human\", \"value\": \"hi\"}, {\"from\": \"gpt\", \"value\": \"hello\"}]}\n",
    "{\"prompt\": \"p\", \"chosen\": \"c\", \"rejected\": \"r\"}\n",
    "{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}], \"chosen\": {\"from\": \"gpt\", \"value\": \"a\"}, \"rejected\": {\"from\": \"gpt\", \"value\": \"b\"}}\n",
];

fn check_rows(file: &[u8]) {
    for kind in anneal_datasets::Kind::ALL {
        row_checks::check_rows(file, kind);
    }
}

fuzz_target!(
    init: {
        let target = target(&std::env::var("ANNEAL_FUZZ_KIND").expect("ANNEAL_FUZZ_KIND names a kind of file"));
        if let Some(folder) = std::env::var_os("ANNEAL_FUZZ_SEEDS") {
            for (n, seed) in target.seeds.iter().enumerate() {
                std::fs::write(std::path::Path::new(&folder).join(format!("good-{n}")), seed).unwrap();
            }
        }
        let _ = TARGET.set(target);
    },
    |file: &[u8]| {
        (TARGET.get().expect("set at the start").check)(file);
    }
);
