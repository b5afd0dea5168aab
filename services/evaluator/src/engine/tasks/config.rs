//! A task as data: the fields of a task file, in the shape that the reference harness gives them.
//!
//! Unknown fields are refused. What the harness expresses in Python (`!function module.name`) is accepted for the names
//! in [`super::functions`] only.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::functions::Function;

/// One task file, includes merged.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// The task's name.
    pub task: String,
    /// Name shown in tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_alias: Option<String>,
    /// Labels that select the task among others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Value>,
    /// The dataset's name on the hub; a hint for finding it in a folder of datasets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_path: Option<String>,
    /// The dataset's configuration, such as a subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    /// One of several subjects of one dataset: a file, a folder or a column must name it.
    #[serde(skip)]
    pub subject: bool,
    /// `data_files: {split: file}`, relative to the spec's dataset folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_kwargs: Option<DatasetArguments>,
    /// Split of training rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_split: Option<String>,
    /// Split evaluated when there is no test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_split: Option<String>,
    /// Split evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_split: Option<String>,
    /// Split of the examples in the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewshot_split: Option<String>,
    /// Turns a split's rows into the rows that the templates see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_docs: Option<FunctionName>,
    /// The prompt: a column, a template, a function, or (with choices) the index of the prompt that is right.
    #[serde(default)]
    pub doc_to_text: Option<Field>,
    /// The answer: a column, a template, an index into the choices, a list of right answers.
    #[serde(default)]
    pub doc_to_target: Option<Field>,
    /// The choices of a multiple-choice row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_to_choice: Option<Field>,
    /// Replaces the output type's own scoring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_results: Option<FunctionName>,
    /// What precedes the examples.
    #[serde(default)]
    pub description: String,
    /// Between prompt and answer.
    #[serde(default = "space")]
    pub target_delimiter: String,
    /// Between examples.
    #[serde(default = "blank_line")]
    pub fewshot_delimiter: String,
    /// How examples are drawn and formatted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewshot_config: Option<FewshotConfig>,
    /// Examples in the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_fewshot: Option<usize>,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_list: Option<Vec<MetricConfig>>,
    /// What is asked of the model.
    #[serde(default)]
    pub output_type: OutputType,
    /// When and how generation ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_kwargs: Option<GenerationArguments>,
    /// Answers drawn for each request.
    #[serde(default = "one")]
    pub repeats: usize,
    /// Pipelines from raw answers to scored answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_list: Option<Vec<FilterConfig>>,
    /// Read by upstream's decontamination only.
    #[serde(default)]
    pub should_decontaminate: bool,
    /// Read by upstream's decontamination only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_to_decontamination_query: Option<String>,
    /// The beginning of the answer, put into the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gen_prefix: Option<String>,
    /// `version` and anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// What is asked of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// The log-probability of each choice.
    MultipleChoice,
    /// The log-probability of one continuation.
    Loglikelihood,
    /// The log-probability of a whole text.
    LoglikelihoodRolling,
    /// A text up to a stop string.
    #[default]
    GenerateUntil,
    /// The log-probability of each assistant turn (or completion) of a fine-tuning row. Ours, not the harness's.
    ConversationLoss,
}

impl OutputType {
    /// The name in task files and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MultipleChoice => "multiple_choice",
            Self::Loglikelihood => "loglikelihood",
            Self::LoglikelihoodRolling => "loglikelihood_rolling",
            Self::GenerateUntil => "generate_until",
            Self::ConversationLoss => "conversation_loss",
        }
    }
}

/// A column, a template, a literal, or one of the functions.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Field {
    /// `!function module.name`.
    Function(FunctionName),
    /// An index, or a literal target.
    Index(i64),
    /// A column's name or a Jinja template.
    Text(String),
    /// Literal choices or targets.
    List(Vec<Value>),
    /// Literal choices; their values count.
    Map(Map<String, Value>),
}

/// `!function module.name`, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionName {
    /// The function.
    #[serde(rename = "!function")]
    pub function: Function,
}

/// Where the splits' files are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetArguments {
    /// File of each split; a bare string is the file of every split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_files: Option<Value>,
    /// Upstream's permission to run a dataset's code; nothing is ever run here.
    #[serde(default, skip_serializing)]
    pub trust_remote_code: Option<bool>,
}

