//! `exact_match` with its options, as Hugging Face's `evaluate` defines it.

use fancy_regex::Regex;

use crate::engine::tasks::MatchOptions;

/// `string.punctuation` of Python.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// The options of one metric, patterns compiled.
pub(super) struct ExactMatch {
    ignore_case: bool,
    ignore_punctuation: bool,
    ignore_numbers: bool,
    ignored: Vec<Regex>,
}

impl ExactMatch {
    /// Compiles the options.
    pub(super) fn new(options: &MatchOptions) -> Result<Self, String> {
        let patterns = options.regexes_to_ignore.iter().flatten();
        Ok(Self {
            ignore_case: options.ignore_case.unwrap_or(false),
            ignore_punctuation: options.ignore_punctuation.unwrap_or(false),
            ignore_numbers: options.ignore_numbers.unwrap_or(false),
            ignored: patterns
                .map(|pattern| {
                    Regex::new(pattern).map_err(|error| format!("regexes_to_ignore {pattern:?}: {error}"))
                })
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether both are equal once normalised.
    pub(super) fn matches(&self, prediction: &str, reference: &str) -> bool {
        self.normalised(prediction) == self.normalised(reference)
    }

    fn normalised(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for pattern in &self.ignored {
            text = pattern.replace_all(&text, "").into_owned();
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        if self.ignore_punctuation {
            text.retain(|character| !PUNCTUATION.contains(character));
        }
        if self.ignore_numbers {
            text.retain(|character| !character.is_ascii_digit());
        }
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn options_widen_the_match() {
        let gsm8k = MatchOptions {
            ignore_case: Some(true),
            regexes_to_ignore: Some([",", "\\$", "(?s).*#### ", "\\.$"].map(str::to_owned).to_vec()),
            ..MatchOptions::default()
        };
        let gsm8k = ExactMatch::new(&gsm8k).unwrap();
        assert!(gsm8k.matches("$1,234.", "Reasoning.\nMore.\n#### 1234"));
        assert!(!gsm8k.matches("1235", "#### 1234"));
        let plain = ExactMatch::new(&MatchOptions::default()).unwrap();
        assert!(!plain.matches("Yes", "yes"));
        let loose = MatchOptions {
            ignore_punctuation: Some(true),
            ignore_numbers: Some(true),
            ..MatchOptions::default()
        };
        assert!(ExactMatch::new(&loose).unwrap().matches("a-1!", "a"));
    }
}
