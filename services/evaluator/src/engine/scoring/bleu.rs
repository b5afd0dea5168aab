//! BLEU over a corpus (Papineni et al. 2002) as sacrebleu 2 computes it: tokenisation 13a, up to four tokens a run,
//! exponential smoothing, the nearest reference's length, several references allowed.

use std::sync::LazyLock;

use regex::Regex;

use super::ngrams::{common, count, total};
use crate::engine::python;

/// The longest runs counted.
const ORDER: usize = 4;

/// What BLEU is made of; rows add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bleu {
    answer_tokens: usize,
    reference_tokens: usize,
    correct: [usize; ORDER],
    all: [usize; ORDER],
}

impl Bleu {
    /// The counts of one answer.
    pub(super) fn of(answer: &str, references: &[String]) -> Self {
        let answer = tokens(answer);
        let references: Vec<Vec<String>> = references.iter().map(|reference| tokens(reference)).collect();
        let nearest = references
            .iter()
            .map(Vec::len)
            .min_by_key(|length| (length.abs_diff(answer.len()), *length))
            .unwrap_or(0);
        let mut counts = Self {
            answer_tokens: answer.len(),
            reference_tokens: nearest,
            correct: [0; ORDER],
            all: [0; ORDER],
        };
        for order in 1..=ORDER {
            let own = count(&answer, order);
            let mut allowed = count(&[], order);
            for reference in &references {
                for (run, times) in count(reference, order) {
                    let most = allowed.entry(run).or_insert(0);
                    *most = times.max(*most);
                }
            }
            counts.correct[order - 1] = common(&own, &allowed);
            counts.all[order - 1] = total(&own);
        }
        counts
    }

    /// Adds another row.
    pub(super) fn add(&mut self, other: &Self) {
        self.answer_tokens += other.answer_tokens;
        self.reference_tokens += other.reference_tokens;
        for order in 0..ORDER {
            self.correct[order] += other.correct[order];
            self.all[order] += other.all[order];
        }
    }

    /// From 0 to 100.
    pub(super) fn score(&self) -> f64 {
        if self.correct.iter().all(|correct| *correct == 0) {
            return 0.0;
        }
        let mut smoothing = 1.0;
        let mut logarithms = 0.0;
        for (correct, all) in self.correct.iter().zip(self.all) {
            let precision = match (*correct, all) {
                // Answers shorter than the order leave the corpus without a score.
                (_, 0) => return 0.0,
                (0, all) => {
                    smoothing *= 2.0;
                    100.0 / (smoothing * all as f64)
                }
                (correct, all) => 100.0 * correct as f64 / all as f64,
            };
            logarithms += precision.ln();
        }
        self.brevity() * (logarithms / ORDER as f64).exp()
    }

    /// The penalty of an answer shorter than its reference.
    fn brevity(&self) -> f64 {
        if self.answer_tokens >= self.reference_tokens {
            return 1.0;
        }
        (1.0 - self.reference_tokens as f64 / self.answer_tokens as f64).exp()
    }
}

/// Patterns and replacements of `mteval-v13a`, in order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"([\{-\~\[-` -\&\(-\+:-@/])", " ${1} "),
        (r"([^0-9])([.,])", "${1} ${2} "),
        (r"([.,])([^0-9])", " ${1} ${2}"),
        (r"([0-9])(-)", "${1} ${2} "),
    ]
    .into_iter()
    .map(|(pattern, replacement)| (Regex::new(pattern).expect("the pattern is valid"), replacement))
    .collect()
});

/// Tokenisation 13a.
fn tokens(text: &str) -> Vec<String> {
    let mut text = text
        .trim_end_matches(python::is_space)
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    for (entity, sign) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        text = text.replace(entity, sign);
    }
    text = format!(" {text} ");
    for (pattern, replacement) in RULES.iter() {
        text = pattern.replace_all(&text, *replacement).into_owned();
    }
    python::split(&text).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_sacrebleus() {
        // sacrebleu 2.6.0, Tokenizer13a
        let text = "It's 3.5% of \"A-1\" &lt;b&gt;, e.g. 1,000-2 [x]~{y}/z <skipped>end-\ning\n.";
        let expected = "It's 3.5 % of \" A-1 \" < b > , e . g . 1,000 - 2 [ x ] ~ { y } / z ending .";
        assert_eq!(tokens(text).join(" "), expected);
    }

    #[test]
    fn short_answers_and_smoothing() {
        let score = |answer: &str, reference: &str| Bleu::of(answer, &[reference.to_owned()]).score();
        assert!(score("a b", "a b").abs() < 1e-12, "no run of four tokens");
        assert!((score("x y z w v", "x q q q q") - 10.682_175_159_905_848).abs() < 1e-10);
        assert!(score("", "a").abs() < 1e-12);
    }
}
