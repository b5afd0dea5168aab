//! Weight files that must be refused with a clear error, in bounded memory, without a panic.

use std::path::Path;

use anneal_model::weights::{SafeTensors, ShardedWeights};
use anneal_model::{Source, formula};

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let error = SafeTensors::open(&path).expect_err("a bad file was accepted");
    assert!(error.is_input(), "{error}");
    error.to_string()
}

fn expect(header: &str, data: &[u8], reason: &str) {
    let error = refused(&file(header, data));
    assert!(error.contains(reason), "`{error}` does not say `{reason}`");
}

fn one(shape: &str, from: u64, to: u64) -> String {
    format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
}

#[test]
fn header_lengths() {
    assert!(refused(&u64::MAX.to_le_bytes()).contains("header of 18446744073709551615"));
    assert!(refused(&(99_u64 << 20).to_le_bytes()).contains("at most"));
    assert!(refused(&100_u64.to_le_bytes()).contains("header of 100 bytes in a file of 8"));
    assert!(refused(b"short").contains("too short"));
    // A sparse file as long as its 99 MB header claims: refused from the length alone.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, (99_u64 << 20).to_le_bytes()).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100 << 20).unwrap();
    assert!(SafeTensors::open(&path).unwrap_err().to_string().contains("at most"));
}

#[test]
fn offsets_and_shapes() {
    let data = [0_u8; 16];
    expect(&one("[4]", 0, 32), &data, "bytes 0..32 of 16");
    expect(&one("[4]", 16, 0), &data, "bytes 16..0");
    expect(&one("[5]", 0, 16), &data, "takes 20 bytes");
    expect(&one("[4611686018427387904,4]", 0, 16), &data, "overflows");
    expect(&one("[18446744073709551615,18446744073709551615]", 0, 16), &data, "overflows");
    expect(&one("[2]", 0, 8), &data, "8 bytes after the last");
    expect(&one("[2]", 8, 16), &data, "unused bytes");
    let two = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#;
    expect(two, &data, "overlaps");
    expect("{}", &data, "16 bytes after");
}

#[test]
fn header_contents() {
    let entry = r#""w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    expect(&format!("{{{entry},{entry}}}"), &[0; 4], "twice");
    expect(r#"{"w":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4], "duplicate");
    expect(r#"{"w":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4], "`F7`");
    expect(r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, &[0; 4], "header");
    expect("not json", &[], "header");
    let deep = "[".repeat(100_000);
    expect(&format!(r#"{{"w":{deep}"#), &[], "header");
}

#[test]
fn a_tensor_name_is_never_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let header = r#"{"../../etc/x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    std::fs::write(&path, file(header, &1_f32.to_le_bytes())).unwrap();
    let weights = SafeTensors::open(&path).unwrap();
    assert_eq!(weights.read_f32("../../etc/x").unwrap().1, [1.0]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn every_truncation_and_flip_is_answered() {
    let good = file(&one("[2]", 0, 8), &[0; 8]);
    for length in 0..good.len() {
        refused(&good[..length]);
    }
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 0x41;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        std::fs::write(&path, &flipped).unwrap();
        if let Ok(weights) = SafeTensors::open(&path) {
            for name in weights.names().to_vec() {
                let _ = weights.read_f32(&name);
            }
        }
    }
}

fn tiny(folder: &Path) {
    formula::write_tiny_folder(folder).unwrap();
}

#[test]
fn pickles_under_any_name() {
    let pickle = b"\x80\x02}q\x00.";
    for name in ["pytorch_model.bin", "model.safetensors"] {
        let folder = tempfile::tempdir().unwrap();
        tiny(folder.path());
        std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        std::fs::write(folder.path().join(name), pickle).unwrap();
        let error = Source::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("pickle"), "{name}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("model.gguf", &b"PK\x03\x04zip"[..]), ("weights.pt", b"GGUF"), ("x.ckpt", b"")] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert!(Source::open(&path).unwrap_err().to_string().contains("pickle"), "{name}");
    }
}

#[test]
fn shards_outside_of_the_folder() {
    for shard in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", ".."] {
        let folder = tempfile::tempdir().unwrap();
        let index = serde_json::json!({"weight_map": {"w": shard}});
        std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        let error = ShardedWeights::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("plain file name"), "{error}");
    }
}

#[test]
fn configurations() {
    for (field, value, reason) in [
        ("model_type", serde_json::json!("mamba"), "`mamba`"),
        ("hidden_size", serde_json::json!(0), "hidden_size"),
        ("hidden_size", serde_json::json!(-4), "hidden_size"),
        ("num_hidden_layers", serde_json::json!(u64::MAX), "num_hidden_layers"),
        ("num_key_value_heads", serde_json::json!(3), "does not divide"),
        ("head_dim", serde_json::json!(7), "odd"),
        ("vocab_size", serde_json::json!(64), "shape"),
        ("hidden_act", serde_json::json!("gelu"), "gelu"),
        ("rope_scaling", serde_json::json!({"rope_type": "longrope", "factor": 2.0}), "longrope"),
        ("rope_scaling", serde_json::json!({"rope_type": "linear"}), "rope_scaling.factor"),
        ("quantization_config", serde_json::json!({"bits": 4}), "quantiser"),
        ("partial_rotary_factor", serde_json::json!(0.5), "partial_rotary_factor"),
        ("rope_parameters", serde_json::json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor"),
        ("rope_scaling", serde_json::json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor"),
        ("rope_parameters", serde_json::json!({"full_attention": {"rope_theta": 1e4}}), "kind of layer"),
        ("rope_parameters", serde_json::json!({"rope_theta": 500_000.0}), "rope_theta"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        tiny(folder.path());
        let path = folder.path().join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config[field] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        let error = Source::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(reason), "{field}: {error}");
    }
}

#[test]
fn deep_and_binary_json() {
    for text in ["{\"a\":".repeat(200), "\u{0}".to_owned(), String::new()] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), &text).unwrap();
        assert!(Source::open(folder.path()).unwrap_err().to_string().contains("config.json"));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), [0xff, 0xfe]).unwrap();
    assert!(Source::open(folder.path()).unwrap_err().to_string().contains("UTF-8"));
}
