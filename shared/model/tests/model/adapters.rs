//! Adapters are saved, read and merged without changing a number.

use std::path::Path;

use anneal_model::save::StoredType;
use anneal_model::{
    Decoder, LoadOptions, LoraConfig, Segments, Source, TargetModules, formula, merge_adapter, save_adapter,
};

const IDS: [u32; 6] = [4, 90, 200, 7, 7, 31];

fn hidden(decoder: &Decoder) -> Vec<f32> {
    let segments = Segments::new(&[IDS.len()]).unwrap();
    decoder.hidden(&IDS, &segments, None).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// A tiny model with a trained-looking adapter, saved.
fn saved(folder: &Path, targets: &[&str]) -> Decoder {
    formula::write_tiny_folder(&folder.join("base")).unwrap();
    let source = Source::open(folder.join("base")).unwrap();
    let lora = LoraConfig {
        rank: 4,
        alpha: 6.0,
        targets: TargetModules::parse(targets).unwrap(),
        ..LoraConfig::default()
    };
    let decoder =
        Decoder::load(&source, &LoadOptions { lora: Some(lora), ..LoadOptions::default() }).unwrap();
    for (index, (name, var)) in decoder.trainable().into_iter().enumerate() {
        if name.contains("lora_B") {
            let values = formula::values(90 + index as u64, var.elem_count(), 0.3);
            var.set(&candle_core::Tensor::from_vec(values, var.shape(), var.device()).unwrap()).unwrap();
        }
    }
    save_adapter(&decoder, &folder.join("adapter"), "base").unwrap();
    decoder
}

#[test]
fn saved_read_and_merged() {
    for targets in [&["all-linear"][..], &["q_proj", "v_proj"], &["down_proj"]] {
        let folder = tempfile::tempdir().unwrap();
        let decoder = saved(folder.path(), targets);
        let source = Source::open(folder.path().join("base")).unwrap();
        let adapter = folder.path().join("adapter");
        let options = LoadOptions { adapter: Some(adapter.clone()), ..LoadOptions::default() };
        let read = Decoder::load(&source, &options).unwrap();
        assert_eq!(hidden(&decoder), hidden(&read));
        assert_eq!(
            read.lora().map(|l| (l.rank, l.targets.linears())),
            decoder.lora().map(|l| (l.rank, l.targets.linears()))
        );
        merge_adapter(&source, &adapter, &folder.path().join("merged"), StoredType::F32).unwrap();
        let merged =
            Decoder::load(&Source::open(folder.path().join("merged")).unwrap(), &LoadOptions::default())
                .unwrap();
        let worst =
            hidden(&decoder).iter().zip(hidden(&merged)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{worst}");
        assert_ne!(hidden(&merged), hidden(&Decoder::load(&source, &LoadOptions::default()).unwrap()));
    }
}

#[test]
fn adapters_of_other_models_and_other_kinds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), &["all-linear"]);
    let source = Source::open(folder.path().join("base")).unwrap();
    let config_path = folder.path().join("adapter/adapter_config.json");
    let good: serde_json::Value = serde_json::from_slice(&std::fs::read(&config_path).unwrap()).unwrap();
    for (field, value, reason) in [
        ("r", serde_json::json!(5), "shape"),
        ("r", serde_json::json!(0), "rank"),
        ("peft_type", serde_json::json!("IA3"), "not LoRA"),
        ("use_dora", serde_json::json!(true), "use_dora"),
        ("target_modules", serde_json::json!(["q_proj"]), "does not belong"),
        ("target_modules", serde_json::json!(["c_attn"]), "c_attn"),
        ("rank_pattern", serde_json::json!({"q_proj": 2}), "rank_pattern"),
        ("bias", serde_json::json!("all"), "biases"),
    ] {
        let mut config = good.clone();
        config[field] = value;
        std::fs::write(&config_path, config.to_string()).unwrap();
        let options = LoadOptions { adapter: Some(folder.path().join("adapter")), ..LoadOptions::default() };
        let error = Decoder::load(&source, &options).unwrap_err().to_string();
        assert!(error.contains(reason), "{field}: {error}");
    }
    std::fs::remove_file(folder.path().join("adapter/adapter_model.safetensors")).unwrap();
    std::fs::write(folder.path().join("adapter/adapter_model.bin"), b"\x80\x02}q\x00.").unwrap();
    std::fs::write(&config_path, good.to_string()).unwrap();
    let options = LoadOptions { adapter: Some(folder.path().join("adapter")), ..LoadOptions::default() };
    assert!(Decoder::load(&source, &options).unwrap_err().to_string().contains("pickle"));
}
