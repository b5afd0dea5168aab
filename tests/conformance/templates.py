#!/usr/bin/env python3
"""Our chat templates against Python's Jinja2 as transformers sets it up.

    python tests/conformance/templates.py --probe target/debug/examples/probe [--templates FOLDER] [--cases FILE.jsonl ...]

FOLDER holds `.jinja` files, each rendered with a few dozen conversations. A case file has lines of `{template |
chat_template, context | data, expected | target}`; what Jinja2 itself makes of them is the reference. Without either, a
built-in set of expressions is compared. Says SKIPPED and exits 0 where jinja2 is missing.
"""
import argparse, datetime, glob, itertools, json, os, subprocess, sys

try:
    import jinja2, jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(0)

NOW = datetime.datetime(2024, 7, 26, 12, 0)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: NOW.strftime(f)
    return env


def theirs(case):
    try:
        return {"text": environment().from_string(case["template"]).render(**case["context"])}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Weather at a place — “now” & <later>", "parameters": {
        "type": "object", "properties": {"place": {"type": "string", "description": "a 'city'"},
                                         "unit": {"type": "string", "enum": ["c", "f"]}, "days": {"type": "integer"}},
        "required": ["place"]}}},
    {"type": "function", "function": {"name": "noop", "description": "", "parameters": {}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "abc123def", "type": "function", "function": {
        "name": "get_weather", "arguments": {"place": "Zürich", "days": 2, "x": 1.5, "y": None, "z": True, "l": [1, "a"]}}}]}


def conversations():
    user = {"role": "user", "content": "  Hello, wörld! <b> \"quoted\" 'single'\n"}
    system = {"role": "system", "content": "Be brief.\n"}
    answer = {"role": "assistant", "content": "<think>\nhm\n</think>\n\n Hi 东京 🙂 "}
    parts = {"role": "user", "content": [{"type": "text", "text": "part one"}, {"type": "text", "text": "two"}]}
    result = {"role": "tool", "name": "get_weather", "tool_call_id": "abc123def", "content": "{\"t\": 20}"}
    lists = [[user], [system, user], [user, answer], [system, user, answer, user], [user, CALL, result],
             [system, user, CALL, result, answer, user], [user, user], [answer], [], [parts], [{"role": "odd", "content": "x"}],
             [user, {"role": "assistant", "content": "a", "reasoning_content": "because"}, user],
             [user, CALL, result, result], [{"role": "system", "content": ""}, user],
             [{"role": "system", "content": "/no_think Be kind. /system_override"}, user],
             [user, {"role": "assistant", "content": None, "tool_calls": CALL["tool_calls"]}, result]]
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    for messages, prompt, tools, extra in itertools.product(
            lists, [False, True], [None, TOOLS], [{}, {"enable_thinking": False}, {"date_string": "1 Jan 2025"}]):
        yield {**tokens, "messages": messages, "add_generation_prompt": prompt, "tools": tools, "documents": None, **extra}


VALUES = {"s": "Hello World", "n": 3, "f": 2.0, "big": 1e20, "t": True, "none": None, "l": [1, "a", 2.5, None, True, ["x"]],
          "d": {"b": 1, "a": {"k": "v'\""}, "get": 2}, "e": [], "u": "ÄÖ ß", "w": "  x \n", "neg": -7,
          "ms": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]}
