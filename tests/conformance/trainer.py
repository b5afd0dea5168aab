#!/usr/bin/env python3
"""The trainer against the reference curves of the PyTorch peer, and its files against TensorBoard, transformers and peft.

    python tests/conformance/trainer.py --engine target/debug/anneal-trainer --peers DIR --data DIR --model SMOLLM2_FOLDER
                                        [--only sft-lora --steps 3] [--device cuda]

DIR of the peers holds compare.py and reference/*.json; their README fixes every semantic choice. Says SKIPPED and exits 0
where something is not installed. Prints one line a check and exits 1 when one fails.
"""
import argparse, json, math, os, subprocess, sys, tempfile

try:
    import numpy as np
    from safetensors.numpy import save_file
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(0)

failures = []
LINEARS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
           "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
# Relative, unless the name ends in :abs; the second of each pair for bf16, where rounding differs by kernel.
TOLERANCE = {"loss": (1e-4, 5e-3), "grad_norm": (1e-3, 3e-2), "lr": (1e-9, 1e-9), "logps/chosen": (1e-4, 5e-3),
             "logps/rejected": (1e-4, 5e-3)}


def check(name, ok, note=""):
    print(("ok   " if ok else "FAIL ") + name + (f"  {note}" if note else ""), flush=True)
    if not ok:
        failures.append(name)


def hash_uniform(stream, n, bound):
    with np.errstate(over="ignore"):
        z = (np.uint64(stream) << np.uint64(40)) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0 ** -53
    return ((2.0 * u - 1.0) * bound).astype(np.float32)


