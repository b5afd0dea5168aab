//! English sentences, as `nltk`'s Punkt tokeniser finds them (Kiss and Strunk 2006, Unsupervised Multilingual Sentence
//! Boundary Detection).
//!
//! The procedure is Punkt's: candidates, the two passes over a candidate's tokens, closing quotes given back to their
//! sentence. What Punkt has learnt from a newspaper (which words are abbreviations, which are also written in lower
//! case) is replaced by the short lists below, so a rare abbreviation or a name after an initial may be judged
//! otherwise than by the trained model.

use std::sync::LazyLock;

use fancy_regex::Regex;

use crate::engine::python;

/// Words that keep their period: titles, companies, months and days, places, units, initialisms.
const ABBREVIATIONS: &str = "\
    a.m adm ala ariz aug ave bros c calif co col colo conn corp ct d.c dec dr e f feb fla fri ft g ga \
    gen h ill inc jan jr k kan ky l l.a lt ltd m maj messrs mg mich minn mr mrs ms n n.c n.d n.h n.j n.m \
    n.y nev nov oct ok okla ore p p.m pa ph.d prof r r.i rep s s.c sen sep sept sr st sw t tenn u.k u.n \
    u.s u.s.a v va vs vt w wash yr";

/// Words that open a sentence where they follow an abbreviation or an ellipsis in upper case.
const OPENERS: &str = "\
    according although among both but despite does even finally furthermore he her here however i if in \
    indeed instead it many meanwhile moreover most nevertheless nonetheless nor overall please remember \
    similarly since so some still such the there therefore these they this though thus try under unless \
    were when which while yes yet your";

/// Words that are no names: after an initial they open a sentence.
const PLAIN_WORDS: &str = "\
    a after all also an and another are as at be because been before by can come could did do during \
    each every few first for from get give go had has have his how is its just keep last later let look \
    make may maybe might must my next no not now on once one only or our perhaps see several she should \
    that their then those to today two until use was we what where who why will with would you";

/// What may follow a word or a period without being part of a word.
const NON_WORD: &str = r#"[)";}\]*:@'({\[‘’“”«»?!]"#;
/// Dashes, ellipses and spaced ellipses are tokens of their own.
const MULTI: &str = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)";

static CANDIDATE: LazyLock<Regex> =
    LazyLock::new(|| compile(&format!(r"[.?!](?=(?<after>{NON_WORD}|\s+(?<next>\S+)))")));

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let end = format!(r"\s|$|{NON_WORD}|{MULTI}|,(?=$|\s|{NON_WORD}|{MULTI})");
    compile(&format!(r#"{MULTI}|(?=[^("`{{\[:;&#*@)}}\]\-,])\S+?(?={end})|\S"#))
});

static NUMBER: LazyLock<Regex> = LazyLock::new(|| compile(r"^-?[.,]?\d[\d,.\-]*\.?$"));
static INITIAL: LazyLock<Regex> = LazyLock::new(|| compile(r"^[\w&&\D]\.$"));
static ELLIPSIS: LazyLock<Regex> = LazyLock::new(|| compile(r"^\.\.+$"));
static CLOSING: LazyLock<Regex> = LazyLock::new(|| compile(r#"(?m)\A["')\]}‘’“”«»]+?(?:\s+|(?=--)|$)"#));

/// A type that stands for every number.
const NUMBER_TYPE: &str = "##number##";

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}

/// The sentences of a text, in order.
pub(super) fn sentences(text: &str) -> Result<Vec<&str>, String> {
    let mut spans = Vec::new();
    let mut start = 0;
    for candidate in candidates(text)? {
        if breaks(&text[candidate.word..candidate.context_end])? {
            spans.push((start, candidate.end));
            start = candidate.next.unwrap_or(candidate.end);
        }
    }
    spans.push((start, text.trim_end_matches(python::is_space).len()));
    realigned(text, &spans)
}

/// A period, question or exclamation mark that may end a sentence.
struct Candidate {
    /// Where its word begins.
    word: usize,
    /// The mark itself.
    start: usize,
    end: usize,
    /// The end of the token that follows.
    context_end: usize,
    /// Where the next sentence would begin, if white space comes between.
    next: Option<usize>,
}

/// The last candidate of each word.
fn candidates(text: &str) -> Result<Vec<Candidate>, String> {
    let mut found: Vec<Candidate> = Vec::new();
    let (mut last_start, mut last_word) = (0, 0);
    for captures in CANDIDATE.captures_iter(text) {
        let captures = captures.map_err(|error| gave_up(&error))?;
        let (Some(mark), Some(after)) = (captures.get(0), captures.name("after")) else { continue };
        let between = &text[last_start..mark.start()];
        // White space at the very beginning does not count, as in nltk.
        let space = between.char_indices().rev().find(|(_, c)| c.is_ascii_whitespace() || *c == '\u{b}');
        let word = match space {
            Some((at, character)) if at > 0 => last_start + at + character.len_utf8(),
            _ => last_word,
        };
        if found.last().is_some_and(|last| word < last.start) {
            found.pop();
        }
        let next = captures.name("next").map(|next| next.start());
        found.push(Candidate { word, start: mark.start(), end: mark.end(), context_end: after.end(), next });
        (last_start, last_word) = (mark.start(), word);
    }
    Ok(found)
}

/// Closing quotes and brackets go to the sentence that they close.
fn realigned<'a>(text: &'a str, spans: &[(usize, usize)]) -> Result<Vec<&'a str>, String> {
    let mut sentences = Vec::new();
    let mut shift = 0;
    for (index, (start, end)) in spans.iter().enumerate() {
        let start = start + shift;
        let mut end = *end;
        shift = 0;
        if let Some((next_start, next_end)) = spans.get(index + 1) {
            let next = text.get(*next_start..*next_end).unwrap_or_default();
            if let Some(closing) = CLOSING.find(next).map_err(|error| gave_up(&error))? {
                end = next_start + closing.as_str().trim_end_matches(python::is_space).len();
                shift = closing.end();
            }
        }
        if let Some(sentence) = text.get(start..end).filter(|sentence| !sentence.is_empty()) {
            sentences.push(sentence);
        }
    }
    Ok(sentences)
}

