//! One training from its spec file to its result line.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anneal_contracts::engine::{ExitKind, Level, Line, Method, TrainerSpec, TrainingKind};
use anneal_model::{Decoder, LoadOptions, Source};
use anneal_runtime::clock::{SharedClock, SystemClock};
use candle_core::Device;
use serde_json::{Map, Value, json};

use super::{
    Error, Output, Result, Stop,
    artifacts::{self, Artifacts},
    corpus::Corpus,
    initialise,
    plan::Plan,
    report::Report,
    resume,
    session::Session,
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
        let source = Source::open(&plan.spec.model).map_err(Error::model("model"))?;
        check_context(&plan, &source)?;
        let source = match vocabulary::tokenizer(&plan, self.output, stop)? {
            Some(tokenizer) => source.with_tokenizer(tokenizer),
            None => source,
        };
        let corpus = self.output.stage("tokenize", |output| Corpus::build(&plan, &source, output, stop))?;
        let (mut session, history) =
            self.output.stage("load", |output| load(plan, corpus, &source, output))?;
        stop.check()?;
        let saved = Some(session.position.step).filter(|&step| step > 0);
        let folder = session.plan.output_dir.join("tensorboard");
        let report = Report::new(&folder, self.clock.clone(), session.position.step, history)?;
        self.output.stage("train", |output| {
            Loop { source: &source, output, report, stop, saved }.run(&mut session)
        })?;
        let test = validate::evaluate(&mut session, HeldBack::Test)?;
        let saved = self.output.stage("save", |_| artifacts::save_result(&session, &source))?;
        let seconds = self.clock.monotonic().duration_since(started).as_secs_f64();
        figures(&session, &saved, test.map(|sums| sums.loss()), seconds)
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

fn load(plan: Plan, corpus: Corpus, source: &Source, output: &mut Output) -> Result<(Session, Vec<Value>)> {
    let options = LoadOptions {
        compute: plan.compute,
        weights: plan.weights,
        lora: plan.lora.clone(),
        adapter: None,
        device: Device::Cpu,
    };
    let pretrain = plan.spec.task_type == TrainingKind::Pretrain;
    let decoder = if pretrain {
        Decoder::initialise(source.config(), &options)
    } else {
        Decoder::load(source, &options)
    };
    let decoder = decoder.map_err(Error::model("model"))?;
    initial_values(&plan.spec, &decoder)?;
    let bytes = decoder.weight_bytes();
    output.log(Level::Info, format!("the weights take {:.1} MB", bytes as f64 / 1e6));
    if plan.spec.method != Method::Full && decoder.trainable().is_empty() {
        return Err(Error::spec("lora.target_modules", "no linear of this model is adapted"));
    }
    let resume_from = plan.spec.resume_from.clone().map(PathBuf::from);
    let mut session = Session::new(plan, decoder, corpus);
    let history = match &resume_from {
        Some(folder) => resume::restore(&mut session, folder)?,
        None => Vec::new(),
    };
    if let Some(folder) = resume_from {
        let step = session.position.step;
        output.log(Level::Info, format!("continues after step {step} of {}", folder.display()));
    }
    Ok((session, history))
}

/// Random values by seed, or those of a file.
fn initial_values(spec: &TrainerSpec, decoder: &Decoder) -> Result<()> {
    let (path, field) = match spec.task_type {
        TrainingKind::Pretrain => (&spec.initial_weights, "initial_weights"),
        _ => (&spec.lora.initial_adapter, "lora.initial_adapter"),
    };
    let Some(path) = path else {
        return if spec.task_type == TrainingKind::Pretrain {
            initialise::from_seed(decoder, spec.seed)
        } else {
            Ok(())
        };
    };
    let names: Vec<String> = decoder.trainable().into_iter().map(|(name, _)| name).collect();
    let tensors = resume::initialise_from(&names, Path::new(path), field)?;
    decoder.set_trainable(&tensors).map_err(Error::model(field))?;
    Ok(())
}

fn figures(
    session: &Session,
    saved: &Artifacts,
    test_loss: Option<f64>,
    seconds: f64,
) -> Result<Map<String, Value>> {
    let position = &session.position;
    let peak = anneal_runtime::memory::peak_rss_bytes()
        .map_err(|error| Error::io(Path::new("/proc/self/status"), error))?;
    let value = json!({
        "model_dir": saved.model_dir,
        "adapter_dir": saved.adapter_dir,
        "steps": position.step,
        "final_loss": position.last_loss,
        "trained_tokens": position.trained_tokens,
        "best_step": position.best.map(|(step, _)| step),
        "best_eval_loss": position.best.map(|(_, loss)| loss),
        "test_loss": test_loss,
        "seconds": seconds,
        "peak_rss_bytes": peak,
    });
    match value {
        Value::Object(figures) => Ok(figures),
        _ => unreachable!("an object was just built"),
    }
}
