//! GGUF files that must be refused with a clear error, in bounded memory, without a panic.

use anneal_model::Source;
use anneal_model::gguf::Gguf;

use crate::gguf_bytes::{GgufBytes, string};

fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    let error = Gguf::open(&path).expect_err("a bad file was accepted");
    assert!(error.is_input(), "{error}");
    error.to_string()
}

fn expect(file: &GgufBytes, reason: &str) {
    let error = refused(&file.bytes());
    assert!(error.contains(reason), "`{error}` does not say `{reason}`");
}

#[test]
fn counts_near_the_largest_number() {
    let plain = GgufBytes::default().text("general.architecture", "llama");
    for count in [u64::MAX, u64::MAX / 2, 1 << 62] {
        expect(&GgufBytes { value_count: Some(count), ..plain.clone() }, "metadata values");
        expect(&GgufBytes { tensor_count: Some(count), ..plain.clone() }, "tensors");
        let array = [&4_u32.to_le_bytes()[..], &count.to_le_bytes()].concat();
        expect(&plain.clone().raw("x", 9, &array), "array elements");
        let texts = [&8_u32.to_le_bytes()[..], &count.to_le_bytes()].concat();
        expect(&plain.clone().raw("x", 9, &texts), "strings");
        expect(&plain.clone().raw("x", 8, &count.to_le_bytes()), "bytes in a string");
    }
}

/// Sparse files as long as their claims: refused for the memory that reading them would take.
#[test]
fn arrays_and_headers_of_gigabytes() {
    let array = |kind: u32, count: u64| {
        let claim = [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
        GgufBytes { value_count: Some(1), ..GgufBytes::default() }.raw("x", 9, &claim)
    };
    for (file, reason) in [
        (array(0, 1 << 30), "1073741824 array elements; at most 16777216"),
        (array(8, 100 << 20), "104857600 strings; at most"),
        (GgufBytes { tensor_count: Some(30 << 20), ..GgufBytes::default() }, "31457280 tensors; at most"),
        (GgufBytes { value_count: Some(60 << 20), ..GgufBytes::default() }, "metadata values; at most"),
    ] {
        assert!(refused_sparse(&file, 2 << 30).contains(reason), "{reason}");
    }
}

/// What is said of a file that goes on with zeros up to `bytes`.
fn refused_sparse(file: &GgufBytes, bytes: u64) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    file.write(&path);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(bytes).unwrap();
    Gguf::open(&path).expect_err("a bad file was accepted").to_string()
}

#[test]
fn strings_past_the_end_and_not_utf8() {
    let mut long = string("general.name");
    long[0] = 200;
    let mut file = GgufBytes { value_count: Some(1), ..GgufBytes::default() }.bytes();
    file.truncate(24);
    file.extend(long);
    assert!(refused(&file).contains("string"));
    expect(&GgufBytes::default().raw("x", 8, &[2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]), "UTF-8");
}

#[test]
fn alignment() {
    for alignment in [0, 3, 48, 1 << 30] {
        expect(&GgufBytes::default().number("general.alignment", alignment), "power of two");
    }
    expect(&GgufBytes::default().entry("w", &[4], 0, 8).data(&[0; 64]), "aligned");
}

#[test]
fn versions_and_magic() {
    expect(&GgufBytes { version: Some(1), ..GgufBytes::default() }, "version 1");
    expect(&GgufBytes { version: Some(3_u32.swap_bytes()), ..GgufBytes::default() }, "big-endian");
    assert!(refused(b"GGML\0\0\0\0").contains("not a GGUF"));
    assert!(refused(b"").contains("ends"));
}

#[test]
fn tensors_that_do_not_fit() {
    let file = GgufBytes::default;
    expect(&file().entry("w", &[4], 0, 0), "pass the end");
    expect(&file().entry("w", &[4], 0, u64::MAX - 31).data(&[0; 64]), "pass the end");
    expect(&file().entry("w", &[1 << 40, 1 << 40], 0, 0), "overflows");
    expect(&file().entry("w", &[0, 4], 0, 0), "empty");
    expect(&file().entry("w", &[], 0, 0), "0 dimensions");
    expect(&file().entry("w", &[1; 5], 0, 0), "5 dimensions");
    expect(&file().entry("w", &[33], 2, 0).data(&[0; 64]), "blocks of 32");
    expect(&file().entry("w", &[4], 99, 0), "type 99");
    expect(&file().entry("w", &[256], 16, 0), "IQ2_XXS");
    expect(&file().entry("a", &[16], 0, 0).entry("b", &[16], 0, 32).data(&[0; 128]), "overlap");
    expect(&file().entry("a", &[4], 0, 0).entry("a", &[4], 0, 32).data(&[0; 64]), "twice");
    expect(&file().number("a", 1).number("a", 1), "twice");
}

#[test]
fn odd_metadata() {
    expect(&GgufBytes::default().raw("x", 13, &[]), "type 13");
    expect(&GgufBytes::default().raw("x", 7, &[2]), "truth value");
    let nested =
        [&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &9_u32.to_le_bytes(), &1_u64.to_le_bytes()].concat();
    expect(&GgufBytes::default().raw("x", 9, &nested), "arrays inside arrays");
}

#[test]
fn every_truncation_of_a_good_file_is_refused_or_reads() {
    let file = GgufBytes::default()
        .text("general.architecture", "llama")
        .texts("tokenizer.ggml.tokens", &["a".to_owned(), "b".to_owned()])
        .floats("tokenizer.ggml.scores", &[0.0, 1.0])
        .tensor("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
        .bytes();
    for length in 0..file.len() {
        refused(&file[..length]);
    }
    for at in 0..file.len() {
        let mut flipped = file.clone();
        flipped[at] ^= 0xff;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        std::fs::write(&path, &flipped).unwrap();
        if let Ok(gguf) = Gguf::open(&path) {
            gguf.tensor_names().map(str::to_owned).collect::<Vec<_>>().iter().for_each(|n| {
                let _ = gguf.read_f32(n);
            });
        }
    }
}

#[test]
fn unsupported_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    GgufBytes::default().text("general.architecture", "mamba").write(&path);
    let error = Source::open(&path).unwrap_err().to_string();
    assert!(error.contains("`mamba`"), "{error}");
    GgufBytes::default()
        .text("general.architecture", "llama")
        .number("llama.embedding_length", 0)
        .write(&path);
    assert!(Source::open(&path).unwrap_err().to_string().contains("head_count"));
    GgufBytes::default()
        .text("tokenizer.ggml.model", "gpt2")
        .texts("tokenizer.ggml.tokens", &["a".to_owned()])
        .texts("tokenizer.ggml.merges", &[])
        .text("tokenizer.ggml.pre", "unheard-of")
        .write(&path);
    let error = anneal_model::Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap_err().to_string();
    assert!(error.contains("unheard-of"), "{error}");
}
