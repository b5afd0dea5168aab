//! The metrics of one row (`ConfigurableTask.process_results`).

use serde_json::{Value, json};

use super::aggregate::Aggregation;
use super::exact_match::ExactMatch;
use super::filters::{answer_text, target_text};
use super::generated::{self, generated};
use super::response::{Filtered, Response};
use super::{ifeval, rouge};
use crate::engine::python;
use crate::engine::tasks::{Doc, Function, MetricConfig, OutputType, Task, TaskConfig};

/// A row's value of one metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// A number.
    Number(f64),
    /// A sum and what it is to be divided by, over all rows.
    Weighted(f64, f64),
    /// The right choice and the predicted one.
    Pair(i64, i64),
    /// The right choice and the probability of each.
    Distribution(i64, Vec<f64>),
    /// Whether a condition holds.
    Truth(bool),
    /// Whether each of several conditions holds.
    Truths(Vec<bool>),
    /// An answer and the right answers, to be scored with all other rows.
    Texts {
        /// The right answers.
        references: Vec<String>,
        /// What was generated.
        answer: String,
    },
}

impl Metric {
    /// As a samples file shows it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Number(value) => json!(value),
            Self::Weighted(sum, weight) => json!([sum, weight]),
            Self::Pair(gold, predicted) => json!([gold, predicted]),
            Self::Distribution(gold, probabilities) => json!([gold, probabilities]),
            Self::Truth(truth) => json!(truth),
            Self::Truths(truths) => json!(truths),
            Self::Texts { references, answer } => match references.as_slice() {
                [reference] => json!([reference, answer]),
                several => json!([several, answer]),
            },
        }
    }
}

/// A metric of a task, ready to use.
pub struct MetricOf {
    /// Its name.
    pub name: String,
    /// How rows are put together.
    pub aggregation: Aggregation,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// What counts as a match.
    pub(super) exact: ExactMatch,
}

/// The metrics that a task asks for, or those of its output type.
pub fn metrics_of(task: &Task) -> Result<Vec<MetricOf>, String> {
    let config = &task.config;
    let Some(list) = &config.metric_list else {
        let names: &[&str] = match config.output_type {
            _ if scores_instructions(config) => &ifeval::METRICS,
            OutputType::MultipleChoice => &["acc", "acc_norm"],
            OutputType::Loglikelihood => &["perplexity", "acc"],
            OutputType::LoglikelihoodRolling => &["word_perplexity", "byte_perplexity", "bits_per_byte"],
            OutputType::GenerateUntil => &["exact_match"],
            OutputType::ConversationLoss => &["loss", "token_perplexity"],
        };
        let default = MetricConfig::default();
        return names.iter().map(|name| metric(config.output_type, name, &default)).collect();
    };
    let mut metrics = Vec::with_capacity(list.len());
    for given in list {
        let known = available(config);
        let expanded = match given.metric.as_str() {
            "rouge" if known.contains(&rouge::METRICS[0]) => &rouge::METRICS[..],
            name if known.contains(&name) => &[name][..],
            name => {
                return Err(format!(
                    "metric_list: metric `{name}` is not supported for output_type {} (supported: {})",
                    config.output_type.name(),
                    known.join(", ")
                ));
            }
        };
        for name in expanded {
            metrics.push(metric(config.output_type, name, given)?);
        }
    }
    Ok(metrics)
}

fn scores_instructions(config: &TaskConfig) -> bool {
    config.process_results.is_some_and(|name| name.function == Function::IfevalResults)
}

fn available(config: &TaskConfig) -> &'static [&'static str] {
    match config.output_type {
        _ if scores_instructions(config) => &ifeval::METRICS,
        OutputType::MultipleChoice => {
            &["acc", "f1", "mcc", "acc_norm", "acc_bytes", "exact_match", "brier_score", "acc_mutual_info"]
        }
        OutputType::Loglikelihood => &["perplexity", "acc"],
        OutputType::LoglikelihoodRolling => {
            &["word_perplexity", "byte_perplexity", "bits_per_byte", "token_perplexity"]
        }
        OutputType::GenerateUntil => &generated::METRICS,
        OutputType::ConversationLoss => &["loss", "token_perplexity"],
    }
}

fn metric(output: OutputType, name: &str, given: &MetricConfig) -> Result<MetricOf, String> {
    let aggregation = match &given.aggregation {
        Some(Value::String(named)) => Aggregation::from_name(named)
            .ok_or_else(|| format!("metric_list: aggregation `{named}` is not supported"))?,
        Some(other) => {
            let function = other.get("!function").and_then(Value::as_str);
            function
                .and_then(Aggregation::from_function)
                .ok_or_else(|| format!("metric_list: aggregation {other} is not supported"))?
        }
        None if output == OutputType::GenerateUntil && name == "f1" => Aggregation::Mean,
        None => Aggregation::of_metric(name),
    };
    let lower = name.contains("perplexity") || matches!(name, "bits_per_byte" | "brier_score" | "loss");
    Ok(MetricOf {
        name: name.to_owned(),
        aggregation,
        higher_is_better: given.higher_is_better.unwrap_or(!lower),
        exact: ExactMatch::new(&given.options)?,
    })
}

