//! A whole evaluation: every task of a spec, then the results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anneal_contracts::engine::{EvaluatorSpec, Line};
use anneal_runtime::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use super::backend::{Model, identity};
use super::error::{Error, Result};
use super::evaluate::{Plan, evaluate};
use super::figures::Ended;
use super::output::Output;
use super::results::{RunFacts, results_json};
use super::run::Run;
use super::stop::Stop;
use super::tasks::{Group, Selection, TaskConfig, select};

/// The version of the harness whose semantics are followed.
const HARNESS: &str = "0.4.13";

/// Runs a spec; lines go to `output`.
pub fn run_spec(spec: &EvaluatorSpec, output: &mut Output, stop: &Stop) -> Result<()> {
    let clock = SystemClock;
    let started = clock.monotonic();
    let date = clock.unix_ms() as f64 / 1000.0;
    let (plans, groups) = plans(spec)?;
    if !(0.0..=1.0).contains(&spec.bad_row_share) {
        return Err(Error::spec("bad_row_share", "a share lies between 0 and 1"));
    }
    anneal_kernels::limit_isa().map_err(|error| Error::spec(anneal_kernels::MAX_ISA, error.to_string()))?;
    anneal_kernels::set_threads(spec.threads).map_err(|error| Error::spec("threads", error.to_string()))?;
    let mut run = Run::new(spec, output, stop)?;
    let (mut model, digest) =
        run.output.stage("open_model", |_| Ok::<_, Error>((Model::open(spec)?, identity(&spec.model)?)))?;
    if spec.apply_chat_template && model.template.is_none() {
        return Err(Error::spec("apply_chat_template", "the model has no chat template"));
    }
    let mut summaries = BTreeMap::new();
    let mut order = Vec::new();
    for plan in plans {
        let name = plan.name.clone();
        let header = header(spec, &model, &digest, &plan);
        run.output.begin(&name);
        let summary = evaluate(&mut run, &mut model, plan, &header)?;
        run.output.end();
        order.push(name.clone());
        summaries.insert(name, summary);
    }
    let leaks = run.conclude_leaks()?;
    let folder = run.folder;
    let results = output.stage("results", |_| {
        let mut facts = facts(spec, &model, &digest, date, started);
        facts.more.extend(leaks.map(|told| ("leaks".to_owned(), told)));
        let results = results_json(&summaries, &order, &groups, facts);
        write_results(&folder.join("results.json"), &results).map(|()| results)
    })?;
    let ended =
        Ended { spec, folder: &folder, results: &results, summaries: &summaries, groups: &groups, started };
    let figures = ended.figures(output);
    output.line(&Line::Result { figures });
    Ok(())
}

/// The tasks to run, in order, and the groups they form.
fn plans(spec: &EvaluatorSpec) -> Result<(Vec<Plan>, Vec<Group>)> {
    if spec.tasks.is_empty() {
        return Err(Error::spec("tasks", "name at least one task"));
    }
    let (mut plans, mut groups): (Vec<Plan>, Vec<Group>) = (Vec::new(), Vec::new());
    for (index, task) in spec.tasks.iter().enumerate() {
        let field = format!("tasks[{index}]");
        if task.limit == Some(0) {
            return Err(Error::spec(format!("{field}.limit"), "a limit of 0 leaves nothing to score"));
        }
        let Selection { tasks: configs, groups: own } = select(&task.name, &format!("{field}.name"))?;
        let names = names(&configs, &own, task.alias.as_deref());
        for config in configs {
            let name = names[&config.task].clone();
            check_name(&name, &field)?;
            if plans.iter().any(|plan| plan.name == name) {
                return Err(Error::spec(
                    format!("{field}.name"),
                    format!("task {name} is named twice; give one of them an `alias`"),
                ));
            }
            plans.push(Plan {
                name,
                num_fewshot: task.num_fewshot.or(config.num_fewshot).unwrap_or(0),
                config,
                dataset: PathBuf::from(&task.dataset),
                limit: task.limit,
            });
        }
        groups.extend(own.into_iter().map(|group| renamed(group, &names)));
    }
    Ok((plans, groups))
}

/// The names that an entry's tasks and groups go by. An alias is the name of its one task, or of its outermost group and
/// of the beginning of all names within.
fn names(configs: &[TaskConfig], groups: &[Group], alias: Option<&str>) -> BTreeMap<String, String> {
    let outer = groups.last().map_or_else(|| configs.first().map(|one| &one.task), |group| Some(&group.name));
    let all = configs.iter().map(|config| &config.task).chain(groups.iter().map(|group| &group.name));
    all.map(|name| {
        let shown = match (alias, outer) {
            (Some(alias), Some(outer)) => match name.strip_prefix(outer.as_str()) {
                Some(rest) => format!("{alias}{rest}"),
                None => format!("{alias}_{name}"),
            },
            _ => name.clone(),
        };
        (name.clone(), shown)
    })
    .collect()
}

