//! Texts to ids, from every kind of vocabulary.

use std::io::{BufRead as _, Read as _};
use std::path::Path;

use anneal_model::gguf::Gguf;
use anneal_model::{Source, Tokenizer, formula};
use serde_json::Value;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};

use crate::gguf_bytes::GgufBytes;
use crate::outside;

fn check(tokenizer: &Tokenizer, cases: &Path) {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in std::io::BufReader::new(std::fs::File::open(cases).unwrap()).lines() {
        let case: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let want: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        let text = case["text"].as_str().unwrap();
        let got = tokenizer.encode(text, false).unwrap();
        if got != want {
            wrong.push(format!("{text:?}: {got:?}, not {want:?}"));
        }
        count += 1;
    }
    assert!(count > 40);
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

fn json_of(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|e| e == "gz") {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        return serde_json::from_str(&text).unwrap();
    }
    serde_json::from_slice(&bytes).unwrap()
}

/// The vocabulary of a `tokenizer.json`, packed into a GGUF file as llama.cpp's converter packs it.
fn as_gguf(json: &Value, pre: &str) -> (tempfile::TempDir, Tokenizer) {
    let vocab = json["model"]["vocab"].as_object().unwrap();
    let added = json["added_tokens"].as_array().cloned().unwrap_or_default();
    let id = |v: &Value| v.as_u64().unwrap() as usize;
    let size = vocab.values().chain(added.iter().map(|t| &t["id"])).map(id).max().unwrap() + 1;
    let (mut tokens, mut kinds) = (vec![String::new(); size], vec![1; size]);
    for (token, at) in vocab {
        tokens[id(at)].clone_from(token);
    }
    for token in added {
        token["content"].as_str().unwrap().clone_into(&mut tokens[id(&token["id"])]);
        kinds[id(&token["id"])] = if token["special"] == true { 3 } else { 4 };
    }
    let merges: Vec<String> = json["model"]["merges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| match m {
            Value::String(text) => text.clone(),
            pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        })
        .collect();
    gguf(&tokens, &kinds, &merges, pre)
}

fn gguf(tokens: &[String], kinds: &[i32], merges: &[String], pre: &str) -> (tempfile::TempDir, Tokenizer) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocab.gguf");
    GgufBytes::default()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", tokens)
        .integers("tokenizer.ggml.token_type", kinds)
        .texts("tokenizer.ggml.merges", merges)
        .write(&path);
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap();
    (folder, tokenizer)
}

#[test]
fn tokenizer_json_and_the_same_vocabulary_in_gguf() {
    for (file, cases, pre) in [
        ("smollm2_tokenizer.json", "smollm2_hf.jsonl", "smollm"),
        ("qwen3_tokenizer.json.gz", "qwen3_hf.jsonl", "qwen2"),
        ("dolma2_tokenizer.json", "dolma2_hf.jsonl", "dolma2"),
    ] {
        let name = "tokenizer_json_and_the_same_vocabulary_in_gguf";
        let (Some(file), Some(cases)) = (
            outside::data(&format!("tokenizers/{file}"), name),
            outside::data(&format!("tokenizer_cases/{cases}"), name),
        ) else {
            continue;
        };
        let json = json_of(&file);
        check(
            &Tokenizer::from_json(&json.to_string(), anneal_model::tokenizer::SpecialTokens::default())
                .unwrap(),
            &cases,
        );
        check(&as_gguf(&json, pre).1, &cases);
    }
}

#[test]
fn gpt2_vocabulary_in_gguf() {
    let name = "gpt2_vocabulary_in_gguf";
    let (Some(vocab), Some(merges), Some(cases)) = (
        outside::data("tokenizers/gpt2_vocab.json", name),
        outside::data("tokenizers/gpt2_merges.txt", name),
        outside::data("tokenizer_cases/gpt-2.jsonl", name),
    ) else {
        return;
    };
    let vocab = json_of(&vocab);
    let mut tokens = vec![String::new(); vocab.as_object().unwrap().len()];
    for (token, id) in vocab.as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize].clone_from(token);
    }
    let merges: Vec<String> = std::fs::read_to_string(merges)
        .unwrap()
        .lines()
        .filter(|l| !l.starts_with("#version") && !l.is_empty())
        .map(str::to_owned)
        .collect();
    check(&gguf(&tokens, &vec![1; tokens.len()], &merges, "gpt-2").1, &cases);
}