/// The values of a row's metrics, in the order of the harness. `filtered` has one entry a request.
pub fn score_row(
    task: &Task,
    metrics: &[MetricOf],
    doc: &Doc,
    filtered: &[Filtered],
) -> Result<Vec<(String, Metric)>, String> {
    match task.config.process_results.map(|name| name.function) {
        Some(Function::WikitextResults) => return wikitext(metrics, doc, filtered),
        Some(Function::TruthfulQaMc2Results) => return truthfulqa(doc, filtered),
        Some(Function::IfevalResults) => return instructions(doc, filtered),
        Some(other) => return Err(format!("process_results: {other:?} does not score rows")),
        None => {}
    }
    match task.config.output_type {
        OutputType::MultipleChoice => multiple_choice(task, metrics, doc, filtered),
        OutputType::Loglikelihood => {
            let (sum, greedy) = log_likelihoods(filtered)?.into_iter().next().ok_or("there is no answer")?;
            Ok(pick(metrics, |name| match name {
                "perplexity" => Some(Metric::Number(sum)),
                "acc" => Some(truth(greedy)),
                _ => None,
            }))
        }
        OutputType::LoglikelihoodRolling => {
            let text = target_text(&task.target(doc)?);
            rolling(metrics, filtered, &text)
        }
        OutputType::GenerateUntil => generated(task, metrics, doc, filtered),
        OutputType::ConversationLoss => conversation(metrics, filtered),
    }
}

fn truth(value: bool) -> Metric {
    Metric::Number(f64::from(u8::from(value)))
}

fn pick(metrics: &[MetricOf], value: impl Fn(&str) -> Option<Metric>) -> Vec<(String, Metric)> {
    metrics
        .iter()
        .filter_map(|metric| value(&metric.name).map(|value| (metric.name.clone(), value)))
        .collect()
}

fn log_likelihoods(filtered: &[Filtered]) -> Result<Vec<(f64, bool)>, String> {
    filtered
        .iter()
        .map(|answer| match answer {
            Filtered::One(Response::LogLikelihood { sum, greedy, .. }) => Ok((*sum, *greedy)),
            _ => Err("the filters do not leave one log-likelihood; end them with take_first".to_owned()),
        })
        .collect()
}

/// The first of the largest, as `numpy.argmax`.
fn argmax(values: impl Iterator<Item = f64>) -> i64 {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if index == 0 || value > best.1 {
            best = (index as i64, value);
        }
    }
    best.0
}