def sizes(config):
    d, i, h = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    k = config["num_key_value_heads"] * (config.get("head_dim") or d // h)
    q = h * (config.get("head_dim") or d // h)
    return [(q, d), (k, d), (k, d), (d, q), (i, d), (i, d), (d, i)]


def initial_adapter(config, rank, path):
    tensors, index = {}, 0
    for layer in range(config["num_hidden_layers"]):
        for name, (out, inner) in zip(LINEARS, sizes(config)):
            stem = f"base_model.model.model.layers.{layer}.{name}"
            a = hash_uniform(1 + index, rank * inner, 1.0 / math.sqrt(inner)).reshape(rank, inner)
            tensors[f"{stem}.lora_A.weight"], tensors[f"{stem}.lora_B.weight"] = a, np.zeros((out, rank), np.float32)
            index += 1
    save_file(tensors, path)


def initial_weights(config, path):
    d = config["hidden_size"]
    tensors = {"model.embed_tokens.weight": hash_uniform(1000, config["vocab_size"] * d, 0.02 * math.sqrt(3)).reshape(-1, d)}
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        for n, (name, shape) in enumerate(zip(LINEARS, sizes(config))):
            values = hash_uniform(1001 + 7 * layer + n, shape[0] * shape[1], 0.02 * math.sqrt(3))
            tensors[f"{stem}.{name}.weight"] = values.reshape(shape)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{stem}.{norm}.weight"] = np.ones(d, np.float32)
    tensors["model.norm.weight"] = np.ones(d, np.float32)
    save_file(tensors, path)


def spec_of(hyper, model, data, folder, steps, device):
    config = json.load(open(os.path.join(model, "config.json")))
    task, method = hyper["method"], hyper["tuning"]
    spec = {"task_type": task, "method": method, "precision": hyper["precision"], "threads": 2, "device": device, "model": model,
            "dataset": data, "split": [100, 0, 0], "shuffle": False, "sequence_length": hyper["max_len"],
            "packing": hyper["packing"], "max_steps": hyper["steps"], "micro_batch_size": hyper["batch"],
            "gradient_accumulation_steps": hyper["grad_accum"], "save_interval": 10 ** 6, "output_dir": folder + "/out",
            "optimizer": {"learning_rate": hyper["lr"], "schedule": hyper["schedule"]}}
    if task == "sft":
        spec["loss_on"] = hyper["loss_on"]
    if task == "dpo":
        spec["dpo"] = {"beta": hyper["beta"], "loss": "sigmoid"}
    if method != "full":
        initial_adapter(config, hyper["lora_r"], folder + "/initial.safetensors")
        spec["lora"] = {"rank": hyper["lora_r"], "alpha": hyper["lora_alpha"], "initial_adapter": folder + "/initial.safetensors"}
    if hyper["init"] == "formula":
        initial_weights(config, folder + "/initial.safetensors")
        spec["initial_weights"] = folder + "/initial.safetensors"
    return spec


def run(engine, spec, folder, steps=0):
    """The steps' metrics; ends the engine after `steps` of them where that is not 0."""
    path = folder + "/spec.json"
    json.dump(spec, open(path, "w"))
    child = subprocess.Popen([engine, "run", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics, result = [], None
    for line in child.stdout:
        line = json.loads(line)
        if line["type"] == "metric" and "loss" in line["values"]:
            metrics.append({"step": line["step"], **line["values"]})
            print(f"     step {line['step']}: loss {line['values']['loss']:.7f} in {line['values']['step_seconds']:.2f} s", flush=True)
            if steps and len(metrics) == steps:
                child.kill()
                break
        if line["type"] == "result":
            result = line
        if line["type"] == "error":
            raise RuntimeError(line)
    child.wait()
    return metrics, result


def compare(name, reference, metrics, folder):
    hyper, steps = reference["hyper"], {s["step"]: s for s in reference["steps"]}
    first = json.load(open(folder + "/out/first_batch.json"))
    items = list(zip(first["input_ids"], first["loss_mask"]))
    if hyper["method"] == "dpo":
        items = [(ids[side], mask[side]) for side in (0, 1) for ids, mask in items]
    else:
        items = [(sum(ids, []), sum([[0] * (n > 0) + part[n > 0:] for n, part in enumerate(mask)], [])) for ids, mask in items]
    want = list(zip(reference["first_batch"]["input_ids"], reference["first_batch"]["loss_mask"]))
    check(f"{name}: ids of the first batch", [ids for ids, _ in items] == [ids for ids, _ in want])
    check(f"{name}: masks of the first batch", [mask for _, mask in items] == [mask for _, mask in want])
    bf16 = hyper["precision"] == "bf16"
    if bf16 and hyper["method"] == "dpo":
        return compare_noisy_preferences(name, hyper["beta"], steps, metrics)
    worst = {}
    for ours in metrics:
        theirs = steps[ours["step"]]
        ours = {**ours, "lr": ours["learning_rate"]}
        for field in ("tokens", "trained_tokens"):
            if ours[field] != theirs[field]:
                check(f"{name}: {field} of step {ours['step']}", False, f"{ours[field]} not {theirs[field]}")
        for field, (fp32, half) in TOLERANCE.items():
            if field in theirs:
                off = abs(ours[field] - theirs[field]) / max(abs(theirs[field]), 1e-12)
                worst[field] = max(worst.get(field, (0, 0)), (off, ours["step"]))
        for field in ("rewards/chosen", "rewards/rejected", "rewards/margins"):
            if field in theirs:
                off = abs(ours[field] - theirs[field])
                worst[field + ":abs"] = max(worst.get(field + ":abs", (0, 0)), (off, ours["step"]))
    for field, (off, step) in worst.items():
        limit = (5e-2 if bf16 else 2e-4) if field.endswith(":abs") else TOLERANCE[field][bf16]
        check(f"{name}: {field}", off <= limit, f"largest difference {off:.2e} at step {step}, allowed {limit:.0e}")


def compare_noisy_preferences(name, beta, steps, metrics):
    """A reward is beta times the difference of two sums of log-probabilities, each of which bf16 moves by up to its own tolerance; the loss
    falls by at most the margin's difference, and the gradient is scaled by sigmoid(-margin), whose relative slope is at most 1."""
    tolerance, noise = TOLERANCE["logps/chosen"][1], TOLERANCE["grad_norm"][1]
    for side in ("chosen", "rejected"):
        off = max(abs(m[f"logps/{side}"] / steps[m["step"]][f"logps/{side}"] - 1) for m in metrics)
        check(f"{name}: logps/{side}", off <= tolerance, f"largest difference {off:.2e}, allowed {tolerance:.0e}")
    for ours in metrics:
        theirs = steps[ours["step"]]
        moved = {side: 2 * beta * tolerance * abs(theirs[f"logps/{side}"]) for side in ("chosen", "rejected")}
        margin = sum(moved.values())
        limits = {"rewards/chosen": moved["chosen"], "rewards/rejected": moved["rejected"], "rewards/margins": margin, "loss": margin,
                  "grad_norm": (noise + margin) * theirs["grad_norm"]}
        for field, limit in limits.items():
            off = abs(ours[field] - theirs[field])
            check(f"{name}: {field} of step {ours['step']}", off <= limit, f"differs by {off:.2e}, allowed {limit:.1e}")


def losses(model, first):
    """Mean loss over the targets of the first batch, by transformers."""
    import torch
    total = targets = 0.0
    with torch.no_grad():
        for ids, mask in zip(first["input_ids"], first["loss_mask"]):
            for ids, mask in zip(ids, mask):
                x, m = torch.tensor([ids]), torch.tensor(mask[1:]).bool()
                logp = torch.log_softmax(model(x).logits[0, :-1].float(), -1).gather(1, x[0, 1:, None])[:, 0]
                total, targets = total - float(logp[m].sum()), targets + int(m.sum())
    return total / targets


def files(engine, model, data):
    """A tiny run whose files are read by TensorBoard, transformers and peft."""
    import torch
    from transformers import AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as folder:
        rows = json.load(open(data))[:12]
        json.dump(rows, open(folder + "/rows.json", "w"))
        for method in ("full", "lora"):
            out = f"{folder}/{method}"
            spec = {"task_type": "sft", "method": method, "precision": "fp32", "threads": 2, "model": model, "dataset": folder + "/rows.json",
                    "sequence_length": 64, "max_steps": 2, "micro_batch_size": 1, "shuffle": False, "save_interval": 1,
                    "optimizer": {"learning_rate": 1e-3, "schedule": "constant"}, "output_dir": out}
            metrics, result = run(engine, spec, folder)
            # The loss of step 3 on the same rows, from the weights after step 2.
            again = {**spec, "max_steps": 3, "resume_from": None, "output_dir": out + "-3"}
            longer, _ = run(engine, again, folder)
            third = json.load(open(f"{out}-3/first_batch.json"))
            if method == "full":
                loaded = AutoModelForCausalLM.from_pretrained(result["model_dir"], dtype=torch.float32)
            else:
                from peft import PeftModel
                base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
                loaded = PeftModel.from_pretrained(base, result["adapter_dir"])
            repeat = {**spec, "max_steps": 4, "dataset": folder + "/one.json", "output_dir": out + "-r"}
            json.dump(rows[:1], open(folder + "/one.json", "w"))
            one, _ = run(engine, {**repeat, "max_steps": 2}, folder)
            more, _ = run(engine, {**repeat, "max_steps": 3, "output_dir": out + "-s"}, folder)
            kind = AutoModelForCausalLM.from_pretrained(out + "-r/model", dtype=torch.float32) if method == "full" else \
                PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), out + "-r/adapter")
            theirs, ours = losses(kind, json.load(open(out + "-r/first_batch.json"))), more[2]["loss"]
            check(f"files: {method} model in {'transformers' if method == 'full' else 'peft'}", abs(theirs - ours) <= 1e-4 * ours,
                  f"loss {theirs:.7f}, ours {ours:.7f}")
            del loaded, kind
            tensorboard(method, out + "/tensorboard", metrics)


def tensorboard(name, folder, metrics):
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as missing:
        return print(f"SKIPPED: {missing}")
    events = EventAccumulator(folder).Reload()
    for field in ("loss", "grad_norm", "learning_rate", "mean_token_accuracy"):
        series = [(e.step, e.value) for e in events.Scalars("train/" + field)]
        check(f"tensorboard: {name} train/{field}", series == [(m["step"], float(np.float32(m[field]))) for m in metrics])


def main():
    p = argparse.ArgumentParser()
    a = p.add_argument
    a("--engine", required=True); a("--peers", required=True); a("--data", required=True); a("--model", required=True)
    a("--only"); a("--device", default="cpu"); a("--steps", type=int, default=0); a("--files", action="store_true", help="only the artifacts")
    a = p.parse_args()
    places = {"alpaca_en_demo.json": "sft", "dpo_en_demo.json": "preference", "tinystories_sample_2MiB.txt": "tinystories"}
    if a.files:
        files(a.engine, os.path.join(a.data, "model_stories260k/hf") if a.model == "tiny" else a.model, os.path.join(a.data, "sft/alpaca_en_demo.json"))
        sys.exit(bool(failures))
    folder = os.path.join(a.peers, "reference")
    for file in sorted(os.listdir(folder)):
        name = file[:-5]
        if a.only and name != a.only:
            continue
        reference = json.load(open(os.path.join(folder, file)))
        data = os.path.join(a.data, places[reference["data"]["file"]], reference["data"]["file"])
        model = os.path.join(a.data, "model_stories260k/hf") if "stories260k" in name else a.model
        with tempfile.TemporaryDirectory() as work:
            spec = spec_of(reference["hyper"], model, data, work, a.steps, a.device)
            metrics, _ = run(a.engine, spec, work, a.steps)
            compare(name, reference, metrics, work)
            with open(f"/tmp/trainer-{name}.jsonl", "w") as out:
                out.writelines(json.dumps({**m, "lr": m["learning_rate"]}) + "\n" for m in metrics)
    sys.exit(bool(failures))


main()
