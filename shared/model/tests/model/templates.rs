//! Chat templates: what Jinja2 would print, and what a template may not do.

use std::io::BufRead as _;

use anneal_model::{ChatTemplate, Message, RenderOptions};
use serde_json::{Map, Value, json};

use crate::outside;

fn render(source: &str, context: &Value) -> Result<String, String> {
    let template = ChatTemplate::new(source, Map::new()).map_err(|e| e.to_string())?;
    template.render_context(context.as_object().unwrap(), None).map_err(|e| e.to_string())
}

#[test]
fn expressions_as_python_prints_them() {
    let context = json!({"s": "Hello", "n": 3, "f": 2.0, "l": [1, "a", 2.5, null, true], "d": {"b": 1, "a": {"k": "v'"}}});
    for (source, want) in [
        (
            "{{ l }} {{ d }} {{ none }} {{ true }} {{ f }}",
            "[1, 'a', 2.5, None, True] {'b': 1, 'a': {'k': \"v'\"}} None True 2.0",
        ),
        ("{{ l|tojson }} {{ '<é>'|tojson }}", "[1, \"a\", 2.5, null, true] \"<é>\""),
        ("{{ d|tojson(indent=2) }}", "{\n  \"b\": 1,\n  \"a\": {\n    \"k\": \"v'\"\n  }\n}"),
        ("{{ 1e16 }} {{ 1.5e-7 }} {{ 7//2 }} {{ -7//2 }} {{ s[::-1] }}", "1e+16 1.5e-07 3 -4 olleH"),
        ("{{ s.removeprefix('He') }} {{ s.rsplit('l', 1) }} {{ s.index('l') }}", "llo ['Hel', 'o'] 2"),
        ("{{ 'x'|int }} {{ '4.7'|int }} {{ true|int }} {{ '1.5'|float }} {{ 'x'|float(2) }}", "0 4 1 1.5 2"),
        ("  {% if n %}\n  a\n  {% endif %}\nb\n", "  a\nb"),
        (
            "{% for x in l %}{% if loop.index == 2 %}{% continue %}{% endif %}{% if loop.last %}{% break %}{% endif %}{{ x }},{% endfor %}",
            "1,2.5,None,",
        ),
        ("{{ [1, 3, 2]|sort(true) }} {{ ['b', 'A']|sort(false, true) }}", "[3, 2, 1] ['A', 'b']"),
        ("{{ [d, {'b': 0}]|sort(attribute='b')|map(attribute='b')|list }}", "[0, 1]"),
        ("{{ ['b', 'A', 'c']|sort }} {{ ['b', 'A']|sort(reverse=true) }}", "['A', 'b', 'c'] ['b', 'A']"),
        ("{% generation %}{{ s }}{% endgeneration %}", "Hello"),
        ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
        ("a\r\nb", "a\nb"),
    ] {
        assert_eq!(render(source, &context).as_deref(), Ok(want), "{source}");
    }
}

#[test]
fn python_errors_are_errors() {
    for (source, reason) in [
        ("{{ raise_exception('roles must alternate') }}", "line 1: roles must alternate"),
        ("\n{{ nothing.more }}", "line 2"),
        ("{% for x in none %}{% endfor %}", "not iterable"),
        ("{{ none + 'a' }}", "line 1"),
        ("{{ 1/0 }}", "line 1"),
        ("{% if %}", "line 1"),
        ("{% include 'x' %}", "line 1"),
        ("{% for x in y %}", "line 1"),
    ] {
        let error = render(source, &json!({})).unwrap_err();
        assert!(error.contains(reason), "{source}: {error}");
    }
}

#[test]
fn work_is_bounded() {
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s|length }}",
        "{% set ns = namespace(s=[1,2]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length }}",
        "{{ 'x' * 100000000000 }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{{ ('x' * 100000).replace('x', 'y' * 100000)|length }}",
        "{{ range(1000000000)|list|length }}",
        "{{ 'a'.ljust(10000000000) }}",
    ] {
        let error = render(source, &json!({})).expect_err(source);
        assert!(!error.is_empty());
    }
    let nested = format!("{}x{}", "{% if true %}".repeat(5000), "{% endif %}".repeat(5000));
    assert!(render(&nested, &json!({})).is_err());
    let brackets = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    assert!(render(&brackets, &json!({})).is_err());
}

#[test]
fn nothing_is_reached_through_attributes() {
    for source in [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ [].__class__.__base__.__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__ }}",
    ] {
        match render(source, &json!({})) {
            Ok(text) => assert_eq!(text, "", "{source}"),
            Err(error) => assert!(!error.contains('/'), "{error}"),
        }
    }
}

#[test]
fn a_conversation_with_and_without_the_prompt() {
    let source = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}{% if tools %}{{ tools|tojson }}{% endif %}";
    let tokens = Map::from_iter([("bos_token".to_owned(), json!("<s>"))]);
    let template = ChatTemplate::new(source, tokens).unwrap();
    let messages = [Message::new("user", "hi"), Message::new("assistant", "yo")];
    let plain = template.render(&messages, &RenderOptions::default()).unwrap();
    assert_eq!(plain, "<s>[user]hi[assistant]yo");
    let mut options = RenderOptions::generation_prompt(true);
    options.tools = Some(json!([{"name": "f"}]));
    assert_eq!(
        template.render(&messages, &options).unwrap(),
        format!("{plain}[assistant][{{\"name\": \"f\"}}]")
    );
    let long: Vec<Message> = (0..5000).map(|i| Message::new("user", format!("message {i}"))).collect();
    assert!(template.render(&long, &RenderOptions::default()).is_ok(), "a long conversation has fuel");
}

/// A case whose syntax no chat template uses and minijinja does not have: variables named `if` and `in`.
const NOT_SUPPORTED: [&str; 1] = ["CONTEXT_KEYWORDS"];

#[test]
fn shared_cases() {
    for file in ["jinja_syntax_cases.jsonl", "llamacpp_cases.jsonl"] {
        let Some(path) = outside::data(&format!("chat_templates/{file}"), "shared_cases") else { return };
        let mut checked = 0;
        for line in std::io::BufReader::new(std::fs::File::open(path).unwrap()).lines() {
            let case: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let get = |a: &str, b: &str| case.get(a).or(case.get(b)).cloned().unwrap();
            let name = case["name"].as_str().unwrap();
            if case["python_jinja2_agrees"] == json!(false) || NOT_SUPPORTED.contains(&name) {
                continue;
            }
            let Some(want) = get("expected", "target").as_str().map(str::to_owned) else { continue };
            let got = render(get("template", "chat_template").as_str().unwrap(), &get("context", "data"));
            // The golden texts of the syntax cases keep a trailing newline only where Jinja2 does.
            assert_eq!(got.as_deref(), Ok(want.as_str()), "{name}");
            checked += 1;
        }
        assert!(checked > 20, "{checked} of {file}");
    }
}
