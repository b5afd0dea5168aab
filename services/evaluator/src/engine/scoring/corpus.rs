//! Scores of a whole corpus from counts of each row: BLEU and chrF are no means of the rows' scores.

use super::bleu::Bleu;
use super::chrf::Chrf;
use super::metrics::Metric;
use super::stderr::bootstrap;

/// The harness's most resamples for these scores.
const MOST_ITERATIONS: usize = 100;

/// Counts that add up over rows.
trait Counts: Clone + Sync {
    fn add(&mut self, other: &Self);
    fn score(&self) -> f64;
}

impl Counts for Bleu {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }
    fn score(&self) -> f64 {
        Self::score(self)
    }
}

impl Counts for Chrf {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }
    fn score(&self) -> f64 {
        Self::score(self)
    }
}

/// BLEU of all rows and its standard error over resamples of rows.
pub(super) fn bleu(rows: &[Metric], iterations: usize) -> Result<(f64, Option<f64>), String> {
    score(&of_rows(rows, Bleu::of)?, iterations)
}

/// chrF of all rows, with runs of words up to `word_order` besides; and its standard error.
pub(super) fn chrf(
    rows: &[Metric],
    word_order: usize,
    iterations: usize,
) -> Result<(f64, Option<f64>), String> {
    score(&of_rows(rows, |answer, references| Chrf::of(answer, references, word_order))?, iterations)
}

fn of_rows<C>(rows: &[Metric], count: impl Fn(&str, &[String]) -> C) -> Result<Vec<C>, String> {
    rows.iter()
        .map(|row| match row {
            Metric::Texts { references, answer } => Ok(count(answer, references)),
            other => {
                Err(format!("{other:?} is not an answer with its references; choose another aggregation"))
            }
        })
        .collect()
}

fn score<C: Counts>(rows: &[C], iterations: usize) -> Result<(f64, Option<f64>), String> {
    let of = |rows: &[&C]| {
        let mut rows = rows.iter();
        let mut sum = rows.next().map(|first| C::clone(first))?;
        rows.for_each(|row| sum.add(row));
        Some(sum.score())
    };
    let all: Vec<&C> = rows.iter().collect();
    let value = of(&all).ok_or("there are no rows")?;
    Ok((value, bootstrap(rows, iterations.min(MOST_ITERATIONS), |sample| of(sample).unwrap_or(0.0))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn row(references: &[&str], answer: &str) -> Metric {
        let references = references.iter().map(|text| (*text).to_owned()).collect();
        Metric::Texts { references, answer: answer.to_owned() }
    }

    fn close(found: Result<(f64, Option<f64>), String>, value: f64, error: f64) {
        let (found, found_error) = found.unwrap();
        assert!((found - value).abs() < 1e-9, "{found} is not {value}");
        assert!((found_error.unwrap() - error).abs() < 1e-9, "{found_error:?} is not {error}");
    }

    #[test]
    fn a_corpus_is_scored_as_the_harness_does() {
        let rows = [
            row(&["The cat sat on the mat and slept."], "The cat sat on the mat, and it slept."),
            row(
                &["It cost $3,500.50, not cheap and not new!"],
                "It costs $3,500.50 -- not \"cheap\" &amp; not new.",
            ),
            row(
                &["The well-known author wrote a 2019-2020 report."],
                "A well-known author wrote the 2019-2020 report.",
            ),
            row(&["Nothing was said."], ""),
            row(&["The cat sleeps again."], "那只猫 sleeps (again)!"),
            row(&["the cat"], "the the the the"),
        ];
        // lm_eval.api.metrics.{bleu,chrf,chrfpp} and bootstrap_stderr(…, iters=100), with sacrebleu 2.6.0
        close(bleu(&rows, 1000), 30.746_054_889_912_102, 11.568_633_300_044_088);
        close(chrf(&rows, 0, 1000), 59.548_277_907_760_415, 10.873_434_187_156_239);
        close(chrf(&rows, 2, 1000), 55.664_174_208_415_06, 11.228_054_204_436_095);
    }

    #[test]
    fn several_references_are_used() {
        let rows = [
            row(&["The cat slept on the mat.", "A cat sat on a mat"], "The cat sat on the mat."),
            row(&["He left early.", "He went away early today."], "He left early today."),
        ];
        // sacrebleu.corpus_bleu, corpus_chrf, corpus_chrf(word_order=2)
        assert!((bleu(&rows, 1000).unwrap().0 - 56.810_968_323_374_96).abs() < 1e-9);
        assert!((chrf(&rows, 0, 1000).unwrap().0 - 74.141_832_828_976_96).abs() < 1e-9);
        assert!((chrf(&rows, 2, 1000).unwrap().0 - 74.919_785_982_834_17).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_no_corpus() {
        assert!(bleu(&[Metric::Number(1.0)], 1).is_err());
    }
}
