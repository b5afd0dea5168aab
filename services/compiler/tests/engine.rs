//! The engine from a spec to a published or refused folder, on tiny formula-made models of every family.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use anneal_compiler::engine::{Reporter, run_spec};
use anneal_contracts::engine::ExitKind;
use anneal_model::{Architecture, Decoder, LoadOptions, Segments, Source, formula::TinyModel};
use anneal_onnx::{Greedy, Options, Session, find_library, greedy};
use serde_json::{Value, json};

const TEXT: &str =
    "The quick brown fox jumps over the lazy dog while the river runs to the sea and back again. ";

struct Case {
    root: tempfile::TempDir,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Case {
    fn new(model: &TinyModel) -> Self {
        let root = tempfile::tempdir().unwrap();
        model.write(&root.path().join("model")).unwrap();
        fs::write(root.path().join("text.txt"), TEXT.repeat(20)).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn spec(&self, quantization: &str, target: &str, ratio: f64) -> Value {
        let text = self.path("text.txt");
        let mut spec = json!({
            "model": self.path("model"), "quantization": quantization, "target": target, "threads": 2,
            "validation": { "dataset": text, "budget": { "perplexity_ratio": ratio } }, "output_dir": self.path("out"),
        });
        if quantization == "int8" {
            spec["calibration"] = json!({ "dataset": text, "samples": 4, "sequence_length": 64 });
        }
        spec
    }

    fn run(&self, spec: &Value) -> (ExitKind, Vec<Value>) {
        let path = self.path("spec.json");
        fs::write(&path, spec.to_string()).unwrap();
        let lines = Lines::default();
        let mut reporter = Reporter::new(Box::new(lines.clone()), Arc::new(AtomicBool::new(false)));
        let exit = run_spec(&path, None, &mut reporter);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (exit, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    fn source_logits(&self, tokens: &[u32]) -> Vec<f32> {
        let source = Source::open(self.path("model")).unwrap();
        let decoder = Decoder::load(&source, &LoadOptions::default()).unwrap();
        let hidden = decoder.hidden(tokens, &Segments::new(&[tokens.len()]).unwrap(), None).unwrap();
        decoder.logits(&hidden).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn session(&self) -> Session {
        anneal_onnx::init(&find_library(None).unwrap()).unwrap();
        Session::open(&self.path("out/compiled"), &Options { threads: 2, spinning: false }).unwrap()
    }
}

fn family(architecture: Architecture) -> TinyModel {
    TinyModel { architecture, layers: 4, ..TinyModel::default() }
}

fn validation(case: &Case) -> Value {
    serde_json::from_slice(&fs::read(case.path("out/validation.json")).unwrap()).unwrap()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_family_is_published_at_half_precision_and_agrees_with_its_source() {
    use Architecture::{Llama, Mistral, Qwen2, Qwen3, SmolLm3};
    for architecture in [Llama, Mistral, Qwen2, Qwen3, SmolLm3] {
        for target in ["onnxruntime-cpu", "onnxruntime-cuda"] {
            let case = Case::new(&family(architecture));
            let (exit, lines) = case.run(&case.spec("fp16", target, 1.02));
            assert_eq!(exit, ExitKind::Done, "{architecture:?} {target} {lines:?}");
            let report = validation(&case);
            assert_eq!(report["verdict"], "published", "{architecture:?} {report}");
            let distance = report["agreement"]["max_logit_distance"].as_f64().unwrap();
            assert!(distance < 0.02, "{architecture:?} {target}: {distance}");
            assert!(lines.last().unwrap()["type"] == "result", "{lines:?}");
        }
    }
}

#[test]
fn eight_bits_use_calibration_and_stay_close() {
    let case = Case::new(&family(Architecture::Llama));
    let (exit, lines) = case.run(&case.spec("int8", "onnxruntime-cpu", 1.02));
    assert_eq!(exit, ExitKind::Done, "{lines:?}");
    let result = lines.last().unwrap();
    assert_eq!(result["verdict"], "published");
    let report = validation(&case);
    assert!(report["calibration"]["groups"].as_array().unwrap().len() == 16, "{report}");
    assert!(report["agreement"]["mean_kl"].as_f64().unwrap() < 1e-3, "{report}");
    let manifest: Value =
        serde_json::from_slice(&fs::read(case.path("out/compiled/manifest.json")).unwrap()).unwrap();
    let files = manifest["files"].as_array().unwrap();
    for name in [
        "model.onnx",
        "genai_config.json",
        "config.json",
        "tokenizer.json",
        "chat_template.jinja",
        "validation.json",
    ] {
        let entry = files
            .iter()
            .find(|file| file["path"] == name)
            .unwrap_or_else(|| panic!("no {name} in {manifest}"));
        let size = fs::metadata(case.path("out/compiled").join(name)).unwrap().len();
        assert_eq!(entry["size"], size);
        assert_eq!(entry["sha256"].as_str().unwrap().len(), 64);
    }
    assert!(!case.path("out/work").exists());
}

#[test]
fn an_artifact_beyond_its_budget_is_refused_without_an_error() {
    let case = Case::new(&TinyModel::default());
    let (exit, lines) = case.run(&case.spec("fp16", "onnxruntime-cpu", 0.5));
    assert_eq!(exit, ExitKind::Done);
    let result = lines.last().unwrap();
    assert_eq!(
        (result["verdict"].as_str(), result["compiled_dir"].is_null()),
        (Some("refused"), true),
        "{result}"
    );
    assert!(!case.path("out/compiled").exists());
    assert!(validation(&case)["reason"].as_str().unwrap().contains("0.5"));
}

#[test]
fn batches_caches_and_whole_sequences_give_the_same_logits() {
    let case = Case::new(&family(Architecture::Llama));
    let (exit, _) = case.run(&case.spec("fp16", "onnxruntime-cpu", 1.02));
    assert_eq!(exit, ExitKind::Done);
    let mut session = case.session();
    let (long, short): (&[u32], &[u32]) = (&[40, 41, 42, 43, 44, 45, 46], &[60, 61, 62]);
    let whole = session.logits(&[long]).unwrap();
    let vocabulary = session.geometry().vocabulary;
    let source = case.source_logits(long);
    for place in 0..long.len() {
        assert!(farthest(whole.row(0, place), &source[place * vocabulary..(place + 1) * vocabulary]) < 0.02);
    }
    let (mut state, _) = session.prefill(&[&long[..5], &short[..1]]).unwrap();
    let stepped = session.step(&mut state, &[long[5], short[1]]).unwrap();
    assert!(farthest(stepped.last(0), whole.row(0, 5)) < 1e-3);
    let stepped = session.step(&mut state, &[long[6], short[2]]).unwrap();
    assert!(farthest(stepped.last(0), whole.row(0, 6)) < 1e-3);
    let alone = session.logits(&[short]).unwrap();
    assert!(farthest(stepped.last(1), alone.last(0)) < 1e-3);
    let options = Greedy { end_tokens: vec![], max_new_tokens: 6 };
    let together = greedy(&mut session, &[long, short], &options).unwrap();
    assert_eq!(together[0], greedy(&mut session, &[long], &options).unwrap()[0]);
    assert_eq!(together[1], greedy(&mut session, &[short], &options).unwrap()[0]);
}

fn refusal(case: &Case, change: impl FnOnce(&mut Value)) -> (ExitKind, Value) {
    let mut spec = case.spec("int8", "onnxruntime-cpu", 1.02);
    change(&mut spec);
    let (exit, mut lines) = case.run(&spec);
    (exit, lines.pop().unwrap())
}

#[test]
fn bad_specs_name_their_field() {
    let case = Case::new(&TinyModel::default());
    let check = |field: &str, change: &dyn Fn(&mut Value)| {
        let (exit, line) = refusal(&case, change);
        assert_eq!(exit, ExitKind::BadInput, "{field}: {line}");
        assert_eq!((line["type"].as_str(), line["field"].as_str()), (Some("error"), Some(field)), "{line}");
    };
    check("calibration", &|spec| spec["calibration"] = Value::Null);
    check("calibration", &|spec| spec["quantization"] = json!("fp16"));
    check("calibration.samples", &|spec| spec["calibration"]["samples"] = json!(0));
    check("calibration.dataset", &|spec| spec["calibration"]["dataset"] = json!("/no/such/file"));
    check("validation.budget.perplexity_ratio", &|spec| {
        spec["validation"]["budget"]["perplexity_ratio"] = json!(-1);
    });
    check("model", &|spec| spec["model"] = json!("/no/such/model"));
    check("spec", &|spec| spec["surprise"] = json!(1));
    check("spec", &|spec| spec["target"] = json!("toaster"));
}

#[test]
fn heads_that_the_runtime_does_not_take_are_refused_before_any_work() {
    let case = Case::new(&TinyModel { head_dim: 12, ..TinyModel::default() });
    let (exit, line) = refusal(&case, |_| {});
    assert_eq!((exit, line["field"].as_str()), (ExitKind::BadInput, Some("model")), "{line}");
    assert!(line["message"].as_str().unwrap().contains("12 wide"), "{line}");
    assert!(!case.path("out/work").exists() && !case.path("out/compiled").exists());
    let (exit, lines) = case.run(&case.spec("fp16", "onnxruntime-cpu", 1.02));
    assert_eq!(exit, ExitKind::BadInput, "{lines:?}");
    // Plain operators take any width.
    let (exit, lines) = case.run(&case.spec("fp16", "onnxruntime-cuda", 1.02));
    assert_eq!(exit, ExitKind::Done, "{lines:?}");
}

#[test]
fn a_model_that_is_no_model_is_bad_input_and_leaves_nothing() {
    let case = Case::new(&TinyModel::default());
    fs::write(case.path("model/model.safetensors"), b"\xff\xff\xff\xff\xff\xff\xff\xff{}").unwrap();
    let (exit, line) = refusal(&case, |_| {});
    assert_eq!((exit, line["code"].as_str()), (ExitKind::BadInput, Some("invalid_model")), "{line}");
    assert!(!Path::new(&case.path("out/work")).exists());
}
