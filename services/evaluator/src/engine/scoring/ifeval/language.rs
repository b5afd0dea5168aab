//! `language:*`: the language of an answer.
//!
//! The reference asks `langdetect`, which draws its n-grams at random and may answer otherwise the next time; here
//! `whatlang` answers, among the languages that langdetect knows, unless function words tell more. The two detectors
//! agree on texts of some length; on a few words they may not.

use std::sync::LazyLock;

use regex::Regex;
use whatlang::{Detector, Lang, Script};

use super::arguments::Arguments;
use crate::engine::python;

/// The languages that both know: ISO 639-3 and ISO 639-1. langdetect tells Chinese apart by country; this does not.
const LANGUAGES: &str = "\
    afr af, ara ar, bul bg, ben bn, cat ca, ces cs, cym cy, dan da, deu de, ell el, eng en, spa es, est \
    et, pes fa, fin fi, fra fr, guj gu, heb he, hin hi, hrv hr, hun hu, ind id, ita it, jpn ja, kan kn, \
    kor ko, lit lt, lav lv, mkd mk, mal ml, mar mr, nep ne, nld nl, nob no, pan pa, pol pl, por pt, ron \
    ro, rus ru, slk sk, slv sl, swe sv, tam ta, tel te, tha th, tgl tl, tur tr, ukr uk, urd ur, vie vi, \
    cmn zh";

/// Words that are frequent in one language and hardly words in another, by language. They decide where trigrams mislead:
/// in short texts, and for Swahili, which whatlang does not know.
const FUNCTION_WORDS: [(&str, &str); 2] = [
    (
        "en",
        "the and that with they which were would their been this from have you are by it to what your his she there \
        when who will about than them can my of is how him our if not any make should into more some for",
    ),
    (
        "sw",
        "ya wa kwa katika za cha vya hii huu hili hiyo kuwa kama lakini yake wake pia sana watu yangu wangu ambayo \
        hivyo kila",
    ),
];
/// Of all words, the share of those above from which they decide.
const DECISIVE_SHARE: f64 = 0.15;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    Detector::with_allowlist(languages().filter_map(|(code, _)| Lang::from_code(code)).collect())
});

fn languages() -> impl Iterator<Item = (&'static str, &'static str)> {
    LANGUAGES.split(", ").filter_map(|pair| pair.split_once(' '))
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"https?://\S+|[-_.0-9A-Za-z]+@[-_.0-9A-Za-z]+").expect("the pattern is valid")
});

/// The answer is in the language; what has no language counts as being in it.
pub(super) fn response_language(arguments: &Arguments<'_>, answer: &str) -> Result<bool, String> {
    let wanted = arguments.text("language")?;
    Ok(detect(answer).is_none_or(|language| language == wanted.split('-').next().unwrap_or(wanted)))
}

/// The ISO 639-1 code of a text's language; none for a text without letters.
pub(super) fn detect(text: &str) -> Option<&'static str> {
    let text = ADDRESS.replace_all(text, " ");
    let found = DETECTOR.detect(&text)?;
    if found.script() == Script::Latin
        && let Some(code) = by_function_words(&text)
    {
        return Some(code);
    }
    languages().find(|(code, _)| *code == found.lang().code()).map(|(_, code)| code)
}

fn by_function_words(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        python::split(&lower).map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let share = |list: &str| {
        let hits = words.iter().filter(|word| list.split(' ').any(|known| known == **word)).count();
        if hits < 2 { 0.0 } else { hits as f64 / words.len() as f64 }
    };
    let shares = FUNCTION_WORDS.iter().map(|(code, list)| (share(list), *code));
    shares
        .filter(|(share, _)| *share >= DECISIVE_SHARE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, code)| code)
}
