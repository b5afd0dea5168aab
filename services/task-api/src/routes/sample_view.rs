//! One sample of an evaluation as people read it: what was asked, what came back, and how it was scored.
//!
//! Made from a line of the harness's samples file; every choice stands beside its log-probability.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::evaluations::TELLING;

/// What the harness's filters leave of an answer in which they find nothing.
const NOTHING_FOUND: &str = "[invalid]";

/// How an answer was scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It is right.
    Pass,
    /// It is wrong.
    Fail,
    /// The filter found no answer in the model's text, which therefore counts as wrong.
    Unextracted,
}

impl Outcome {
    /// Reads its name in a query.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [("pass", Self::Pass), ("fail", Self::Fail), ("unextracted", Self::Unextracted)]
            .into_iter()
            .find(|(name, _)| *name == text)
            .map(|(_, outcome)| outcome)
    }
}

/// A choice of a multiple-choice question.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Choice {
    text: String,
    /// Natural logarithm of its probability; absent where it is not finite.
    log_probability: Option<f64>,
    /// The model prefers it to every other.
    chosen: bool,
}

/// A sample.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Sample {
    benchmark: String,
    /// The subject, where the row or the benchmark has one.
    subject: Option<String>,
    /// Which row of the dataset.
    #[schema(value_type = Object)]
    doc_id: Value,
    /// Which filter read the answer; a row stands once for each.
    filter: String,
    prompt: String,
    /// What would have been right.
    answer: String,
    /// What the model said: its text, or the choice that it prefers.
    output: Option<String>,
    /// What the filter took from the model's text.
    extracted: Option<String>,
    choices: Vec<Choice>,
    /// The scores by name.
    #[schema(value_type = Object)]
    scores: Map<String, Value>,
    /// The score that decides the outcome.
    score: Option<f64>,
    outcome: Option<Outcome>,
}

impl Sample {
    /// The sample of a line.
    pub(crate) fn new(benchmark: &str, line: &Value) -> Self {
        let choices = choices(line);
        let said = texts(line);
        let extracted = line["filtered_resps"][0].as_str().filter(|_| choices.is_empty()).map(str::to_owned);
        let scores = scores(line);
        let verdict = TELLING.iter().find_map(|name| scores.get(*name));
        let score = verdict.and_then(|score| score.as_f64().or_else(|| score.as_bool().map(f64::from)));
        let preferred = choices.iter().find(|choice| choice.chosen).map(|choice| choice.text.clone());
        Self {
            subject: line["doc"]["subject"].as_str().map(str::to_owned),
            benchmark: benchmark.to_owned(),
            doc_id: line["doc_id"].clone(),
            filter: line["filter"].as_str().unwrap_or("none").to_owned(),
            prompt: line["arguments"]["gen_args_0"]["arg_0"].as_str().unwrap_or_default().to_owned(),
            answer: answer(line, &choices),
            output: preferred.or(said),
            outcome: score.map(|score| outcome(score, extracted.as_deref())),
            extracted,
            choices,
            scores,
            score,
        }
    }

    /// Whether it is about this subject: by its row, or by the end of its benchmark's name.
    pub(crate) fn is_about(&self, subject: &str) -> bool {
        self.subject.as_deref() == Some(subject) || self.benchmark.ends_with(&format!("_{subject}"))
    }

    /// Whether it came through this filter.
    pub(crate) fn is_through(&self, filter: &str) -> bool {
        self.filter == filter
    }

    /// Whether it was scored so; what the filter found nothing in has failed too.
    pub(crate) fn came_out(&self, wanted: Outcome) -> bool {
        self.outcome == Some(wanted)
            || (wanted == Outcome::Fail && self.outcome == Some(Outcome::Unextracted))
    }
}

fn outcome(score: f64, extracted: Option<&str>) -> Outcome {
    match extracted {
        _ if score >= 0.5 => Outcome::Pass,
        Some(NOTHING_FOUND) => Outcome::Unextracted,
        _ => Outcome::Fail,
    }
}

