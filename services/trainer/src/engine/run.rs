//! One training from its spec file to its result line.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anneal_contracts::engine::{ExitKind, Level, Line, Method, TrainerSpec, TrainingKind};
use anneal_model::{Decoder, LoadOptions, Source, Tokenizer};
use anneal_runtime::clock::{SharedClock, SystemClock};
use serde_json::{Map, Value, json};

use super::{
    Error, Output, Result, Stop,
    artifacts::{self, Artifacts},
    base, best, checkpoint,
    corpus::Corpus,
    initialise,
    plan::Plan,
    point::Point,
    report::Report,
    resume,
    session::{Session, Sums},
    spec,
    train::Loop,
    validate::{self, HeldBack},
    vocabulary,
};

/// Runs the training that `spec_path` describes; lines go to `writer`. Returns how the process should end.
pub fn run(spec_path: &Path, writer: Box<dyn Write + Send>, stop: &Stop) -> ExitKind {
    let mut output = Output::new(writer);
    match prepare(spec_path).and_then(|plan| train(plan, &mut output, stop)) {
        Ok(figures) => {
            output.line(&Line::Result { figures });
            ExitKind::Done
        }
        Err(error) => {
            if !matches!(error, Error::Stopped) {
                output.line(&error.line());
            }
            error.ending()
        }
    }
}

fn prepare(spec_path: &Path) -> Result<Plan> {
    let plan = Plan::new(spec::read(spec_path)?)?;
    anneal_kernels::limit_isa().map_err(|error| Error::spec(anneal_kernels::MAX_ISA, error.to_string()))?;
    anneal_kernels::set_threads(plan.spec.threads)?;
    std::fs::create_dir_all(&plan.output_dir)
        .map_err(|error| Error::spec("output_dir", format!("{}: {error}", plan.spec.output_dir)))?;
    Ok(plan)
}

/// Everything happens on the kernels' threads, so that no other pool doubles their number.
fn train(plan: Plan, output: &mut Output, stop: &Stop) -> Result<Map<String, Value>> {
    anneal_kernels::in_pool(|| Training { clock: SystemClock::shared(), output, stop }.run(plan))
}

struct Training<'a> {
    clock: SharedClock,
    output: &'a mut Output,
    stop: &'a Stop,
}

impl Training<'_> {
    fn run(self, plan: Plan) -> Result<Map<String, Value>> {
        let started = self.clock.monotonic();
        let stop = self.stop;
        let (source, own) = self.output.stage("open_model", |_| open(&plan))?;
        let source = match vocabulary::tokenizer(&plan, self.output, stop)? {
            Some(tokenizer) => source.with_tokenizer(tokenizer),
            None => source,
        };
        let tokenizer = match own {
            Some(tokenizer) => tokenizer,
            None => source.tokenizer().map_err(Error::model("tokenizer"))?,
        };
        let source = with_weights(&plan.spec, source)?;
        let corpus = self
            .output
            .stage("tokenize", |output| Corpus::build(&plan, &source, &tokenizer, output, stop))?;
        drop(tokenizer);
        let (mut session, history) =
            self.output.stage("load", |output| load(plan, corpus, &source, output))?;
        stop.check()?;
        let clock = self.clock.clone();
        let folder = session.plan.output_dir.join("tensorboard");
        let report = Report::new(&folder, self.clock.clone(), session.position.step, history)?;
        let (exported, test) = self.output.stage("train", |output| {
            Loop { clock, source: &source, output, report, stop, saved: None }.run(&mut session)?;
            let exported = take_up_best(&session, output)?;
            Ok::<_, Error>((exported, test(&mut session, output, stop)?))
        })?;
        let saved = self.output.stage("save", |_| artifacts::save_result(&session, &source))?;
        best::discard(&session)?;
        let seconds = self.clock.monotonic().duration_since(started).as_secs_f64();
        figures(&session, &Outcome { saved, exported, test, seconds })
    }
}

/// What a run came to beyond its position.
struct Outcome {
    saved: Artifacts,
    /// The step whose weights the result has.
    exported: u64,
    test: Option<Sums>,
    seconds: f64,
}

/// Opens the model, and its tokenizer unless one is to be learnt; `pretrain` takes its architecture and tokenizer only.
fn open(plan: &Plan) -> Result<(Source, Option<Tokenizer>)> {
    let spec = &plan.spec;
    let opened = match spec.task_type {
        TrainingKind::Pretrain => Source::open_architecture(&spec.model),
        TrainingKind::Sft | TrainingKind::Dpo => Source::open(&spec.model),
    };
    let source = opened.map_err(Error::model("model"))?;
    check_context(plan, &source)?;
    let own = spec.tokenizer.is_none().then(|| source.tokenizer()).transpose();
    let own = own.map_err(Error::model("model"))?;
    Ok((source, own))
}

