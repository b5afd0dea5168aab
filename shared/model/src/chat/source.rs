//! What is different between Jinja2 and minijinja in a template's source, mended before it is parsed.
//!
//! * every line ending becomes `\n`, as Jinja2 does;
//! * `{% generation %}` and its end, which mark assistant text for transformers' masks, become a block that is always on;
//! * a loop over none is an error in Python and empty in minijinja: each loop's iterable goes through a filter that checks;
//! * minijinja joins lists with `+` lazily and without fuel, so that sixty doublings make a list of 2^60 items for nothing:
//!   the left side of every `+` goes through a filter that lays a list out and pays for its items.

/// Name of the filter that checks a loop's iterable.
pub(super) const ITERABLE: &str = "_iterable";

/// Name of the filter that lays out and pays for the left side of a `+`.
pub(super) const ADDEND: &str = "_addend";

/// The source minijinja is given.
pub(super) fn prepare(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let (mut rest, mut raw) = (source.as_str(), false);
    while let Some(at) = next_tag(rest, raw) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let kind = rest.as_bytes()[1];
        let end = match kind {
            b'#' => rest.find("#}").map(|e| e + 2),
            b'{' => tag_end(rest, '}'),
            _ => tag_end(rest, '%'),
        };
        let Some(end) = end else { break };
        let tag = &rest[..end];
        match kind {
            b'#' => out.push_str(tag),
            b'{' => out.push_str(&checked_sums(tag)),
            _ => {
                let word = first_word(tag);
                raw = if raw { word != "endraw" } else { word == "raw" };
                out.push_str(&if raw { tag.to_owned() } else { checked_sums(&rewritten(tag, word)) });
            }
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Where the next block, expression or comment begins; only blocks count inside `raw`.
fn next_tag(rest: &str, raw: bool) -> Option<usize> {
    let tags: &[&str] = if raw { &["{%"] } else { &["{%", "{{", "{#"] };
    tags.iter().filter_map(|tag| rest.find(tag)).min()
}

/// The end of a block (`%}`) or an expression (`}}`); quotes and, in an expression, braces are respected.
fn tag_end(tag: &str, last: char) -> Option<usize> {
    let (mut quote, mut depth, mut escaped) = (None, 0_i32, false);
    for (at, c) in tag.char_indices().skip(2) {
        if escaped {
            escaped = false;
            continue;
        }
        match quote {
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if depth <= 0 && c == last && tag[at + 1..].starts_with('}') => return Some(at + 2),
            None => match c {
                '"' | '\'' => quote = Some(c),
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            },
        }
    }
    None
}

/// Words after which a `+` is a sign.
const BEFORE_A_SIGN: [&str; 8] = ["in", "if", "elif", "else", "and", "or", "not", "is"];

/// The tag with every binary `+`'s left side put through [`ADDEND`].
fn checked_sums(tag: &str) -> String {
    let mut out = String::with_capacity(tag.len());
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in tag.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '+' && at > 2 && is_sum(&tag[..at], &tag[at + 1..]) => {
                out.push('|');
                out.push_str(ADDEND);
                out.push(' ');
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Whether a `+` between these is an operator, not a sign, an exponent's or a tag's own.
fn is_sum(before: &str, after: &str) -> bool {
    let left = before.trim_end();
    let operand = left.ends_with(|c: char| c.is_alphanumeric() || "_)]}\"'".contains(c));
    let word = left.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let exponent = left.len() == before.len()
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(['e', 'E']);
    operand
        && !exponent
        && !BEFORE_A_SIGN.contains(&word)
        && !["%}", "}}"].iter().any(|end| after.starts_with(end))
}

fn first_word(tag: &str) -> &str {
    let inner = tag[2..].trim_start_matches(['-', '+']).trim_start();
    &inner[..inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len())]
}

fn rewritten(tag: &str, word: &str) -> String {
    match word {
        "generation" => tag.replacen("generation", "if true", 1),
        "endgeneration" => tag.replacen("endgeneration", "endif", 1),
        "for" => checked_loop(tag).unwrap_or_else(|| tag.to_owned()),
        _ => tag.to_owned(),
    }
}

/// `for x in EXPR if …` with `EXPR` put through [`ITERABLE`].
fn checked_loop(tag: &str) -> Option<String> {
    let start = keyword(tag, "in", tag.find("for")? + 3)? + 2;
    let close = tag.len() - if tag.ends_with("-%}") || tag.ends_with("+%}") { 3 } else { 2 };
    let end = [keyword(tag, "if", start), keyword(tag, "recursive", start)]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(close);
    let expression = tag.get(start..end)?;
    if expression.trim().is_empty() {
        return None;
    }
    Some(format!("{} ({})|{ITERABLE} {}", &tag[..start], expression.trim(), &tag[end..]))
}

/// The first place at or after `from` of a keyword outside of quotes and brackets.
fn keyword(tag: &str, word: &str, from: usize) -> Option<usize> {
    let bytes = tag.as_bytes();
    let (mut depth, mut quote) = (0_i32, None);
    let part_of_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut at = from;
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(q) if byte == q => quote = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth -= 1,
                _ if depth == 0
                    && bytes[at..].starts_with(word.as_bytes())
                    && !part_of_word(bytes[at - 1])
                    && bytes.get(at + word.len()).is_some_and(|b| !part_of_word(*b)) =>
                {
                    return Some(at);
                }
                _ => {}
            },
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_checked_and_nothing_else_is_touched() {
        for (given, want) in [
            ("{% for x in xs %}", "{% for x in (xs)|_iterable %}"),
            ("{%- for k, v in d.items() if v -%}", "{%- for k, v in (d.items())|_iterable if v -%}"),
            (
                "{% for x in ['if', \" in \"] recursive %}",
                "{% for x in (['if', \" in \"])|_iterable recursive %}",
            ),
            ("{# for x in y #}{{ for }}", "{# for x in y #}{{ for }}"),
            ("{% raw %}{% for x in y %}{% endraw %}", "{% raw %}{% for x in y %}{% endraw %}"),
            ("{% if 'a %} b' %}", "{% if 'a %} b' %}"),
            ("{%- generation -%}a\r\n{% endgeneration %}", "{%- if true -%}a\n{% endif %}"),
            ("{{ a + b[1]+c ~ '+' }}", "{{ a |_addend + b[1]|_addend +c ~ '+' }}"),
            ("{{ +1 }}{{ 1e+5 }}{{ x if +y }}{%+ if a +%}", "{{ +1 }}{{ 1e+5 }}{{ x if +y }}{%+ if a +%}"),
            ("{{ {'a': {}}}}+{{ '}}' + x }}", "{{ {'a': {}}}}+{{ '}}' |_addend + x }}"),
            ("{% for", "{% for"),
            ("{% for x in %}", "{% for x in %}"),
        ] {
            assert_eq!(prepare(given), want);
        }
    }
}