/// The metrics that the line names.
fn scores(line: &Value) -> Map<String, Value> {
    let names = line["metrics"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(|name| Some((name.to_owned(), line.get(name)?.clone()))).collect()
}

/// The continuations that were scored, each with its log-probability. Requests without a context (those of mutual
/// information) are left out.
fn choices(line: &Value) -> Vec<Choice> {
    let of = |place: usize| {
        let response = &line["resps"][place][0];
        let [sum, _] = response.as_array()?.as_slice() else { return None };
        let request = &line["arguments"][format!("gen_args_{place}")];
        let text = request["arg_1"].as_str()?.to_owned();
        request["arg_0"].as_str().filter(|context| !context.is_empty())?;
        let log_probability =
            sum.as_str().and_then(|text| text.parse().ok()).filter(|sum: &f64| sum.is_finite());
        Some(Choice { text, log_probability, chosen: false })
    };
    let count = line["resps"].as_array().map_or(0, Vec::len);
    let mut choices: Vec<Choice> = (0..count).map_while(of).collect();
    if choices.len() < 2 {
        return Vec::new();
    }
    let best = choices.iter().filter_map(|choice| choice.log_probability).fold(f64::NEG_INFINITY, f64::max);
    if let Some(first) = choices.iter_mut().find(|choice| choice.log_probability == Some(best)) {
        first.chosen = true;
    }
    choices
}

/// What the model wrote, or the log-probability of a text that was only scored.
fn texts(line: &Value) -> Option<String> {
    let first = &line["resps"][0][0];
    first.as_str().or_else(|| first[0].as_str()).map(str::to_owned)
}

/// The target; where it is the place of a choice, that choice.
fn answer(line: &Value, choices: &[Choice]) -> String {
    let target = line["target"].as_str().map_or_else(|| line["target"].to_string(), str::to_owned);
    let place = target.parse::<usize>().ok();
    let is_choice = choices.iter().any(|choice| choice.text.trim() == target.trim());
    match place.and_then(|place| choices.get(place)).filter(|_| !is_choice) {
        Some(choice) => choice.text.clone(),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn choices_stand_beside_their_log_probabilities() {
        let line = json!({
            "doc_id": 3, "doc": {"subject": "law"}, "target": "1", "filter": "none", "metrics": ["acc"], "acc": 1.0,
            "arguments": {"gen_args_0": {"arg_0": "Q:", "arg_1": " A"}, "gen_args_1": {"arg_0": "Q:", "arg_1": " B"},
                          "gen_args_2": {"arg_0": "", "arg_1": " A"}},
            "resps": [[["-2.5", "False"]], [["-1.5", "True"]], [["-9.0", "False"]]],
            "filtered_resps": [["-2.5", "False"], ["-1.5", "True"]],
        });
        let sample = Sample::new("ceval-valid_law", &line);
        let told: Vec<_> =
            sample.choices.iter().map(|c| (c.text.as_str(), c.log_probability, c.chosen)).collect();
        assert_eq!(told, [(" A", Some(-2.5), false), (" B", Some(-1.5), true)]);
        assert_eq!((sample.answer.as_str(), sample.output.as_deref()), (" B", Some(" B")));
        assert!(sample.came_out(Outcome::Pass) && sample.is_about("law") && !sample.is_about("aw"));
        assert_eq!(sample.extracted, None);
    }

    #[test]
    fn an_answer_in_which_nothing_was_found_is_told_from_a_wrong_one() {
        let line = |filtered: &str| {
            json!({
                "doc_id": 0, "doc": {}, "target": "8", "filter": "strict-match", "metrics": ["exact_match"],
                "exact_match": 0.0, "arguments": {"gen_args_0": {"arg_0": "4+4?", "arg_1": {"until": ["Q"]}}},
                "resps": [["It is nine."]], "filtered_resps": [filtered],
            })
        };
        let wrong = Sample::new("gsm8k", &line("9"));
        assert_eq!((wrong.outcome, wrong.extracted.as_deref()), (Some(Outcome::Fail), Some("9")));
        assert_eq!((wrong.prompt.as_str(), wrong.output.as_deref()), ("4+4?", Some("It is nine.")));
        let nothing = Sample::new("gsm8k", &line("[invalid]"));
        assert_eq!(nothing.outcome, Some(Outcome::Unextracted));
        assert!(nothing.came_out(Outcome::Fail) && nothing.is_through("strict-match"));
    }
}
