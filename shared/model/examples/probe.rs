//! Our side of the conformance checks in `tests/conformance`: reads JSON lines, answers JSON lines.
//!
//! * `probe logits MODEL [fp32|bf16] [ADAPTER]`: a list of ids a line → its logits, a list a position
//! * `probe generate MODEL COUNT`: a list of ids a line → the greedy continuation's ids
//! * `probe tensors MODEL`: nothing → `{name: sha256}` of every tensor in f32
//! * `probe encode MODEL`: a text a line → its ids, without special tokens added; only the tokenizer must be there
//! * `probe learn SIZE FOLDER`: a text a line → nothing; a tokenizer of SIZE tokens learnt from them
//! * `probe render`: `{"template", "context"}` a line → `{"text"}` or `{"error"}`
//! * `probe save MODEL FOLDER [ADAPTER]`: nothing → the model as a Hugging Face folder, with the adapter merged

use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anneal_model::gguf::Gguf;
use anneal_model::save::{FolderParts, StoredType};
use anneal_model::{
    ChatTemplate, Compute, Decoder, Error, GenerateOptions, LoadOptions, Result, Segments, Source, Tokenizer,
    TokenizerTrainer, generate, merge_adapter, save_hf_folder,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    match given.as_slice() {
        ["logits", model] => logits(model, Compute::F32, None),
        ["logits", model, "fp32", adapter] => logits(model, Compute::F32, Some(adapter)),
        ["logits", model, "bf16"] => logits(model, Compute::Bf16, None),
        ["logits", model, "bf16", adapter] => logits(model, Compute::Bf16, Some(adapter)),
        ["generate", model, count] => continuations(model, count),
        ["tensors", model] => tensors(model),
        ["encode", model] => encode(model),
        ["learn", size, folder] => learn(size, folder),
        ["render"] => render(),
        ["save", model, folder] => save(model, folder),
        ["save", model, folder, adapter] => {
            merge_adapter(&Source::open(model)?, Path::new(adapter), Path::new(folder), StoredType::F32)
        }
        _ => Err(Error::Argument("see the head of examples/probe.rs".to_owned())),
    }
}

/// Answers every line of standard input.
fn answer<T: serde::de::DeserializeOwned>(mut f: impl FnMut(T) -> Result<Value>) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|source| Error::Io { path: "stdin".into(), source })?;
        let question = serde_json::from_str(&line).map_err(|e| Error::Argument(e.to_string()))?;
        say(&f(question)?)?;
    }
    Ok(())
}

fn say(value: &Value) -> Result<()> {
    writeln!(std::io::stdout(), "{value}").map_err(|source| Error::Io { path: "stdout".into(), source })
}

fn logits(model: &str, compute: Compute, adapter: Option<&str>) -> Result<()> {
    let options = LoadOptions { compute, adapter: adapter.map(Into::into), ..LoadOptions::default() };
    let decoder = Decoder::load(&Source::open(model)?, &options)?;
    answer(|ids: Vec<u32>| {
        let hidden = decoder.hidden(&ids, &Segments::new(&[ids.len()])?, None)?;
        Ok(json!(decoder.logits(&hidden)?.to_vec2::<f32>()?))
    })
}

fn continuations(model: &str, count: &str) -> Result<()> {
    let source = Source::open(model)?;
    let decoder = Decoder::load(&source, &LoadOptions::default())?;
    let tokenizer = source.tokenizer()?;
    let max_new_tokens = count.parse().map_err(|_| Error::Argument("COUNT".to_owned()))?;
    let options = GenerateOptions { max_new_tokens, ..GenerateOptions::default() };
    answer(|ids: Vec<u32>| {
        let done = generate(&decoder, &tokenizer, &[ids], &options)?;
        Ok(json!(done[0].ids))
    })
}

fn tensors(model: &str) -> Result<()> {
    let source = Source::open(model)?;
    for name in source.tensor_names() {
        let tensor = source.tensor(&name)?;
        let mut hash = Sha256::new();
        for value in tensor.flatten_all()?.to_vec1::<f32>()? {
            hash.update(value.to_le_bytes());
        }
        let digest = hash.finalize().iter().fold(String::new(), |text, b| text + &format!("{b:02x}"));
        say(&json!({"name": name, "shape": tensor.dims(), "sha256": digest}))?;
    }
    Ok(())
}

fn encode(model: &str) -> Result<()> {
    let path = Path::new(model);
    let tokenizer = if path.extension().is_some_and(|e| e == "gguf") {
        Tokenizer::from_gguf(&Gguf::open(path)?)?
    } else {
        Tokenizer::from_folder(path, None)?
    };
    answer(|text: String| Ok(json!(tokenizer.encode(&text, false)?)))
}

fn learn(size: &str, folder: &str) -> Result<()> {
    let size = size.parse().map_err(|_| Error::Argument("SIZE".to_owned()))?;
    let mut trainer = TokenizerTrainer::new(size)?;
    answer(|text: String| {
        trainer.add(&[&text])?;
        Ok(Value::Null)
    })?;
    trainer.finish()?.save(Path::new(folder))
}

#[derive(serde::Deserialize)]
struct Case {
    template: String,
    context: serde_json::Map<String, Value>,
}

fn render() -> Result<()> {
    answer(|case: Case| {
        let text = ChatTemplate::new(case.template, serde_json::Map::new())
            .and_then(|template| template.render_context(&case.context, None));
        Ok(match text {
            Ok(text) => json!({"text": text}),
            Err(error) => json!({"error": error.to_string()}),
        })
    })
}

fn save(model: &str, folder: &str) -> Result<()> {
    let source = Source::open(model)?;
    let (tokenizer, template) = (source.tokenizer()?, source.chat_template()?);
    let parts = FolderParts {
        config: source.config(),
        tokenizer: &tokenizer,
        chat_template: template.as_ref(),
        stored: StoredType::F32,
    };
    save_hf_folder(Path::new(folder), parts, |name| source.tensor(name))
}
