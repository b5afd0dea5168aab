//! Folders and GGUF files give the same model, and a saved model is the model.

use anneal_model::formula::{self, TinyModel};
use anneal_model::save::{FolderParts, StoredType};
use anneal_model::{
    Architecture, Decoder, LoadOptions, Message, ModelConfig, RenderOptions, RopeScaling, Segments, Source,
    WeightMode, save_hf_folder,
};

use crate::gguf_bytes::GgufBytes;
use crate::outside;

fn hidden(source: &Source) -> Vec<f32> {
    let decoder = Decoder::load(source, &LoadOptions::default()).unwrap();
    let ids = [4, 90, 200, 7, 7, 31];
    decoder
        .hidden(&ids, &Segments::new(&[6]).unwrap(), None)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

#[test]
fn configurations_survive_their_json() {
    let scalings = [
        RopeScaling::None,
        RopeScaling::Linear { factor: 2.0 },
        RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_positions: 64,
        },
        RopeScaling::Yarn {
            factor: 4.0,
            original_max_positions: 64,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: 1.1,
            truncate: true,
        },
    ];
    for architecture in [
        Architecture::Llama,
        Architecture::Mistral,
        Architecture::Qwen2,
        Architecture::Qwen3,
        Architecture::SmolLm3,
    ] {
        for rope_scaling in scalings.clone() {
            for tied in [true, false] {
                let model = TinyModel {
                    architecture,
                    rope_scaling: rope_scaling.clone(),
                    tied,
                    layers: 5,
                    ..TinyModel::default()
                };
                let config = model.config();
                assert_eq!(ModelConfig::from_huggingface(&config.to_huggingface("float32")).unwrap(), config);
            }
        }
    }
}