/// The model with the weights that it is trained from: `pretrain` gives it new ones.
fn with_weights(spec: &TrainerSpec, source: Source) -> Result<Source> {
    if spec.task_type != TrainingKind::Pretrain {
        return Ok(source);
    }
    let Some(path) = &spec.initial_weights else {
        let values = initialise::from_seed(source.config(), spec.seed);
        return Ok(source.with_values(move |name, shape| Ok(values(name, shape))));
    };
    let file = initialise::open_file(Path::new(path), &source.config().tensor_shapes(), "initial_weights")?;
    Ok(source.with_values(move |name, _| Ok(file.read_f32(name)?.1)))
}

fn take_up_best(session: &Session, output: &mut Output) -> Result<u64> {
    let exported = best::take_up(session)?;
    if exported != session.position.step {
        let message =
            format!("the result has the weights of step {exported}: its validation loss is the lowest");
        output.log(Level::Info, message);
    }
    Ok(exported)
}

/// The loss of the result over the test part. A stop gives it up: there is nothing left to save but the result.
fn test(session: &mut Session, output: &mut Output, stop: &Stop) -> Result<Option<Sums>> {
    match validate::evaluate(session, HeldBack::Test, stop) {
        Err(Error::Stopped) => {
            output.log(Level::Warn, "stopped on request: the test part was not looked at to its end");
            Ok(None)
        }
        sums => sums,
    }
}

/// A row longer than the model's context would get positions that the model never saw.
fn check_context(plan: &Plan, source: &Source) -> Result<()> {
    let (asked, context) = (plan.spec.sequence_length, source.config().context_length());
    if asked <= context {
        return Ok(());
    }
    Err(Error::spec(
        "sequence_length",
        format!("{asked} is more than the model's context of {context} tokens"),
    ))
}

fn load(plan: Plan, corpus: Corpus, source: &Source, output: &mut Output) -> Result<(Session, Vec<Point>)> {
    let options = LoadOptions {
        compute: plan.compute,
        weights: plan.weights,
        lora: plan.lora.clone(),
        adapter: None,
        device: plan.device.clone(),
    };
    let decoder = Decoder::load(source, &options).map_err(Error::model("model"))?;
    if let Some(path) = &plan.spec.lora.initial_adapter {
        let shapes = decoder.trainable().into_iter().map(|(name, var)| (name, var.dims().to_vec()));
        let tensors = initialise::read_adapter(Path::new(path), &shapes.collect::<Vec<_>>())?;
        decoder.set_trainable(&tensors).map_err(Error::model("lora.initial_adapter"))?;
    }
    let bytes = decoder.weight_bytes();
    let place = if decoder.device().is_cpu() { "the CPU" } else { "a CUDA device" };
    output.log(Level::Info, format!("the weights take {:.1} MB, on {place}", bytes as f64 / 1e6));
    if plan.spec.method != Method::Full && decoder.trainable().is_empty() {
        return Err(Error::spec("lora.target_modules", "no linear of this model is adapted"));
    }
    let resume_from = plan.spec.resume_from.clone().map(PathBuf::from);
    let base = base::checksum(source, plan.spec.method)?;
    let mut session = Session::new(plan, decoder, corpus, base);
    let history = match resume_from {
        Some(folder) => restore(&mut session, &folder, output)?,
        None => Vec::new(),
    };
    Ok((session, history))
}

/// Goes on from a checkpoint; returns the metrics so far.
fn restore(session: &mut Session, folder: &Path, output: &mut Output) -> Result<Vec<Point>> {
    let restored = resume::restore(session, folder)?;
    let step = session.position.step;
    output.log(Level::Info, format!("continues after step {step} of {}", folder.display()));
    let isa = checkpoint::isa();
    if restored.isa != isa {
        let message = format!(
            "what follows is computed with {isa} instructions, the {step} steps before with {}: an uninterrupted run might differ \
             in the last bits",
            restored.isa
        );
        output.log(Level::Warn, message);
    }
    Ok(restored.history)
}

fn figures(session: &Session, outcome: &Outcome) -> Result<Map<String, Value>> {
    let position = &session.position;
    let peak = anneal_runtime::memory::peak_rss_bytes()
        .map_err(|error| Error::io(Path::new("/proc/self/status"), error))?;
    let value = json!({
        "model_dir": outcome.saved.model_dir,
        "adapter_dir": outcome.saved.adapter_dir,
        "steps": position.step,
        "final_loss": position.last_loss,
        "num_tokens": position.tokens,
        "trained_tokens": position.trained_tokens,
        "best_step": position.best.map(|(step, _)| step),
        "best_eval_loss": position.best.map(|(_, loss)| loss),
        "exported_step": outcome.exported,
        "test_loss": outcome.test.map(|sums| sums.loss()),
        "seconds": outcome.seconds,
        "peak_rss_bytes": peak,
    });
    match value {
        Value::Object(figures) => Ok(figures),
        _ => unreachable!("an object was just built"),
    }
}
