//! ROUGE (Lin 2004) as `rouge_score` 0.1.2 computes it without a stemmer: F1 of common runs of words, of the longest
//! common subsequence, and of the latter line by line. From 0 to 1; the best of several references counts.

use std::collections::{BTreeSet, HashMap};

use super::ngrams::{common, count, total};

/// The metrics that `rouge` stands for.
pub(super) const METRICS: [&str; 4] = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

/// One of [`METRICS`]; `None` for another name.
pub(super) fn rouge(name: &str, answer: &str, references: &[String]) -> Option<f64> {
    let score: fn(&str, &str) -> f64 = match name {
        "rouge1" => |answer, reference| runs(answer, reference, 1),
        "rouge2" => |answer, reference| runs(answer, reference, 2),
        "rougeL" => subsequence,
        "rougeLsum" => line_by_line,
        _ => return None,
    };
    Some(references.iter().map(|reference| score(answer, reference)).fold(0.0, f64::max))
}

/// Lower case, split at everything but ASCII letters and digits.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let split = lower.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
    split.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// F1 of `hits` among the words of the answer and of the reference.
fn f1(hits: usize, answer: usize, reference: usize) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    let (precision, recall) = (hits as f64 / answer as f64, hits as f64 / reference as f64);
    2.0 * precision * recall / (precision + recall)
}

fn runs(answer: &str, reference: &str, order: usize) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    let (own, other) = (count(&answer, order), count(&reference, order));
    f1(common(&own, &other), total(&own), total(&other))
}

fn subsequence(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    let length = table(&reference, &answer)[reference.len()][answer.len()];
    f1(length, answer.len(), reference.len())
}

/// ROUGE-Lsum: for each line of the reference the union of its longest common subsequences with the answer's lines; no
/// word counts more often than it occurs on both sides.
fn line_by_line(answer: &str, reference: &str) -> f64 {
    let lines = |text: &str| -> Vec<Vec<String>> {
        text.split('\n').filter(|line| !line.is_empty()).map(words).collect()
    };
    let (answer, reference) = (lines(answer), lines(reference));
    let (mut left_answer, mut left_reference) = (occurrences(&answer), occurrences(&reference));
    let mut hits = 0;
    for line in &reference {
        let union: BTreeSet<usize> = answer.iter().flat_map(|other| common_positions(line, other)).collect();
        for at in union {
            let word = line[at].as_str();
            let (Some(own), Some(other)) = (left_answer.get_mut(word), left_reference.get_mut(word)) else {
                continue;
            };
            if *own > 0 && *other > 0 {
                (*own, *other) = (*own - 1, *other - 1);
                hits += 1;
            }
        }
    }
    f1(hits, answer.iter().map(Vec::len).sum(), reference.iter().map(Vec::len).sum())
}

fn occurrences(lines: &[Vec<String>]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for word in lines.iter().flatten() {
        *counts.entry(word.as_str()).or_insert(0) += 1;
    }
    counts
}

/// Lengths of the longest common subsequences of all beginnings.
fn table(reference: &[String], answer: &[String]) -> Vec<Vec<usize>> {
    let mut lengths = vec![vec![0; answer.len() + 1]; reference.len() + 1];
    for (i, word) in reference.iter().enumerate() {
        for (j, other) in answer.iter().enumerate() {
            lengths[i + 1][j + 1] =
                if word == other { lengths[i][j] + 1 } else { lengths[i][j + 1].max(lengths[i + 1][j]) };
        }
    }
    lengths
}

/// Where in the reference one longest common subsequence is; of several the one that `rouge_score` reads out.
fn common_positions(reference: &[String], answer: &[String]) -> Vec<usize> {
    let lengths = table(reference, answer);
    let (mut i, mut j) = (reference.len(), answer.len());
    let mut positions = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == answer[j - 1] {
            positions.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if lengths[i][j - 1] > lengths[i - 1][j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rouge_scores() {
        // rouge_score 0.1.2, RougeScorer([...]).score(reference, answer)[name].fmeasure; score_multi for the last
        for (answer, references, expected) in [
            (
                "The cat sat on the mat, and it slept.",
                vec!["The cat slept on the mat."],
                [0.8, 0.461_538_461_538_461_5, 0.666_666_666_666_666_7, 0.666_666_666_666_666_7],
            ),
            (
                "police killed the gunman\nthe gunman fled\nThe end",
                vec!["the gunman police killed\ngunman the end of it\n\nfled he"],
                [0.8, 0.444_444_444_444_444_5, 0.5, 0.6],
            ),
            ("", vec!["x"], [0.0; 4]),
            (
                "w1 w2 w3 w4 w5",
                vec!["w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5\nw1 w1"],
                [
                    0.470_588_235_294_117_64,
                    0.133_333_333_333_333_33,
                    0.470_588_235_294_117_64,
                    0.470_588_235_294_117_64,
                ],
            ),
            ("the cat slept", vec!["a dog ran", "the cat slept on the mat today"], [0.6, 0.5, 0.6, 0.6]),
        ] {
            let references: Vec<String> = references.into_iter().map(str::to_owned).collect();
            for (name, expected) in METRICS.iter().zip(expected) {
                let found = rouge(name, answer, &references).unwrap_or(f64::NAN);
                assert!((found - expected).abs() < 1e-12, "{name} of {answer:?}: {found}");
            }
        }
        assert_eq!(rouge("exact_match", "a", &[]), None);
    }
}
