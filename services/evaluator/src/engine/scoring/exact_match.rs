//! `exact_match` with its options, as Hugging Face's `evaluate` defines it.

use fancy_regex::Regex;

use crate::engine::python;
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
                    python::pattern(pattern)
                        .map_err(|error| format!("regexes_to_ignore {pattern:?}: {error}"))
                })
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether both are equal once normalised; an error when a pattern backtracks too long.
    pub(super) fn matches(&self, prediction: &str, reference: &str) -> Result<bool, String> {
        Ok(self.normalised(prediction)? == self.normalised(reference)?)
    }

    fn normalised(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_owned();
        for pattern in &self.ignored {
            text = python::without(pattern, &text)
                .map_err(|reason| format!("exact_match: regexes_to_ignore: {reason}"))?;
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
        Ok(text)
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
        assert_eq!(gsm8k.matches("$1,234.", "Reasoning.\nMore.\n#### 1234"), Ok(true));
        assert_eq!(gsm8k.matches("1235", "#### 1234"), Ok(false));
        let plain = ExactMatch::new(&MatchOptions::default()).unwrap();
        assert_eq!(plain.matches("Yes", "yes"), Ok(false));
        let loose = MatchOptions {
            ignore_punctuation: Some(true),
            ignore_numbers: Some(true),
            ..MatchOptions::default()
        };
        assert_eq!(ExactMatch::new(&loose).unwrap().matches("a-1!", "a"), Ok(true));
    }

    #[test]
    fn a_pattern_that_backtracks_too_long_is_an_error() {
        let hard = MatchOptions {
            regexes_to_ignore: Some(vec!["(?:(a|a)*)*(?=b)c".to_owned()]),
            ..MatchOptions::default()
        };
        let error = ExactMatch::new(&hard).unwrap().matches(&"a".repeat(60), "a").unwrap_err();
        assert!(error.contains("regexes_to_ignore"), "{error}");
    }
}
