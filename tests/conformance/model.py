#!/usr/bin/env python3
"""Our decoder, readers, tokenizer and templates against transformers, peft, gguf and Jinja2.

    python tests/conformance/model.py --probe target/debug/examples/probe [--smollm2 FOLDER --smollm2-gguf FILE]
        [--vocabularies FOLDER] [--only NAME]

`--vocabularies` names a folder of llama.cpp's own `ggml-vocab-NAME.gguf` files with the `.inp` and `.out` beside them.

Build the probe with `cargo build -p anneal-model --example probe`. Needs torch, transformers, peft, gguf and jinja2; says
SKIPPED and exits 0 where they are not installed. Prints one line a check and exits 1 when one fails.
"""
import argparse, glob, hashlib, json, os, subprocess, sys, tempfile

try:
    import numpy as np, torch, transformers, gguf
    from transformers import AutoConfig, AutoModelForCausalLM
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(0)

torch.set_num_threads(2)
failures = []


def check(name, ok, note=""):
    print(("ok   " if ok else "FAIL ") + name + (f"  {note}" if note else ""), flush=True)
    if not ok:
        failures.append(name)


def ask(probe, arguments, lines=()):
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    done = subprocess.run([probe, *map(str, arguments)], input=text.encode(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"probe {arguments}: {done.stderr.decode()[-600:]}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


BASE = dict(vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5, initializer_range=0.2,
            bos_token_id=1, eos_token_id=2, pad_token_id=0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
TINY = {
    "llama-tied": ("llama", dict(tie_word_embeddings=True)),
    "llama-untied-mha-bias": ("llama", dict(num_key_value_heads=4, attention_bias=True, mlp_bias=True)),
    "llama-linear": ("llama", dict(rope_scaling=dict(rope_type="linear", factor=2.0))),
    "llama-llama3": ("llama", dict(rope_scaling=LLAMA3, rope_theta=500000.0)),
    "llama-yarn": ("llama", dict(rope_scaling=YARN)),
    "mistral": ("mistral", dict(sliding_window=None, head_dim=32)),
    "qwen2": ("qwen2", dict(tie_word_embeddings=True)),
    "qwen2-yarn": ("qwen2", dict(rope_scaling=YARN, rope_theta=1e6)),
    "qwen3": ("qwen3", dict(head_dim=32)),
    "smollm3": ("smollm3", dict(num_hidden_layers=8, tie_word_embeddings=True)),
}


def randomise(model):
    """Norms and biases are not left at one and zero, where a lost one would not show."""
    for name, p in model.named_parameters():
        if "norm" in name:
            p.data = 1 + 0.2 * torch.randn_like(p)
        elif name.endswith("bias"):
            p.data = 0.2 * torch.randn_like(p)


def tiny_models(probe):
    rows = [[5, 9, 77, 300, 4, 2, 8], [int(x) for x in np.random.default_rng(1).integers(0, 320, 200)]]
    for name, (model_type, extra) in TINY.items():
        torch.manual_seed(3)
        config = AutoConfig.for_model(model_type, **{**BASE, **extra})
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        randomise(model)
        with tempfile.TemporaryDirectory() as folder:
            sharded = name == "qwen3"
            model.save_pretrained(folder, **({"max_shard_size": "100KB"} if sharded else {}))
            ours = ask(probe, ["logits", folder], rows)
            worst = 0.0
            with torch.no_grad():
                for ids, logits in zip(rows, ours):
                    theirs = model(torch.tensor([ids])).logits[0].numpy()
                    worst = max(worst, float(np.abs(theirs - np.array(logits, dtype=np.float32)).max()))
            scale = float(np.abs(theirs).max())
            check(f"logits {name}", worst <= 1e-4, f"max abs {worst:.2e} of {scale:.1f}")
            if not sharded:
                adapter_of(probe, name, model, folder, rows[:1])


def adapter_of(probe, name, model, folder, rows):
    from peft import LoraConfig, get_peft_model
    peft = get_peft_model(model, LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM"))
    for n, p in peft.named_parameters():
        if "lora_" in n:
            p.data = 0.1 * torch.randn_like(p)
    adapter = os.path.join(folder, "adapter")
    peft.save_pretrained(adapter)
    with torch.no_grad():
        theirs = peft.eval()(torch.tensor(rows)).logits[0].numpy()
    ours = np.array(ask(probe, ["logits", folder, "fp32", adapter], rows)[0], dtype=np.float32)
    worst = float(np.abs(theirs - ours).max())
    check(f"adapter {name}", worst <= 1e-4, f"max abs {worst:.2e}")


def quantised_blocks(probe):
    """Random bits in every block format: our values equal those of the `gguf` package."""
    from gguf.quants import dequantize, quantize
    kinds = gguf.GGMLQuantizationType
    rng = np.random.default_rng(5)
    hidden = 256
    with tempfile.TemporaryDirectory() as folder:
        for kind in [kinds.F16, kinds.BF16, kinds.Q4_0, kinds.Q4_1, kinds.Q5_0, kinds.Q5_1, kinds.Q8_0, kinds.Q2_K,
                     kinds.Q3_K, kinds.Q4_K, kinds.Q5_K, kinds.Q6_K]:
            block, size = gguf.GGML_QUANT_SIZES[kind]
            path = os.path.join(folder, f"{kind.name}.gguf")
            writer = gguf.GGUFWriter(path, "llama")
            for key, value in [("block_count", 1), ("embedding_length", hidden), ("feed_forward_length", hidden),
                               ("attention.head_count", 4), ("attention.head_count_kv", 2), ("context_length", 64)]:
                writer.add_uint32(f"llama.{key}", value)
            writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
            want = {}
            shapes = {"token_embd": (300, hidden), "blk.0.attn_q": (hidden, hidden), "blk.0.attn_k": (128, hidden),
                      "blk.0.attn_v": (128, hidden), "blk.0.attn_output": (hidden, hidden),
                      "blk.0.ffn_gate": (hidden, hidden), "blk.0.ffn_up": (hidden, hidden),
                      "blk.0.ffn_down": (hidden, hidden)}
            for name, (rows, columns) in shapes.items():
                if kind in (kinds.F16, kinds.BF16):
                    raw = quantize(rng.standard_normal((rows, columns)).astype(np.float32), kind)
                else:
                    raw = rng.integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
                    clean_scales(raw, kind, rng)
                    raw = raw.reshape(rows, -1)
                writer.add_tensor(f"{name}.weight", raw, raw_dtype=kind)
                want[name] = dequantize(raw, kind).astype(np.float32).reshape(rows, columns)
            for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"]:
                want[name] = rng.standard_normal(hidden).astype(np.float32)
                writer.add_tensor(f"{name}.weight", want[name])
            writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()
            unpermute = lambda w, h: w.reshape(h, w.shape[0] // h // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)
            want["blk.0.attn_q"], want["blk.0.attn_k"] = unpermute(want["blk.0.attn_q"], 4), unpermute(want["blk.0.attn_k"], 2)
            got = {t["name"]: t["sha256"] for t in ask(probe, ["tensors", path])}
            names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
            parts = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
                     "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
                     "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
            names |= {f"blk.0.{g}": f"model.layers.0.{h}" for g, h in parts.items()}
            bad = [n for n, w in want.items()
                   if got[names[n] + ".weight"] != hashlib.sha256(np.ascontiguousarray(w).tobytes()).hexdigest()]
            check(f"gguf {kind.name}", not bad, " ".join(bad))


def clean_scales(raw, kind, rng):
    """Scales of random bits may be NaN or infinite; they are replaced by ordinary half-precision numbers."""
    size = raw.shape[-1]
    at = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}[kind.name]
    for offset in at:
        half = (rng.standard_normal(raw.shape[:-1]) * 0.1).astype(np.float16)
        raw[..., offset:offset + 2] = half[..., None].view(np.uint8).reshape(*raw.shape[:-1], 2)
    assert size >= max(at) + 2


def smollm2(probe, folder, file):
    rows = [[1, 4093, 198, 1780, 418, 260, 1743, 5028, 282, 4649, 47, 2, 198, 1, 520, 9531, 198],
            [int(x) for x in np.random.default_rng(2).integers(3, 49000, 300)]]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ours = ask(probe, ["logits", folder], rows)
    for ids, logits in zip(rows, ours):
        with torch.no_grad():
            theirs = model(torch.tensor([ids])).logits[0].numpy()
        worst = float(np.abs(theirs - np.array(logits, dtype=np.float32)).max())
        check(f"logits SmolLM2, {len(ids)} tokens", worst <= 1e-4, f"max abs {worst:.2e} of {np.abs(theirs).max():.1f}")
    with torch.no_grad():
        theirs = model.generate(torch.tensor(rows[:1]), max_new_tokens=24, do_sample=False)[0, len(rows[0]):].tolist()
        autocast = torch.autocast("cpu", dtype=torch.bfloat16)
        with autocast:
            bf16 = model(torch.tensor([rows[0]])).logits[0].float().numpy()
    ours = ask(probe, ["generate", folder, 24], rows[:1])[0]
    check("greedy SmolLM2", ours == [t for t in theirs if t != 2], f"{len(ours)} tokens")
    got = np.array(ask(probe, ["logits", folder, "bf16"], rows[:1])[0], dtype=np.float32)
    with torch.no_grad():
        exact = model(torch.tensor([rows[0]])).logits[0].numpy()
    ours_off, theirs_off = float(np.abs(got - exact).mean()), float(np.abs(bf16 - exact).mean())
    check("bf16 SmolLM2 is as near to fp32 as autocast is", ours_off <= 1.25 * theirs_off,
          f"mean abs {ours_off:.4f} and {theirs_off:.4f}, apart {np.abs(got - bf16).mean():.4f}")
    if file:
        tensors = lambda path: {t["name"]: t["sha256"] for t in ask(probe, ["tensors", path])}
        check("GGUF weights = folder, bit for bit", tensors(folder) == tensors(file))
        texts = ["\n\n1. twelve 12345", "Hello <|im_start|>user", "naïve 东京 🙂  ", "if (x) {\n\treturn 10e5;\n}"]
        check("GGUF tokenizer = folder", ask(probe, ["encode", folder], texts) == ask(probe, ["encode", file], texts))
        with tempfile.TemporaryDirectory() as out:
            ask(probe, ["save", file, out])
            saved = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
            with torch.no_grad():
                same = torch.equal(saved(torch.tensor(rows[:1])).logits, model(torch.tensor(rows[:1])).logits)
            check("saved folder gives transformers the same logits", same)
            tokenizer = transformers.AutoTokenizer.from_pretrained(out)
            check("saved tokenizer", [tokenizer(t, add_special_tokens=False).input_ids for t in texts]
                  == ask(probe, ["encode", folder], texts))
            chat = [{"role": "user", "content": "Hi"}]
            check("saved template", tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
                  .endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"))


def learnt_tokenizer(probe):
    """transformers reads a tokenizer learnt by us, and gives the same ids with it."""
    rng = np.random.default_rng(7)
    words = ["the", "Rain", "naïve", "東京", "don't", "x_1", "12", "stay", "staying", "\t", "🙂", "=", "(f)"]
    texts = [" ".join(words[int(n)] for n in rng.integers(0, len(words), 40)) + "\n\n" for _ in range(200)]
    with tempfile.TemporaryDirectory() as folder:
        ask(probe, ["learn", 512, folder], texts)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        more = texts[:20] + ["unseen Ωmega\r\n  \u0001", "<|im_start|>user\nhi<|im_end|>", "a" * 300]
        ours = ask(probe, ["encode", folder], more)
        check("learnt tokenizer: ids", [theirs(t, add_special_tokens=False).input_ids for t in more] == ours)
        check("learnt tokenizer: texts", [theirs.decode(ids) for ids in ours] == more)
        named = (theirs.bos_token, theirs.eos_token, theirs.pad_token, theirs.chat_template)
        check("learnt tokenizer: special tokens", named == ("<|endoftext|>", "<|endoftext|>", "<|pad|>", None), str(named))


def vocabularies(probe, folder):
    """The ids that llama.cpp expects of its test texts, under the pre-tokenizer that each vocabulary names."""
    for path in sorted(glob.glob(os.path.join(folder, "ggml-vocab-*.gguf"))):
        if not os.path.exists(path + ".inp"):
            continue
        texts = open(path + ".inp", encoding="utf-8", newline="").read().split("\n__ggml_vocab_test__\n")
        want = [[int(i) for i in line.split()] for line in open(path + ".out").read().split("\n")]
        try:
            got = ask(probe, ["encode", path], texts)
        except RuntimeError as error:
            print(f"refused {os.path.basename(path)}: {error}", flush=True)
            continue
        wrong = sum(g != w for g, w in zip(got, want))
        check(f"vocabulary {os.path.basename(path)}", not wrong and len(got) >= 40, f"{wrong} of {len(got)} wrong")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("--smollm2")
    parser.add_argument("--smollm2-gguf")
    parser.add_argument("--vocabularies")
    parser.add_argument("--only")
    a = parser.parse_args()
    checks = {"tiny": lambda: tiny_models(a.probe), "gguf": lambda: quantised_blocks(a.probe),
              "learnt": lambda: learnt_tokenizer(a.probe)}
    if a.smollm2:
        checks["smollm2"] = lambda: smollm2(a.probe, a.smollm2, a.smollm2_gguf)
    else:
        print("SKIPPED: smollm2 (no --smollm2)")
    if a.vocabularies:
        checks["vocabularies"] = lambda: vocabularies(a.probe, a.vocabularies)
    else:
        print("SKIPPED: vocabularies (no --vocabularies)")
    for name, run in checks.items():
        if a.only in (None, name):
            run()
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