/// How examples are drawn and formatted; what is absent follows the task.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FewshotConfig {
    /// `default` (seeded, random) or `first_n`.
    pub sampler: Sampler,
    /// Split of the examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Literal examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<Vec<Map<String, Value>>>,
    /// The rows that examples are drawn from, by position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fewshot_indices: Option<Vec<usize>>,
    /// Prompt of an example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_to_text: Option<Field>,
    /// Choices of an example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_to_choice: Option<Field>,
    /// Answer of an example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_to_target: Option<Field>,
    /// Beginning of an example's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gen_prefix: Option<String>,
    /// Between examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fewshot_delimiter: Option<String>,
    /// Between prompt and answer of an example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_delimiter: Option<String>,
}

/// How examples are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Drawn anew for each row, by seed.
    #[default]
    Default,
    /// The first rows of the split.
    FirstN,
}

/// One metric and its options; unknown ones are refused when the file is read.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct MetricConfig {
    /// The metric's name.
    pub metric: String,
    /// How rows are put together; the metric's own way when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Value>,
    /// Whether more is better; the metric's own answer when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub higher_is_better: Option<bool>,
    /// Options of `exact_match`.
    #[serde(flatten)]
    pub options: MatchOptions,
}

/// Options of `exact_match`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct MatchOptions {
    /// Compare in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_case: Option<bool>,
    /// Without ASCII punctuation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_punctuation: Option<bool>,
    /// Without ASCII digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_numbers: Option<bool>,
    /// Without what these match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regexes_to_ignore: Option<Vec<String>>,
    /// Anything else is refused by name.
    #[serde(flatten, skip_serializing)]
    pub unknown: Map<String, Value>,
}

/// A named pipeline from raw answers to scored answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FilterConfig {
    /// The pipeline's name in the results.
    pub name: String,
    /// Its steps.
    pub filter: Vec<FilterStep>,
}

/// One step of a pipeline.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "function", rename_all = "snake_case", deny_unknown_fields)]
pub enum FilterStep {
    /// What a pattern finds in the answer.
    Regex {
        /// Python's dialect.
        #[serde(default = "gsm8k_pattern")]
        regex_pattern: String,
        /// Which match; negative counts from the end.
        #[serde(default)]
        group_select: i64,
        /// Taken when nothing matches.
        #[serde(default = "invalid")]
        fallback: String,
    },
    /// The first answer.
    TakeFirst {},
    /// The first k answers.
    TakeFirstK {
        /// How many.
        k: usize,
    },
    /// The most frequent answer; the earliest among equals.
    MajorityVote {},
    /// Without white space at both ends.
    RemoveWhitespace {},
    /// In lower case.
    Lowercase {},
    /// In upper case.
    Uppercase {},
    /// Looked up in a table.
    Map {
        /// The table.
        #[serde(default)]
        mapping_dict: Map<String, Value>,
        /// Taken for what the table lacks.
        #[serde(default)]
        default_value: Value,
    },
}

/// When and how generation ends.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationArguments {
    /// Strings that end the answer and are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Draw tokens instead of taking the most probable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    /// Softmax temperature when drawing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus of the draw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Most tokens of an answer.
    #[serde(
        alias = "max_new_tokens",
        alias = "max_tokens",
        alias = "max_completion_tokens",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_gen_toks: Option<usize>,
}

/// One stop string or several.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Until {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Until {
    /// The strings.
    pub fn strings(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Many(texts) => texts.clone(),
        }
    }
}

impl TaskConfig {
    /// The `version` of the metadata, as the harness reports it.
    pub fn version(&self) -> Value {
        self.metadata
            .as_ref()
            .and_then(|metadata| metadata.get("version").cloned())
            .unwrap_or_else(|| Value::from("Yaml"))
    }
}

fn space() -> String {
    " ".to_owned()
}
fn blank_line() -> String {
    "\n\n".to_owned()
}
const fn one() -> usize {
    1
}
fn gsm8k_pattern() -> String {
    r"#### (\-?[0-9\.\,]+)".to_owned()
}
fn invalid() -> String {
    "[invalid]".to_owned()
}