fn multiple_choice(
    task: &Task,
    metrics: &[MetricOf],
    doc: &Doc,
    filtered: &[Filtered],
) -> Result<Vec<(String, Metric)>, String> {
    let answers = log_likelihoods(filtered)?;
    let choices = task.choices(doc)?;
    let sums: Vec<f64> = answers.iter().take(choices.len()).map(|(sum, _)| *sum).collect();
    let over = |length: fn(&str) -> usize| {
        argmax(sums.iter().zip(&choices).map(|(sum, choice)| sum / length(choice) as f64))
    };
    let (plain, by_characters, by_bytes) =
        (argmax(sums.iter().copied()), over(|choice| choice.chars().count()), over(str::len));
    let gold = gold(task, doc, &choices)?;
    let hit = |predicted: i64| truth(gold.contains(&predicted));
    let greedy = gold
        .iter()
        .any(|at| usize::try_from(*at).is_ok_and(|at| answers.get(at).is_some_and(|(_, greedy)| *greedy)));
    let first = gold.first().copied().unwrap_or(-100);
    let order =
        ["acc", "f1", "mcc", "acc_norm", "acc_bytes", "exact_match", "brier_score", "acc_mutual_info"];
    let mut out = Vec::new();
    for name in order.into_iter().filter(|name| metrics.iter().any(|metric| metric.name == *name)) {
        let value = match name {
            "acc" => hit(plain),
            "f1" | "mcc" => Metric::Pair(first, plain),
            "acc_norm" => hit(by_characters),
            "acc_bytes" => hit(by_bytes),
            "exact_match" => truth(greedy),
            "brier_score" => Metric::Distribution(first, softmax(&sums)),
            _ => {
                let unconditional = answers.iter().skip(choices.len()).map(|(sum, _)| *sum);
                hit(argmax(sums.iter().zip(unconditional).map(|(given, alone)| given - alone)))
            }
        };
        out.push((name.to_owned(), value));
    }
    Ok(out)
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = values.iter().map(|value| (value - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}

/// The right choices; -100 for what is none of them, as the harness has it.
fn gold(task: &Task, doc: &Doc, choices: &[String]) -> Result<Vec<i64>, String> {
    let gold = if task.multiple_input { task.text(doc)? } else { task.target(doc)? };
    let inside = |index: i64| if index < choices.len() as i64 { index } else { -100 };
    Ok(match gold {
        Value::Array(all) => all.iter().map(|one| one.as_i64().map_or(-100, inside)).collect(),
        Value::Number(index) => vec![index.as_i64().map_or(-100, inside)],
        Value::Bool(index) => vec![i64::from(index)],
        Value::String(text) => {
            vec![choices.iter().position(|choice| *choice == text).map_or(-100, |at| at as i64)]
        }
        other => return Err(format!("doc_to_target yields {}, not a choice", python::repr(&other))),
    })
}

fn rolling(metrics: &[MetricOf], filtered: &[Filtered], text: &str) -> Result<Vec<(String, Metric)>, String> {
    let Some(Filtered::One(Response::Rolling { sum, tokens })) = filtered.first() else {
        return Err("the filters do not leave one log-likelihood; end them with take_first".to_owned());
    };
    let weighted = |weight: usize| Some(Metric::Weighted(*sum, weight as f64));
    Ok(pick(metrics, |name| match name {
        "word_perplexity" => weighted(python::count_words(text)),
        "byte_perplexity" | "bits_per_byte" => weighted(text.len()),
        "token_perplexity" => weighted(*tokens),
        _ => None,
    }))
}

/// Words and bytes of the page before its tokenisation was undone.
fn wikitext(metrics: &[MetricOf], doc: &Doc, filtered: &[Filtered]) -> Result<Vec<(String, Metric)>, String> {
    let page = doc.fields.get("page").and_then(Value::as_str).ok_or("the row has no column `page`")?;
    rolling(metrics, filtered, page)
}

/// `process_results_mc2`: probability mass on the true answers.
fn truthfulqa(doc: &Doc, filtered: &[Filtered]) -> Result<Vec<(String, Metric)>, String> {
    let labels =
        doc.fields.get("mc2_targets").and_then(|targets| targets.get("labels")).and_then(Value::as_array);
    let labels = labels.ok_or("the row has no column `mc2_targets.labels`")?;
    let probabilities: Vec<f64> = log_likelihoods(filtered)?.iter().map(|(sum, _)| sum.exp()).collect();
    let total: f64 = probabilities.iter().sum();
    let mass: f64 = probabilities
        .iter()
        .zip(labels)
        .filter(|(_, label)| label.as_i64() == Some(1))
        .map(|(p, _)| p / total)
        .sum();
    Ok(vec![("acc".to_owned(), Metric::Number(mass))])
}

fn instructions(doc: &Doc, filtered: &[Filtered]) -> Result<Vec<(String, Metric)>, String> {
    ifeval::score(&doc.fields, &answer_text(filtered.first().ok_or("there is no answer")?)?)
}

fn conversation(metrics: &[MetricOf], filtered: &[Filtered]) -> Result<Vec<(String, Metric)>, String> {
    let (mut sum, mut tokens) = (0.0, 0);
    for answer in filtered {
        let Filtered::One(Response::LogLikelihood { sum: one, tokens: count, .. }) = answer else {
            return Err("the filters do not leave one log-likelihood a turn".to_owned());
        };
        sum += one;
        tokens += count;
    }
    Ok(pick(metrics, |name| match name {
        "loss" => Some(Metric::Weighted(-sum, tokens as f64)),
        "token_perplexity" => Some(Metric::Weighted(sum, tokens as f64)),
        _ => None,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#[allow(clippy::float_cmp, reason = "accuracies are exactly 0 or 1")]
mod tests {
    use super::*;
    use crate::engine::tasks::task_for_tests as task;

    fn answers(sums: &[f64]) -> Vec<Filtered> {
        let one = |sum: &f64| {
            Filtered::One(Response::LogLikelihood { sum: *sum, greedy: false, tokens: 1, context_tokens: 1 })
        };
        sums.iter().map(one).collect()
    }

    fn numbers(task: &Task, sums: &[f64]) -> Vec<(String, f64)> {
        let metrics = metrics_of(task).unwrap();
        let scored = score_row(task, &metrics, &task.docs[0], &answers(sums)).unwrap();
        scored.into_iter().map(|(name, value)| (name, value.to_json().as_f64().unwrap())).collect()
    }

    const YAML: &str = "task: t\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: choices\ndoc_to_target: gold\n\
        metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}]\n";

    #[test]
    fn normalisations_count_characters_and_bytes() {
        // 中文 has two characters and six bytes.
        let task = task(YAML, &[json!({"q": "?", "choices": ["abcd", "中文"], "gold": 0})]);
        assert_eq!(
            numbers(&task, &[-4.0, -3.0]),
            [("acc".into(), 0.0), ("acc_norm".into(), 1.0), ("acc_bytes".into(), 0.0)]
        );
        assert_eq!(numbers(&task, &[-4.0, -4.0])[0].1, 1.0, "ties go to the first");
    }

    #[test]
    fn a_target_may_be_a_choice_s_text_or_a_list() {
        let by_text = task(YAML, &[json!({"q": "?", "choices": ["no", "yes"], "gold": "yes"})]);
        assert_eq!(numbers(&by_text, &[-4.0, -3.0])[0].1, 1.0);
        let list = task(YAML, &[json!({"q": "?", "choices": ["a", "b", "c"], "gold": [1, 2]})]);
        assert_eq!(numbers(&list, &[-4.0, -5.0, -3.0])[0].1, 1.0);
        let outside = task(YAML, &[json!({"q": "?", "choices": ["a", "b"], "gold": 5})]);
        assert_eq!(numbers(&outside, &[-4.0, -5.0])[0].1, 0.0);
    }

    #[test]
    fn unknown_metrics_are_refused_with_those_that_exist() {
        let task = task(
            "task: t\ndoc_to_text: q\ndoc_to_target: q\nmetric_list: [{metric: bleurt}]\n",
            &[json!({"q": "?"})],
        );
        let error = metrics_of(&task).err().unwrap();
        assert!(error.contains("`bleurt`") && error.contains("exact_match"), "{error}");
    }

    #[test]
    fn several_right_answers_count_any() {
        let yaml = "task: t\ndoc_to_text: q\ndoc_to_target: answers\nmetric_list: [{metric: exact_match, ignore_case: true}, {metric: token_f1}]\n";
        let task = task(yaml, &[json!({"q": "?", "answers": ["Paris", "the city of Paris"]})]);
        let metrics = metrics_of(&task).unwrap();
        let answer = [Filtered::One(Response::Text("paris".to_owned()))];
        let scored = score_row(&task, &metrics, &task.docs[0], &answer).unwrap();
        assert_eq!(
            scored,
            [("exact_match".into(), Metric::Number(1.0)), ("token_f1".into(), Metric::Number(1.0))]
        );
    }

    #[test]
    fn a_generated_answer_may_be_scored_by_likeness() {
        let yaml = "task: t\ndoc_to_text: q\ndoc_to_target: answer\nmetric_list: [{metric: f1}, {metric: bleu}, {metric: rouge}]\n";
        let task = task(yaml, &[json!({"q": "?", "answer": "the cat slept"})]);
        let metrics = metrics_of(&task).unwrap();
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["f1", "bleu", "rouge1", "rouge2", "rougeL", "rougeLsum"]);
        assert_eq!(metrics[0].aggregation, Aggregation::Mean, "of words, not of classes");
        assert_eq!(metrics[1].aggregation, Aggregation::Bleu);
        let answer = [Filtered::One(Response::Text("a cat slept".to_owned()))];
        let scored = score_row(&task, &metrics, &task.docs[0], &answer).unwrap();
        assert_eq!(scored[0].1, Metric::Number(1.0), "articles do not count");
        assert_eq!(scored[1].1.to_json(), json!(["the cat slept", "a cat slept"]));
        assert!(matches!(scored[4].1, Metric::Number(score) if (score - 2.0 / 3.0).abs() < 1e-12));
    }

    #[test]
    fn ifeval_s_metrics_are_its_own() {
        let fields = "task: t\ndoc_to_text: prompt\ndoc_to_target: 0\nprocess_results: !function ifeval.process_results\n";
        let row =
            json!({"prompt": "Say it.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]});
        let own = task(fields, std::slice::from_ref(&row));
        let metrics = metrics_of(&own).unwrap();
        let aggregations: Vec<Aggregation> = metrics.iter().map(|metric| metric.aggregation).collect();
        let (mean, lists) = (Aggregation::Mean, Aggregation::MeanOfLists);
        assert_eq!(aggregations, [mean, lists, mean, lists]);
        let answer = [Filtered::One(Response::Text("Well, then.".to_owned()))];
        let scored = score_row(&own, &metrics, &own.docs[0], &answer).unwrap();
        assert_eq!(scored[1].1, Metric::Truths(vec![false]));
        let foreign = task(&format!("{fields}metric_list: [{{metric: exact_match}}]\n"), &[row]);
        assert!(metrics_of(&foreign).err().unwrap().contains("prompt_level_strict_acc"));
    }
}
