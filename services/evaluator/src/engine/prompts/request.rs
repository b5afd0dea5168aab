//! What is asked of the model for one row.

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use crate::engine::python;
use crate::engine::tasks::{Doc, GenerationArguments, OutputType, Task, Until};

/// One question to the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Request {
    /// The log-probability of a continuation after a context.
    LogLikelihood {
        /// What precedes.
        context: String,
        /// What is scored.
        continuation: String,
    },
    /// The log-probability of an answer in a fine-tuning row: white space stays on its side of the seam.
    Completion {
        /// What precedes.
        context: String,
        /// What is scored.
        continuation: String,
        /// The end-of-sequence token is scored too.
        ends: bool,
    },
    /// The log-probability of a whole text, in windows.
    Rolling {
        /// The text.
        text: String,
    },
    /// An answer of the model's own.
    Generate {
        /// What precedes.
        context: String,
        /// When it ends.
        stops: Stops,
    },
}

/// When and how an answer ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stops {
    /// Strings that end it and are cut.
    pub until: Vec<String>,
    /// Most tokens.
    pub max_tokens: usize,
    /// Softmax temperature; 0 takes the most probable token.
    pub temperature: f64,
    /// Nucleus of a draw.
    pub top_p: Option<f64>,
}

/// The harness's limit on an answer that sets none.
const MAX_TOKENS: usize = 256;

impl Stops {
    /// The stop rules of a task; without any, the delimiter between examples ends an answer.
    pub fn of(task: &Task) -> Self {
        let arguments = task.config.generation_kwargs.clone().unwrap_or_default();
        let delimiter = || vec![task.config.fewshot_delimiter.clone()];
        let temperature = arguments.temperature.unwrap_or(0.0);
        Self {
            until: arguments.until.as_ref().map_or_else(delimiter, Until::strings),
            max_tokens: arguments.max_gen_toks.unwrap_or(MAX_TOKENS),
            temperature: if arguments.do_sample.unwrap_or(temperature > 0.0) { temperature } else { 0.0 },
            top_p: arguments.top_p,
        }
    }
}

impl Request {
    /// The request's arguments as a samples file shows them.
    pub fn arguments(&self, generation: Option<&GenerationArguments>) -> Value {
        match self {
            Self::LogLikelihood { context, continuation }
            | Self::Completion { context, continuation, .. } => {
                json!({"arg_0": context, "arg_1": continuation})
            }
            Self::Rolling { text } => json!({"arg_0": text}),
            Self::Generate { context, stops } => {
                let mut arguments =
                    generation.and_then(|given| serde_json::to_value(given).ok()).unwrap_or(json!({}));
                arguments["until"] = json!(stops.until);
                json!({"arg_0": context, "arg_1": arguments})
            }
        }
    }

    /// The first argument, whose hash a samples file carries.
    pub fn first_argument(&self) -> &str {
        match self {
            Self::LogLikelihood { context, .. }
            | Self::Completion { context, .. }
            | Self::Generate { context, .. } => context,
            Self::Rolling { text } => text,
        }
    }
}

/// The requests of a row.
pub fn requests(task: &Task, doc: &Doc, context: Context, chat: bool) -> Result<Vec<Request>, String> {
    let one = |context: Context| match context {
        Context::One(text) => Ok(text),
        Context::PerChoice(_) => Err("a prompt for each choice fits multiple_choice only".to_owned()),
    };
    let text_target = || {
        let target = task.target(doc)?;
        target
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("doc_to_target yields {}, not text", python::repr(&target)))
    };
    match task.config.output_type {
        OutputType::Loglikelihood => {
            Ok(vec![Request::LogLikelihood { context: one(context)?, continuation: text_target()? }])
        }
        OutputType::LoglikelihoodRolling => Ok(vec![Request::Rolling { text: text_target()? }]),
        OutputType::MultipleChoice => multiple_choice(task, doc, context, chat),
        OutputType::GenerateUntil => {
            Ok(vec![Request::Generate { context: one(context)?, stops: Stops::of(task) }])
        }
        OutputType::ConversationLoss => Err("conversation_loss has requests of its own".to_owned()),
    }
}

fn multiple_choice(task: &Task, doc: &Doc, context: Context, chat: bool) -> Result<Vec<Request>, String> {
    let config = &task.config;
    let open_prefix = config
        .gen_prefix
        .as_ref()
        .is_some_and(|prefix| !prefix.is_empty() && !prefix.ends_with(char::is_whitespace));
    let delimiter = if chat && !open_prefix { "" } else { config.target_delimiter.as_str() };
    let choices = task.choices(doc)?;
    let mut requests: Vec<Request> = match context {
        Context::PerChoice(contexts) => {
            let target = python::str_of(&task.target(doc)?);
            let continuation = format!("{delimiter}{target}");
            contexts
                .into_iter()
                .map(|context| Request::LogLikelihood { context, continuation: continuation.clone() })
                .collect()
        }
        Context::One(context) => choices
            .iter()
            .map(|choice| Request::LogLikelihood {
                context: context.clone(),
                continuation: format!("{delimiter}{choice}"),
            })
            .collect(),
    };
    let mutual = config.metric_list.iter().flatten().any(|metric| metric.metric == "acc_mutual_info");
    if mutual {
        requests.extend(choices.iter().map(|choice| Request::LogLikelihood {
            context: String::new(),
            continuation: format!("{delimiter}{choice}"),
        }));
    }
    Ok(requests)
}
