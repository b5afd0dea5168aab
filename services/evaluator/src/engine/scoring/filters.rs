//! Filter pipelines: from raw answers to scored answers (`lm_eval/filters`).

use fancy_regex::Regex;
use serde_json::Value;

use super::response::{Filtered, Response};
use crate::engine::python;
use crate::engine::tasks::{FilterConfig, FilterStep};

/// A named pipeline, its patterns compiled.
pub struct Pipeline {
    /// The name in the results; `none` without filters of one's own.
    pub name: String,
    steps: Vec<(FilterStep, Option<Regex>)>,
}

impl Pipeline {
    /// Compiles a task's pipelines; without any, the first answer is taken.
    pub fn compile(filters: Option<&[FilterConfig]>) -> Result<Vec<Self>, String> {
        let Some(filters) = filters else {
            return Ok(vec![Self { name: "none".to_owned(), steps: vec![(FilterStep::TakeFirst {}, None)] }]);
        };
        filters
            .iter()
            .map(|filter| {
                let steps = filter.filter.iter().map(compile).collect::<Result<_, _>>()?;
                Ok(Self { name: filter.name.clone(), steps })
            })
            .collect()
    }

    /// Applies the steps to one request's answers.
    pub fn apply(&self, responses: &[Response]) -> Result<Filtered, String> {
        let mut current = Filtered::Many(responses.to_vec());
        for (step, pattern) in &self.steps {
            current = apply(step, pattern.as_ref(), current)?;
        }
        Ok(current)
    }
}

fn compile(step: &FilterStep) -> Result<(FilterStep, Option<Regex>), String> {
    let pattern = match step {
        FilterStep::Regex { regex_pattern, .. } => {
            let compiled = python::pattern(regex_pattern);
            Some(compiled.map_err(|error| format!("filter_list: regex_pattern: {error}"))?)
        }
        _ => None,
    };
    Ok((step.clone(), pattern))
}

fn apply(step: &FilterStep, pattern: Option<&Regex>, current: Filtered) -> Result<Filtered, String> {
    let responses = match current {
        Filtered::Many(responses) => responses,
        Filtered::One(response) => vec![response],
    };
    let each = |change: &dyn Fn(&str) -> Result<String, String>| -> Result<Filtered, String> {
        let changed = responses.iter().map(|response| match response {
            Response::Text(text) => change(text).map(Response::Text),
            other => Ok(other.clone()),
        });
        changed.collect::<Result<_, _>>().map(Filtered::Many)
    };
    match step {
        FilterStep::TakeFirst {} => responses
            .into_iter()
            .next()
            .map(Filtered::One)
            .ok_or_else(|| "there is no answer to take".to_owned()),
        FilterStep::TakeFirstK { k } if responses.len() < *k => {
            Err(format!("{k} answers are to be taken and there are {}; raise `repeats`", responses.len()))
        }
        FilterStep::TakeFirstK { k } => Ok(Filtered::Many(responses.into_iter().take(*k).collect())),
        FilterStep::MajorityVote {} => Ok(Filtered::Many(vec![majority(&responses)?])),
        FilterStep::RemoveWhitespace {} => each(&|text| Ok(text.trim().to_owned())),
        FilterStep::Lowercase {} => each(&|text| Ok(text.to_lowercase())),
        FilterStep::Uppercase {} => each(&|text| Ok(text.to_uppercase())),
        FilterStep::Map { mapping_dict, default_value } => {
            let looked_up = responses.iter().map(|response| match response {
                Response::Text(text) => {
                    Ok(Response::Value(mapping_dict.get(text).unwrap_or(default_value).clone()))
                }
                _ => Err("`map` needs texts".to_owned()),
            });
            looked_up.collect::<Result<_, _>>().map(Filtered::Many)
        }
        FilterStep::Regex { group_select, fallback, .. } => {
            let pattern = pattern.expect("compile() gives every regex step its pattern");
            each(&|text| extract(pattern, text, *group_select, fallback))
        }
    }
}

/// The most frequent answer; the earliest among equals, as `Counter.most_common` has it.
fn majority(responses: &[Response]) -> Result<Response, String> {
    let mut best: Option<(usize, &Response)> = None;
    for candidate in responses {
        let votes = responses.iter().filter(|other| *other == candidate).count();
        if best.is_none_or(|(most, _)| votes > most) {
            best = Some((votes, candidate));
        }
    }
    best.map(|(_, response)| response.clone()).ok_or_else(|| "there is no answer to count".to_owned())
}