/// One token of a candidate's context.
struct Token<'a> {
    text: &'a str,
    /// In lower case, numbers made one.
    kind: String,
    ends_sentence: bool,
    abbreviation: bool,
    ellipsis: bool,
}

/// What the spelling of a token says of whether it opens a sentence.
#[derive(PartialEq, Eq)]
enum Opens {
    Yes,
    No,
    Unknown,
}

/// Whether some token but the last ends a sentence.
fn breaks(context: &str) -> Result<bool, String> {
    let mut tokens = Vec::new();
    for line in context.split('\n').filter(|line| !python::strip(line).is_empty()) {
        for found in TOKEN.find_iter(line) {
            tokens.push(Token::new(found.map_err(|error| gave_up(&error))?.as_str())?);
        }
    }
    for index in 1..tokens.len() {
        let (before, after) = tokens.split_at_mut(index);
        before[index - 1].reconsider(&after[0])?;
    }
    let last = tokens.len().saturating_sub(1);
    Ok(tokens.iter().take(last).any(|token| token.ends_sentence))
}

impl<'a> Token<'a> {
    /// Judged by itself.
    fn new(text: &'a str) -> Result<Self, String> {
        let lower = text.to_lowercase();
        let number = NUMBER.is_match(&lower).map_err(|error| gave_up(&error))?;
        let ellipsis = ELLIPSIS.is_match(text).map_err(|error| gave_up(&error))?;
        let marked = matches!(text, "." | "?" | "!");
        let ends_in_period = !marked && !ellipsis && text.ends_with('.') && !text.ends_with("..");
        let abbreviation = ends_in_period && is_abbreviation(lower.strip_suffix('.').unwrap_or(&lower));
        Ok(Self {
            text,
            kind: if number { NUMBER_TYPE.to_owned() } else { lower },
            ends_sentence: marked || (ends_in_period && !abbreviation),
            abbreviation,
            ellipsis,
        })
    }

    /// Judged by the token that follows.
    fn reconsider(&mut self, next: &Token<'_>) -> Result<(), String> {
        if !self.text.ends_with('.') {
            return Ok(());
        }
        let initial = INITIAL.is_match(self.text).map_err(|error| gave_up(&error))?;
        let opens = next.opens();
        let next_is_upper = next.text.starts_with(char::is_uppercase);
        if (self.abbreviation || self.ellipsis) && !initial && opens == Opens::Yes {
            self.ends_sentence = true;
        } else if initial || self.kind == NUMBER_TYPE {
            let name = initial && next_is_upper && opens == Opens::Unknown && !next.is_plain();
            if opens == Opens::No || name {
                self.ends_sentence = false;
            }
        }
        Ok(())
    }

    fn opens(&self) -> Opens {
        if matches!(self.text, ";" | ":" | "," | "." | "!" | "?") || self.text.starts_with(char::is_lowercase)
        {
            return Opens::No;
        }
        if self.text.starts_with(char::is_uppercase) && listed(OPENERS, self.word()) {
            return Opens::Yes;
        }
        Opens::Unknown
    }

    fn is_plain(&self) -> bool {
        listed(PLAIN_WORDS, self.word())
    }

    /// Its type without the period of its own sentence.
    fn word(&self) -> &str {
        let bare = self.kind.strip_suffix('.').filter(|bare| !bare.is_empty() && self.ends_sentence);
        bare.unwrap_or(&self.kind)
    }
}

fn is_abbreviation(word: &str) -> bool {
    let last = word.rsplit('-').next().unwrap_or(word);
    listed(ABBREVIATIONS, word) || listed(ABBREVIATIONS, last)
}

fn listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

fn gave_up(error: &fancy_regex::Error) -> String {
    format!("a sentence could not be told from the next: {error}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_nltks() {
        // nltk.sent_tokenize of nltk 3.10 with its English model
        for (text, expected) in [
            ("He met Dr. Smith at 5 p.m. They spoke.", vec!["He met Dr. Smith at 5 p.m.", "They spoke."]),
            ("\"Stop!\" he said. (Really.) Yes.", vec!["\"Stop!\"", "he said.", "(Really.)", "Yes."]),
            ("1. Buy milk\n2. Buy bread", vec!["1.", "Buy milk\n2.", "Buy bread"]),
            (
                "It cost 3.50. wow... no way!!! J. Smith left",
                vec!["It cost 3.50. wow... no way!!!", "J. Smith left"],
            ),
            ("Plan B. Then we go", vec!["Plan B.", "Then we go"]),
        ] {
            assert_eq!(sentences(text).unwrap(), expected);
        }
    }
}