#[test]
fn sentencepiece_models() {
    for (file, cases) in [
        ("llama2_tokenizer.model", "llama-spm.jsonl"),
        ("mistral_v3_tokenizer.model", "mistral_v3_spm.jsonl"),
    ] {
        let (Some(model), Some(cases)) = (
            outside::data(&format!("tokenizers/{file}"), "sentencepiece_models"),
            outside::data(&format!("tokenizer_cases/{cases}"), "sentencepiece_models"),
        ) else {
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(model, folder.path().join("tokenizer.model")).unwrap();
        let tokenizer = Tokenizer::from_folder(folder.path(), None).unwrap();
        check(&tokenizer, &cases);
        assert_eq!(tokenizer.encode("a", true).unwrap()[0], 1, "BOS in front");
    }
}

#[test]
fn sentencepiece_vocabulary_in_gguf() {
    let name = "sentencepiece_vocabulary_in_gguf";
    let (Some(gguf), Some(folder)) = (
        outside::data("model_stories260k/stories260K-f32.gguf", name),
        outside::data("model_stories260k/hf", name),
    ) else {
        return;
    };
    let theirs = Tokenizer::from_folder(&folder, None).unwrap();
    let ours = Source::open(&gguf).unwrap().tokenizer().unwrap();
    for text in ["Once upon a time, there was a little girl.", "  two  spaces\nand é 东京", "", " "] {
        let ids = ours.encode(text, true).unwrap();
        assert_eq!(ids, theirs.encode(text, true).unwrap(), "{text:?}");
        assert_eq!(ours.decode(&ids, true).unwrap(), text);
    }
}

/// Where a text is cut under a GGUF file's name for it, the pieces joined by `|`.
fn pieces(pre: &str, text: &str) -> String {
    let (_folder, tokenizer) = gguf(&["a".to_owned()], &[1], &[], pre);
    let mut cut = PreTokenizedString::from(text);
    tokenizer.inner().get_pre_tokenizer().unwrap().pre_tokenize(&mut cut).unwrap();
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    splits.iter().map(|(_, (from, to), _)| &text[*from..*to]).collect::<Vec<_>>().join("|")
}

#[test]
fn texts_are_cut_as_the_models_cut_them() {
    let text = "We've 12345 naïve camelCase,  $x=[1]+2 \n\nDON'T 東京한국";
    for (pre, want) in [
        ("gpt-2", "We|'ve| 12345| naïve| camelCase|,| | $|x|=[|1|]+|2| \n|\n|DON|'|T| 東京한국"),
        ("default", "We|'|ve| |123|45| naïve| camelCase|,|  |$|x|=[|1|]+|2| \n|\n|DON|'|T| 東京한국"),
        ("falcon", "We|'|ve| |123|45| naïve| camelCase|,|  |$|x|=[|1|]+|2| \n|\n|DON|'|T| 東京한국"),
        ("gpt-4o", "We've| |123|45| naïve| camel|Case|,| | $|x|=[|1|]+|2| \n\n|DON'T| 東京한국"),
        ("chatglm-bpe", "We|'ve| |123|45| naïve| camelCase|,| | $|x|=[|1|]+|2| \n\n|DON|'T| 東京한국"),
        ("deepseek-v3", "We|'ve| |123|45| naïve| camelCase|,| | $|x|=[|1|]+|2| \n\n|DON|'T| |東京|한국"),
        (
            "deepseek-llm",
            "We|'|ve| |1|2|3|4|5| na|ï|ve| camelCase|,| | $|x|=[|1|]+|2| |\n|\n|DON|'|T| |東京한국",
        ),
        (
            "deepseek-coder",
            "We|'|ve| |1|2|3|4|5| naïve| camelCase|,|  $|x|=|[|1|]|+|2| |\n|\n|DON|'|T| |東京한국",
        ),
    ] {
        assert_eq!(pieces(pre, text), want, "{pre}");
    }
}

#[test]
fn a_leading_bos_where_the_file_does_not_say() {
    let tokens = ["a", "<s>"].map(str::to_owned);
    for (pre, say, ids) in [
        ("llama-bpe", None, &[1, 0][..]),
        ("llama-bpe", Some(false), &[0]),
        ("qwen2", None, &[0]),
        ("qwen2", Some(true), &[1, 0]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.gguf");
        let mut file = GgufBytes::default()
            .text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", pre)
            .texts("tokenizer.ggml.tokens", &tokens)
            .integers("tokenizer.ggml.token_type", &[1, 3])
            .texts("tokenizer.ggml.merges", &[])
            .number("tokenizer.ggml.bos_token_id", 1);
        if let Some(say) = say {
            file = file.flag("tokenizer.ggml.add_bos_token", say);
        }
        file.write(&path);
        let tokenizer = Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap();
        assert_eq!(tokenizer.encode("a", true).unwrap(), ids, "{pre} {say:?}");
    }
}

#[test]
fn a_piece_too_long_to_be_one_is_refused() {
    let vocabulary = |piece: String| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.gguf");
        GgufBytes::default()
            .text("tokenizer.ggml.model", "llama")
            .texts("tokenizer.ggml.tokens", &["<unk>".to_owned(), piece])
            .integers("tokenizer.ggml.token_type", &[2, 1])
            .floats("tokenizer.ggml.scores", &[0.0, 0.0])
            .write(&path);
        Tokenizer::from_gguf(&Gguf::open(&path).unwrap())
    };
    assert!(vocabulary("a".repeat(512)).is_ok());
    // In the square of this length, looking for merges would take days.
    let error = vocabulary("a".repeat(20 << 20)).unwrap_err().to_string();
    assert!(error.contains("piece 1 has 20971520 bytes"), "{error}");
}

#[test]
fn a_tiny_tokenizer_round_trips_through_a_folder() {
    let tokenizer = formula::tiny_tokenizer().unwrap();
    assert_eq!(tokenizer.vocab_size(), 320);
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let again = Tokenizer::from_folder(folder.path(), None).unwrap();
    for text in ["the rain in Spain", "naïve 🙂\n", "<|im_start|>user\nhi<|im_end|>", "\u{0}\u{1}"] {
        let ids = tokenizer.encode(text, false).unwrap();
        assert_eq!(ids, again.encode(text, false).unwrap());
        assert_eq!(again.decode(&ids, false).unwrap(), text);
    }
    assert_eq!((again.bos_id(), again.eos_id(), again.pad_id()), (Some(1), Some(2), Some(0)));
    assert_eq!(again.encode("<|im_end|>", false).unwrap(), [2]);
}

#[test]
fn a_catastrophic_pattern_is_an_error() {
    let mut json: Value =
        serde_json::from_str(&formula::tiny_tokenizer().unwrap().inner().to_string(false).unwrap()).unwrap();
    json["pre_tokenizer"] = serde_json::json!({
        "type": "Split", "pattern": {"Regex": "(a*)*(a|b)*((a*)*)*c$"}, "behavior": "Isolated", "invert": false,
    });
    let tokenizer =
        Tokenizer::from_json(&json.to_string(), anneal_model::tokenizer::SpecialTokens::default());
    if let Ok(tokenizer) = tokenizer {
        // Either the engine gives up, which is an error, or it finds its way; it neither hangs nor takes the process down.
        let _ = tokenizer.encode(&"a".repeat(40_000), false);
    }
    for bad in [
        "{}",
        "[]",
        "",
        "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[[\"a\",\"b\"]]}}",
    ] {
        assert!(
            Tokenizer::from_json(bad, anneal_model::tokenizer::SpecialTokens::default()).is_err(),
            "{bad}"
        );
    }
}