/// `re.findall`, then the selected match, then its first group that matched anything.
fn extract(pattern: &Regex, text: &str, select: i64, fallback: &str) -> Result<String, String> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for captures in pattern.captures_iter(text) {
        let captures = captures.map_err(|error| format!("the filter's pattern gave up: {error}"))?;
        let group =
            |index: usize| captures.get(index).map(|part| part.as_str().to_owned()).unwrap_or_default();
        found.push(if captures.len() == 1 {
            vec![group(0)]
        } else {
            (1..captures.len()).map(group).collect()
        });
    }
    if found.is_empty() {
        return Ok(fallback.to_owned());
    }
    let at = if select < 0 { select + found.len() as i64 } else { select };
    let selected = usize::try_from(at).ok().and_then(|at| found.get(at));
    let groups =
        selected.ok_or_else(|| format!("group_select {select} is outside the {} matches", found.len()))?;
    let matched =
        if groups.len() == 1 { groups.first() } else { groups.iter().find(|group| !group.is_empty()) };
    Ok(matched.map_or(fallback, String::as_str).trim().to_owned())
}

/// What a filtered answer is compared as.
pub(super) fn answer_text(filtered: &Filtered) -> Result<String, String> {
    filtered.text().ok_or_else(|| "the filters leave several answers; end them with take_first".to_owned())
}

/// A target as text.
pub(super) fn target_text(target: &Value) -> String {
    python::str_of(target)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(filter: &Value, answers: &[&str]) -> Result<String, String> {
        let config: FilterConfig = serde_json::from_value(json!({"name": "f", "filter": filter})).unwrap();
        let responses: Vec<Response> =
            answers.iter().map(|text| Response::Text((*text).to_owned())).collect();
        Pipeline::compile(Some(&[config])).unwrap()[0]
            .apply(&responses)
            .and_then(|filtered| answer_text(&filtered))
    }

    #[test]
    fn gsm8k_s_two_extractions() {
        let strict = json!([{"function": "regex", "regex_pattern": "#### (\\-?[0-9\\.\\,]+)"}, {"function": "take_first"}]);
        let flexible = json!([{"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"}, {"function": "take_first"}]);
        assert_eq!(run(&strict, &["so 3\n#### 1,234\n"]).unwrap(), "1,234");
        assert_eq!(run(&strict, &["so 3"]).unwrap(), "[invalid]");
        assert_eq!(run(&flexible, &["it is $40. Then 7"]).unwrap(), "7");
    }

    #[test]
    fn steps_follow_each_other() {
        let vote = json!([{"function": "remove_whitespace"}, {"function": "majority_vote"}, {"function": "take_first"}]);
        assert_eq!(run(&vote, &["b", " a", "a ", "b"]).unwrap(), "b", "the earliest of equals");
        let map = json!([{"function": "uppercase"}, {"function": "map", "mapping_dict": {"A": 1}, "default_value": 0}]);
        assert_eq!(run(&map, &["a"]).unwrap(), "1");
        assert_eq!(run(&map, &["z"]).unwrap(), "0");
        let first = json!([{"function": "map", "mapping_dict": {"a": "yes"}, "default_value": "no"}, {"function": "take_first"}]);
        assert_eq!(run(&first, &["a", "b"]).unwrap(), "yes");
        let vote = json!([{"function": "map", "mapping_dict": {"a": 1, "b": 2, "c": 2}}, {"function": "majority_vote"}, {"function": "take_first"}]);
        assert_eq!(run(&vote, &["a", "b", "c"]).unwrap(), "2", "every answer is looked up");
        let k = json!([{"function": "take_first_k", "k": 3}]);
        assert!(run(&k, &["a"]).unwrap_err().contains("repeats"));
    }

    #[test]
    fn python_s_lookahead_is_understood() {
        let pattern =
            json!([{"function": "regex", "regex_pattern": "\\d+(?= apples)"}, {"function": "take_first"}]);
        assert_eq!(run(&pattern, &["3 pears, 4 apples"]).unwrap(), "4");
    }
}