EXPRESSIONS = """
s n f big t none l d e|length l|length s[0] s[-1] s[1:4] s[::-1] l[1:] l[-1] l[::2] d.a.k d['a']['k'] d.missing d['missing'] s~n n~f t~none
l~s 7/2 7//2 -7//2 7%3 neg%3 2**10 n+f s+'x' s*2 [1]*3 l+[9] 'a'in'abc' 1 in l 'b' in d n==3.0 n<4<5 not t none is none x is defined
s is string n is number d is mapping l is iterable l is sequence f is float t is boolean n is integer t is true s is sequence
s.upper() s.lower() s.title() s.split() s.split('o') s.split('l',1) s.replace('l','L') s.replace('l','L',1) w.strip() w.lstrip() w.rstrip()
s.startswith('He') s.endswith(('d','x')) s.find('o') s.count('l') ','.join(['a','b']) s.strip('Hd') u.lower() u.upper() u|upper
d.items() d.items()|list d.keys()|list d.values()|list d.get('a') d.get('zz') d.get('zz','q') l|join(',') l|first l|last l|string
s|lower s|upper s|capitalize s|title s|trim w|trim s|length s|replace('o','0') n|string l|tojson d|tojson d|tojson(indent=2) l|tojson(indent=4)
d|tojson(sort_keys=true) u|tojson u|tojson(ensure_ascii=true) d|items|list d|dictsort [3,1,2]|sort [3,1,2]|sort(reverse=true) [1,1,2]|unique|list
ms|map(attribute='role')|list ms|selectattr('role','equalto','user')|list ms|rejectattr('role','equalto','user')|map(attribute='content')|join(',')
ms|selectattr('role','==','system')|list|length ms|groupby('role') [1,2,3]|sum [1,2,3]|max [1,2]|min [1,2,3]|batch(2)|list [1,2,3]|reverse|list s|reverse
none|default('x') missing|default('x') ''|default('x',true) n|float s|int '42'|int '4.5'|float 3.7|round 3.14159|round(2) 3.2|int -3|abs s|list
'%s-%d'|format('a',3) '%s' % s '%05.2f' % 3.14159 '{} {}'.format(1,'a') '{0}'.format(s) n if t else 0 n if not t range(3)|list range(1,10,3)|list
namespace(a=1).a dict(a=1,b=2) (1,2) [1,(2,3)] {'a':[1,{'b':none}]} true false none True False None '\\n'|tojson 1.5e-7 1e16 0.1+0.2 10000000000000000000000
s is eq('Hello World') n is even n is divisibleby(3) n is odd s is lower u is upper d is not none missing is undefined missing missing.x d.a.k.z
l is string 'a' < 'b' [1,2]<[1,3] s|indent(2) 'a\\nb'|indent(2,true) 'a\\nb'|indent s|wordcount s|truncate(5) s|center(20) l|random|string|length>0 s|e '<a>'|escape
'<a>'|safe d|length d|list d.a is mapping 'x' not in s n|tojson f|tojson t|tojson none|tojson big|tojson 'a"b\\\\c'|tojson s.__class__ s|attr('upper') ''.join([])
s.isdigit() '12'.isdigit() s.isalpha() s.capitalize() s.swapcase() s.rsplit('o',1) s.partition(' ') s.splitlines() s.zfill(20) s.rfind('o') s.index('o') s.removeprefix('He') s.removesuffix('ld') s.ljust(15) s.casefold()
l.index('a') l.count('a') d.copy() d.pop('b') l.append(1) s.encode() s.format_map({}) lipsum cycler joiner() loop 'A'.isupper() 'ab'.islower() 'a b'.istitle() l|select|list l|reject('none')|list l|map('string')|list
[1,2]|map('upper')|list ['a','b']|map('upper')|list 'abc'[1] 'abc'[5] l[10] d[0] 'a'*0 '%d%%' % 5 '1' ~ 1 1 ~ 2.50 'é'|length '🙂'|length 'é'[0] '🙂x'[1] 5|string|length 1 == true 1.0 == 1 'a' == 1 none == false [] == [] n is sameas n
""".split("\n")
STATEMENTS = [
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}|{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for m in ms if m.role == 'user' %}{{ m.content }}{% else %}none{% endfor %}",
    "{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% set ns = namespace(i=0) %}{% for x in l %}{% set ns.i = ns.i + 1 %}{% endfor %}{{ ns.i }}",
    "{% macro f(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b='x') }}",
    "{% set x %}  block {{ n }}\n{% endset %}[{{ x }}]", "{% filter upper %}abc{{ s }}{% endfilter %}",
    "a\n  {% if t %}\n  b\n  {% endif %}\nc\n", "a {%- if t -%} b {%- endif -%} c", "{# comment #}\nx{# y #} z\n\n",
    "{%+ if t %}a{% endif %}\n", "{{ s }}\n{{ n }}\n", "{% raw %}{{ x }}{% endraw %}", "{{ '{{' }}",
    "{% generation %}{{ s }}{% endgeneration %}", "{%- generation -%}\n {{ s }} \n{%- endgeneration -%}\nq",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% for a, b in [[1,2],[3,4]] %}{{ a }}{{ b }}{% endfor %}",
    "{{ raise_exception('no') }}", "{{ strftime_now('%d %b %Y') }}", "{{ strftime_now('%Y-%m-%d %H:%M') }}",
    "{% if strftime_now is defined %}y{% endif %}", "{% if undefinedvar %}a{% else %}b{% endif %}",
    "{% for i in range(3) %}{{ i }}{{ ',' if not loop.last }}{% endfor %}", "{{ ms[0].role }}{{ ms[-1]['content'] }}",
    "{% for m in ms %}{{ loop.previtem.role if loop.previtem is defined }}{{ loop.nextitem.role if loop.nextitem is defined }}{% endfor %}",
    "{% for m in ms %}{{ loop.cycle('a','b') }}{{ loop.changed(m.role) }}{% endfor %}", "{% call f() %}{% endcall %}",
    "{%- set loop_messages = ms[1:] -%}{{ loop_messages|length }}", "{% with q = 3 %}{{ q }}{% endwith %}{{ q }}",
    "{% if ms is defined and ms|length > 1 %}x{% elif t %}y{% endif %}", "{% do l.append(3) %}", "{% include 'x' %}",
    "{{ [m.role for m in ms] }}", "{{ x.y.z }}", "{{ 1/0 }}", "{{ n.foo() }}", "{{ s.nothing }}", "{{ nothing() }}",
    "{% if 'a' in none %}{% endif %}", "{{ none + 'a' }}", "{{ n + 'a' }}", "{{ s + n }}", "{% for x in none %}{% endfor %}",
    "{% for x in n %}{% endfor %}", "{% for c in 'abc' %}{{ c }}.{% endfor %}", "{{ none.x }}", "{{ d.items }}",
    "\n\n{% if t %}\n\nx\n\n{% endif %}\n\n", "{{ 'a' 'b' }}", "{{ (s ~ '!') | upper }}", "{{ -n ** 2 }}", "{{ not n == 3 }}",
    "{{ n if n is not none and n > 2 else 'z' }}", "{% set d2 = dict(d, c=3) %}{{ d2 }}", "{{ s|default }}", "line1\r\nline2\r\n",
]