#[test]
fn a_trained_model_is_saved_whole() {
    for architecture in [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3] {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        TinyModel { architecture, tied: false, ..TinyModel::default() }.write(&first).unwrap();
        let source = Source::open(&first).unwrap();
        let options = LoadOptions { weights: WeightMode::Trainable, ..LoadOptions::default() };
        let decoder = Decoder::load(&source, &options).unwrap();
        let tensors: std::collections::HashMap<_, _> = decoder.full_tensors().unwrap().into_iter().collect();
        let (tokenizer, template) = (source.tokenizer().unwrap(), source.chat_template().unwrap());
        let parts = FolderParts {
            config: decoder.config(),
            tokenizer: &tokenizer,
            chat_template: template.as_ref(),
            stored: StoredType::F32,
        };
        save_hf_folder(&second, parts, |name| Ok(tensors[name].clone())).unwrap();
        for file in [
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "chat_template.jinja",
        ] {
            let read = |folder: &std::path::Path| std::fs::read(folder.join(file)).unwrap();
            assert_eq!(read(&first), read(&second), "{architecture:?}: {file}");
        }
        assert_eq!(hidden(&source), hidden(&Source::open(&second).unwrap()));
        let frozen = Decoder::load(&source, &LoadOptions::default()).unwrap();
        assert!(frozen.full_tensors().is_err(), "frozen weights are rounded: they are not a model to save");
        let text = template
            .unwrap()
            .render(&[Message::new("user", "hi")], &RenderOptions::generation_prompt(true))
            .unwrap();
        assert_eq!(text, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    }
}

/// llama.cpp's order of the rows of q and k.
fn permuted(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    let (columns, half) = (values.len() / rows, rows / heads / 2);
    (0..rows)
        .flat_map(|row| {
            let (head, within) = (row / (2 * half), row % (2 * half));
            let from = head * 2 * half + within % 2 * half + within / 2;
            values[from * columns..(from + 1) * columns].to_vec()
        })
        .collect()
}

#[test]
fn a_gguf_file_and_a_folder_are_one_model() {
    for (architecture, is_permuted) in
        [(Architecture::Llama, true), (Architecture::Qwen2, false), (Architecture::Qwen3, false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let model = TinyModel { architecture, ..TinyModel::default() };
        model.write(&folder.path().join("hf")).unwrap();
        let source = Source::open(folder.path().join("hf")).unwrap();
        let name = architecture.model_type();
        let mut file = GgufBytes::default().text("general.architecture", name);
        for (key, value) in [
            ("embedding_length", 32),
            ("block_count", 2),
            ("feed_forward_length", 64),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
            ("context_length", 512),
        ] {
            file = file.number(&format!("{name}.{key}"), value);
        }
        file = file
            .float(&format!("{name}.attention.layer_norm_rms_epsilon"), 1e-5)
            .float(&format!("{name}.rope.freq_base"), 10_000.0);
        file = file
            .number("tokenizer.ggml.bos_token_id", 1)
            .number("tokenizer.ggml.eos_token_id", 2)
            .number("tokenizer.ggml.padding_token_id", 0);
        file = file.number(&format!("{name}.attention.key_length"), 8).flag("unused", true);
        for hf in source.tensor_names() {
            let tensor = source.tensor(&hf).unwrap();
            let mut values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            let heads = if hf.contains("q_proj") {
                4
            } else if hf.contains("k_proj") {
                2
            } else {
                0
            };
            if heads > 0 && is_permuted {
                values = permuted(&values, tensor.dims()[0], heads);
            }
            file = file.tensor(&gguf_name(&hf), tensor.dims(), &values);
        }
        file.write(&folder.path().join("model.gguf"));
        let other = Source::open(folder.path().join("model.gguf")).unwrap();
        assert_eq!(other.tensor_names(), source.tensor_names());
        assert_eq!(hidden(&source), hidden(&other), "{architecture:?}");
        let config = ModelConfig {
            max_positions: 512,
            initializer_range: source.config().initializer_range,
            ..other.config().clone()
        };
        assert_eq!(&config, source.config());
    }
}

fn gguf_name(hf: &str) -> String {
    match hf {
        "model.embed_tokens.weight" => return "token_embd.weight".to_owned(),
        "model.norm.weight" => return "output_norm.weight".to_owned(),
        _ => {}
    }
    let mut name = hf.replace("model.layers.", "blk.");
    for (from, to) in [
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ] {
        name = name.replace(from, to);
    }
    name
}

#[test]
fn shards_are_one_model() {
    let folder = tempfile::tempdir().unwrap();
    formula::write_tiny_folder(folder.path()).unwrap();
    let whole = Source::open(folder.path()).unwrap();
    let (names, want) = (whole.tensor_names(), hidden(&whole));
    let mut map = serde_json::Map::new();
    for (index, part) in names.chunks(7).enumerate() {
        let file = format!("model-{index}.safetensors");
        let shapes: Vec<_> = part.iter().map(|n| (n.clone(), whole.shape(n).unwrap())).collect();
        let path = folder.path().join(&file);
        anneal_model::save::write_safetensors(
            &path,
            &shapes,
            StoredType::F32,
            &std::collections::HashMap::<String, String>::new(),
            |n| whole.tensor(n),
        )
        .unwrap();
        map.extend(part.iter().map(|n| (n.clone(), serde_json::json!(file))));
    }
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let index = |map: &serde_json::Map<String, serde_json::Value>| {
        let text = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
        std::fs::write(folder.path().join("model.safetensors.index.json"), text).unwrap();
    };
    index(&map);
    assert_eq!(hidden(&Source::open(folder.path()).unwrap()), want);
    map.insert(names[0].clone(), serde_json::json!("model-1.safetensors"));
    index(&map);
    assert!(Source::open(folder.path()).unwrap_err().to_string().contains("is not in"));
}

#[test]
fn real_small_models_open() {
    for file in [
        "model_stories260k/stories260K-f32.gguf",
        "model_tiny_random_llama/llama-2-tiny-random.gguf",
        "model_stories260k/hf",
    ] {
        let Some(path) = outside::data(file, "real_small_models_open") else { continue };
        let source = Source::open(&path).unwrap();
        let decoder = Decoder::load(&source, &LoadOptions::default()).unwrap();
        let ids = source.tokenizer().unwrap().encode("Once upon a time", true).unwrap();
        let x = decoder.hidden(&ids, &Segments::new(&[ids.len()]).unwrap(), None).unwrap();
        assert!(
            decoder
                .logits(&x)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
                .iter()
                .all(|v| v.is_finite())
        );
    }
    let (Some(gguf), Some(hf)) = (
        outside::data("model_stories260k/stories260K-f32.gguf", "stories"),
        outside::data("model_stories260k/hf", "stories"),
    ) else {
        return;
    };
    let (gguf, hf) = (Source::open(gguf).unwrap(), Source::open(hf).unwrap());
    assert_eq!(hidden(&gguf), hidden(&hf));
}
