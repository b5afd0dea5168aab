//! `cargo xtask fuzz <kind>`: libFuzzer over one kind of file, on the stable compiler. A file that fails is kept and named; copied
//! to the room's `tests/corpus/<kind>/` it is a test from then on.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::cargo::{program, root, run, say, target_dir};

/// Counters on every edge and comparison of the code, as libFuzzer reads them.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What is parsed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// A GGUF file: its tensors, tokenizer and chat template.
    Gguf,
    /// A safetensors file.
    Safetensors,
    /// A `SentencePiece` model.
    Sentencepiece,
    /// A chat template.
    Template,
    /// JSON lines of every dataset kind.
    Rows,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
            Self::Sentencepiece => "sentencepiece",
            Self::Template => "template",
            Self::Rows => "rows",
        }
    }

    /// The room whose tests keep the findings.
    fn room(self) -> &'static str {
        match self {
            Self::Rows => "shared/datasets",
            _ => "shared/model",
        }
    }
}

/// Fuzzes for so many seconds.
pub(crate) fn fuzz(kind: Kind, seconds: u64) -> Result<()> {
    let target = target_dir()?.join("fuzz");
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    say("building the fuzzer");
    run(Command::new(program())
        .args(["build", "--release", "--locked", "--target", &triple])
        .args(["--manifest-path", "infra/fuzz/Cargo.toml"])
        .env("RUSTFLAGS", COUNTERS)
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(root()))?;
    let work = root().join(".local/fuzz").join(kind.name());
    let (corpus, found) = (work.join("corpus"), work.join("found"));
    let findings = root().join(kind.room()).join("tests/corpus").join(kind.name());
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder)?;
    }
    say(&format!("{} for {seconds} s; what fails is kept in {}", kind.name(), found.display()));
    let mut fuzzer = Command::new(target.join(triple).join("release/anneal-fuzz"));
    fuzzer.arg(&corpus);
    if findings.is_dir() {
        fuzzer.arg(&findings);
    }
    fuzzer.args([
        &format!("-max_total_time={seconds}"),
        "-rss_limit_mb=2048",
        "-timeout=20",
        "-print_final_stats=1",
    ]);
    fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.env("ANNEAL_FUZZ_KIND", kind.name()).env("ANNEAL_FUZZ_SEEDS", &corpus);
    run(&mut fuzzer).with_context(|| {
        format!("a finding: mend it, and copy the file to {}, where the tests try it", findings.display())
    })
}
