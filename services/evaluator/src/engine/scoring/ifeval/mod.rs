//! IFEval's scoring: whether an answer follows the instructions of its prompt, each of which a program can check
//! (Zhou et al. 2023, arXiv:2311.07911), as lm-evaluation-harness 0.4.13 runs the checks (`tasks/ifeval`).
//!
//! Where the reference draws at random (a missing argument, a letter that is none, the language detector), this does
//! not; [`arguments`], [`keywords`] and [`language`] say what it does instead.

mod arguments;
mod change_case;
mod combination;
mod content;
mod format;
mod instruction;
mod keywords;
mod language;
mod length;
mod patterns;
mod punctuation;
mod sentences;
mod startend;
mod words;

use serde_json::{Map, Value};

use self::instruction::Instruction;
use super::metrics::Metric;
use crate::engine::python;

/// The four metrics, in the order of the harness.
pub(super) const METRICS: [&str; 4] =
    ["prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"];

/// The metrics of a row: all instructions together and each, of the answer as it is and of its loose variants.
pub(super) fn score(row: &Map<String, Value>, answer: &str) -> Result<Vec<(String, Metric)>, String> {
    let instructions = instructions(row)?;
    let judge = |variants: &[String]| -> Result<Vec<bool>, String> {
        instructions.iter().map(|instruction| follows_any(instruction, variants)).collect()
    };
    let strict = judge(&[answer.to_owned()])?;
    let loose = judge(&loose_variants(answer))?;
    let all = |truths: &[bool]| Metric::Truth(truths.iter().all(|truth| *truth));
    let values = [all(&strict), Metric::Truths(strict), all(&loose), Metric::Truths(loose)];
    Ok(METRICS.iter().map(|name| (*name).to_owned()).zip(values).collect())
}

fn instructions(row: &Map<String, Value>) -> Result<Vec<Instruction<'_>>, String> {
    let list = |column: &str| {
        row.get(column).and_then(Value::as_array).ok_or_else(|| format!("the row has no list `{column}`"))
    };
    let (ids, arguments) = (list("instruction_id_list")?, list("kwargs")?);
    if ids.len() != arguments.len() {
        return Err(format!("{} instructions have {} entries in `kwargs`", ids.len(), arguments.len()));
    }
    ids.iter()
        .zip(arguments)
        .map(|(id, given)| {
            let id = id.as_str().ok_or("`instruction_id_list` holds something that is not text")?;
            Instruction::new(id, given.as_object())
        })
        .collect()
}

fn follows_any(instruction: &Instruction<'_>, variants: &[String]) -> Result<bool, String> {
    for variant in variants {
        if instruction.follows(variant)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The answer without its first line, its last, both or neither, each with and without asterisks.
fn loose_variants(answer: &str) -> Vec<String> {
    let lines: Vec<&str> = answer.split('\n').collect();
    let (count, last) = (lines.len(), lines.len() - 1);
    let cut = |from: usize, to: usize| {
        python::strip(&lines.get(from..to).unwrap_or_default().join("\n")).to_owned()
    };
    let plain = [answer.to_owned(), cut(1, count), cut(0, last), cut(1, last)];
    plain.iter().cloned().chain(plain.iter().map(|text| text.replace('*', ""))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    /// One line an answer to one instruction, with what `process_results` of lm_eval 0.4.13 says of it.
    const CASES: &str = include_str!("cases.jsonl");

    fn judged(instruction: &Value, arguments: &Value, answer: &str) -> Result<(bool, bool), String> {
        let row = json!({"instruction_id_list": [instruction], "kwargs": [arguments]});
        let scored = score(row.as_object().unwrap(), answer)?;
        let truth = |index: usize| scored[index].1 == Metric::Truth(true);
        assert_eq!(scored[1].1, Metric::Truths(vec![truth(0)]), "one instruction is all instructions");
        Ok((truth(0), truth(2)))
    }

    #[test]
    fn every_check_judges_as_the_harness_does() {
        let mut wrong = Vec::new();
        for line in CASES.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let found = judged(&case["instruction"], &case["arguments"], case["answer"].as_str().unwrap());
            let expected = (case["strict"].as_bool().unwrap(), case["loose"].as_bool().unwrap());
            if found != Ok(expected) {
                wrong.push(format!("{line}\n  found {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let named = |id: &str| CASES.contains(&format!("\"{id}\""));
        assert!(instruction::ids().all(named), "every instruction has a case");
    }

    #[test]
    fn a_row_is_judged_by_all_of_its_instructions() {
        let row = json!({
            "instruction_id_list": ["punctuation:no_comma", "startend:quotation"],
            "kwargs": [{}, {"unused": null}],
        });
        let scored = score(row.as_object().unwrap(), "Here you are:\n\"no commas\"").unwrap();
        assert_eq!(scored.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), METRICS);
        let values: Vec<Value> = scored.iter().map(|(_, value)| value.to_json()).collect();
        assert_eq!(values, [json!(false), json!([true, false]), json!(true), json!([true, true])]);
    }

    #[test]
    fn what_the_harness_draws_at_random_makes_a_bad_row() {
        let refused = |instruction: &str, arguments: Value| {
            judged(&json!(instruction), &arguments, "text").unwrap_err()
        };
        assert!(
            refused("length_constraints:number_words", json!({"relation": "at least"}))
                .contains("`num_words`")
        );
        assert!(
            refused("length_constraints:number_words", json!({"num_words": 3, "relation": "most"}))
                .contains("most")
        );
        assert!(refused("keywords:existence", json!({"keywords": null})).contains("`keywords`"));
        assert!(refused("keywords:existence", json!({"keywords": ["("]})).contains("no pattern"));
        assert!(refused("keywords:unheard_of", json!({})).contains("no instruction"));
    }

    #[test]
    fn a_sign_that_is_no_letter_is_counted_all_the_same() {
        let arguments = json!({"letter": "#", "let_frequency": 2, "let_relation": "at least"});
        assert_eq!(judged(&json!("keywords:letter_frequency"), &arguments, "# one\n# two"), Ok((true, true)));
        assert_eq!(judged(&json!("keywords:letter_frequency"), &arguments, "# one"), Ok((false, false)));
    }
}