/// A group under the names of its entry.
fn renamed(mut group: Group, names: &BTreeMap<String, String>) -> Group {
    let shown = |name: &String| names.get(name).unwrap_or(name).clone();
    if group.alias == group.name {
        group.alias = shown(&group.name);
    }
    group.name = shown(&group.name);
    for name in group.tasks.iter_mut().chain(&mut group.members) {
        *name = shown(name);
    }
    group
}

/// A task's name becomes part of file names.
fn check_name(name: &str, field: &str) -> Result<()> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    if plain {
        Ok(())
    } else {
        Err(Error::spec(format!("{field}.name"), format!("{name:?} cannot be part of a file's name")))
    }
}

/// What decides a task's answers besides its requests.
fn header(spec: &EvaluatorSpec, model: &Model, digest: &str, plan: &Plan) -> Map<String, Value> {
    let mut header = Map::new();
    let mut put = |key: &str, value: Value| header.insert(key.to_owned(), value);
    put("task", json!(plan.name));
    put("repeats", json!(plan.config.repeats));
    put("model", json!(digest));
    put("backend", json!(model.backend));
    put("precision", json!(spec.precision));
    put("max_length", json!(model.encoder.max_length()));
    put("num_fewshot", json!(plan.num_fewshot));
    put("apply_chat_template", json!(spec.apply_chat_template));
    put("seed", json!(spec.seed));
    header
}

fn facts(spec: &EvaluatorSpec, model: &Model, digest: &str, date: f64, started: Instant) -> RunFacts {
    let model_input = serde_json::to_value(&spec.model).unwrap_or_default();
    let path = || model_input.as_str().map_or_else(|| model_input.to_string(), str::to_owned);
    let name = spec.model_name.clone().unwrap_or_else(path);
    let config = json!({
        "model": model.backend, "model_args": {"pretrained": name, "dtype": spec.precision}, "model_dtype": spec.precision,
        "model_sha": digest, "batch_size": spec.batch_tokens, "batch_sizes": [], "device": spec.device, "use_cache": null,
        "limit": null, "bootstrap_iters": spec.bootstrap_iterations, "gen_kwargs": null, "random_seed": spec.seed, "numpy_seed": spec.seed,
        "torch_seed": spec.seed, "fewshot_seed": spec.seed,
    });
    let template = spec
        .apply_chat_template
        .then(|| model.template.as_ref().map(anneal_model::ChatTemplate::source))
        .flatten();
    let sanitized: String =
        name.chars().map(|c| if c.is_alphanumeric() || c == '.' || c == '-' { c } else { '_' }).collect();
    let tokenizer = model.encoder.tokenizer();
    let more = json!({
        "git_hash": null, "date": date, "pretty_env_info": concat!("anneal-evaluator ", env!("CARGO_PKG_VERSION")),
        "transformers_version": null, "lm_eval_version": HARNESS, "upper_git_hash": null,
        "tokenizer_pad_token": [tokenizer.special().pad, tokenizer.pad_id().map(|id| id.to_string())],
        "tokenizer_eos_token": [tokenizer.special().eos, tokenizer.eos_id().map(|id| id.to_string())],
        "tokenizer_bos_token": [tokenizer.special().bos, tokenizer.bos_id().map(|id| id.to_string())],
        "eot_token_id": tokenizer.eos_id(), "max_length": model.encoder.max_length(), "model_source": model.backend,
        "model_name": name, "model_name_sanitized": sanitized, "system_instruction": null, "system_instruction_sha": null,
        "rescored": spec.rescore_from.is_some(), "fewshot_as_multiturn": false, "chat_template": template,
        "chat_template_sha": template.map(sha256), "total_evaluation_time_seconds": started.elapsed().as_secs_f64().to_string(),
    });
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    RunFacts { config: object(config), more: object(more) }
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    super::backend::hex(&sha2::Sha256::digest(text))
}

fn write_results(path: &Path, results: &Value) -> Result<()> {
    let partial = path.with_extension("json.partial");
    let text = super::python::dumps(results)
        .map_err(|error| Error::Io { path: path.to_owned(), source: error.into() })?;
    std::fs::write(&partial, text).map_err(Error::io(&partial))?;
    std::fs::rename(&partial, path).map_err(Error::io(path))
}
