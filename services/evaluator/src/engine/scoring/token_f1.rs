//! F1 over words, as SQuAD's official script defines it (Rajpurkar et al. 2016).

/// Lower case, without ASCII punctuation and English articles, split at white space.
fn words(text: &str) -> Vec<String> {
    let kept: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    kept.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the")).map(str::to_owned).collect()
}

/// Harmonic mean of precision and recall of the common words.
pub(super) fn token_f1(prediction: &str, reference: &str) -> f64 {
    let (predicted, wanted) = (words(prediction), words(reference));
    if predicted.is_empty() || wanted.is_empty() {
        return f64::from(u8::from(predicted == wanted));
    }
    let mut left = wanted.clone();
    let common = predicted
        .iter()
        .filter(|word| left.iter().position(|other| other == *word).map(|at| left.swap_remove(at)).is_some())
        .count();
    if common == 0 {
        return 0.0;
    }
    let (precision, recall) = (common as f64 / predicted.len() as f64, common as f64 / wanted.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_case_and_punctuation_do_not_count() {
        assert!((token_f1("The cat, sat!", "a cat sat") - 1.0).abs() < 1e-12);
        assert!((token_f1("cat sat down", "cat") - 0.5).abs() < 1e-12);
        assert!(token_f1("dog", "cat").abs() < 1e-12);
        assert!((token_f1("the", "a") - 1.0).abs() < 1e-12, "both are empty");
    }
}