def builtin():
    for line in EXPRESSIONS:
        depth, word = 0, ""
        # Expressions are separated by spaces outside of quotes and brackets; operators keep theirs by being listed whole.
        for e in split(line):
            yield {"template": "{{ " + e + " }}", "context": VALUES}
    for s in STATEMENTS:
        yield {"template": s, "context": VALUES}


OPERATORS = {"in", "is", "not", "if", "else", "and", "or", "==", "<", ">", "%", "~", "+"}


def split(line):
    words, current, depth, quote = [], "", 0, None
    for c in line:
        if quote:
            quote = None if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if c == " " and not depth and not quote:
            words.append(current); current = ""
        else:
            current += c
    words.append(current)
    out, joined = [], False
    for i, w in enumerate(w for w in words if w):
        operator = w in OPERATORS
        if out and (operator and not (w == "not" and not joined) or joined):
            out[-1] += " " + w
        else:
            out.append(w)
        joined = operator
    return out


def cases(arguments):
    for path in arguments.cases:
        for line in open(path, encoding="utf-8"):
            row = json.loads(line)
            yield {"template": row.get("template") or row.get("chat_template") or "",
                   "context": row.get("context") or row.get("data") or {}, "from": row.get("name", ""),
                   "expected": row.get("expected", row.get("target"))}
    for path in sorted(glob.glob(os.path.join(arguments.templates, "*.jinja"))) if arguments.templates else []:
        template = open(path, encoding="utf-8").read()
        for context in conversations():
            yield {"template": template, "context": context, "from": os.path.basename(path)}
    for case in builtin():
        yield {**case, "from": "built-in"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("--templates")
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--verbose", type=int, default=20)
    a = parser.parse_args()
    todo = list(cases(a))
    lines = "".join(json.dumps({"template": c["template"], "context": c["context"]}, ensure_ascii=False) + "\n" for c in todo)
    done = subprocess.run([a.probe, "render"], input=lines.encode(), capture_output=True)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    if done.returncode or len(answers) != len(todo):
        sys.exit(f"probe failed after {len(answers)} of {len(todo)}: {done.stderr.decode()[-500:]}")
    wrong, errors = 0, 0
    for case, ours in zip(todo, answers):
        want = theirs(case)
        errors += "error" in want
        if "error" in want and "error" in ours or want == ours:
            continue
        wrong += 1
        if wrong <= a.verbose:
            print("FAIL", case["from"], json.dumps(case["template"][:110]), "\n  want", json.dumps(want)[:300], "\n  ours",
                  json.dumps(ours)[:300])
    print(f"{len(todo)} renderings ({errors} expected errors), {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
