//! Small good files of every kind, to be spoilt.

use crate::gguf_bytes::GgufBytes;

pub(crate) fn gguf_files() -> Vec<Vec<u8>> {
    let tokens: Vec<String> = ["<unk>", "<s>", "a", "b", "ab", "<0x41>"].map(str::to_owned).to_vec();
    let base = || {
        GgufBytes::default()
            .text("general.architecture", "llama")
            .number("llama.embedding_length", 4)
            .number("llama.block_count", 1)
            .number("llama.feed_forward_length", 4)
            .number("llama.attention.head_count", 2)
            .number("llama.context_length", 16)
            .float("llama.rope.freq_base", 10_000.0)
            .texts("tokenizer.ggml.tokens", &tokens)
            .integers("tokenizer.ggml.token_type", &[2, 3, 1, 1, 1, 6])
            .number("tokenizer.ggml.bos_token_id", 1)
            .text("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}")
    };
    let spm = base()
        .text("tokenizer.ggml.model", "llama")
        .floats("tokenizer.ggml.scores", &[0.0, 0.0, -1.0, -2.0, -3.0, 0.0])
        .tensor("token_embd.weight", &[6, 4], &[0.5; 24])
        .tensor("rope_freqs.weight", &[1], &[1.0]);
    let bpe = base()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "llama-bpe")
        .texts("tokenizer.ggml.merges", &["a b".to_owned()])
        .entry("q4_0", &[32, 1], 2, 0)
        .data(&[0x42; 18]);
    [spm, bpe].iter().map(GgufBytes::bytes).collect()
}

pub(crate) const SAFETENSORS_HEADER: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]}}"#;

/// A file whose length field is that of its header.
pub(crate) fn safetensors(header: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, &[1; 24]].concat()
}

/// A protocol buffer's field of bytes.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

pub(crate) fn sentencepiece() -> Vec<u8> {
    let piece = |text: &str, kind: u8| {
        let score = [2 << 3 | 5, 0, 0, 128, 63, 3 << 3, kind];
        field(1, &[field(1, text.as_bytes()), score.to_vec()].concat())
    };
    let pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<0x41>", 6), ("▁a", 1), ("b", 1), ("▁ab", 1)];
    let mut file: Vec<u8> = pieces.iter().flat_map(|(text, kind)| piece(text, *kind)).collect();
    file.extend(field(2, &[3 << 3, 2]));
    file
}

pub(crate) const TEMPLATES: [&str; 3] = [
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']|string + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "{{- bos_token }}\n{%- set ns = namespace(n=0, last=none) %}\n{%- for m in messages[::-1] if m.role != 'system' -%}\n  {%- set ns.n = ns.n + 1 -%}\n  {%- if m.tool_calls is defined and m.tool_calls -%}\n    {%- for call in m.tool_calls -%}{{ call.function.arguments | tojson(indent=2) }}{%- endfor -%}\n  {%- elif m.content is string and m.content.startswith('what') -%}{{ m.content.split(' ')[0] | upper }}\n  {%- else -%}{{ loop.index0 ~ ':' ~ (m.content | trim) }}{%- endif -%}\n{%- endfor -%}\n{{ ns.n }}",
    "{% macro show(tool, depth=0) %}{% if tool is mapping %}{% for key, value in tool | dictsort %}{{ '  ' * depth }}{{ key }}={{ show(value, depth + 1) }}{% endfor %}{% else %}{{ tool }}{% endif %}{% endmacro %}{% for tool in tools or [] %}{{ show(tool) }}{% endfor %}{{ strftime_now('%d %b %Y') }}{% if messages|length > 9 %}{{ raise_exception('too long') }}{% endif %}",
];
