#!/usr/bin/env python3
"""The evaluator against every reference file of lm-evaluation-harness, sample by sample.

    python tests/conformance/evaluator.py --engine target/release/anneal-evaluator --peers DIR --data DIR --model SMOLLM2_FOLDER
                                          --stories STORIES260K_FOLDER [--only arc_easy] [--device cuda]

DIR of the peers holds reference/*.json and tasks/*.yaml; --data is what its prepare_data.py wrote. Exits 1 when one differs.
"""
import argparse, json, os, subprocess, sys, tempfile, time

p = argparse.ArgumentParser()
for name in ("engine", "peers", "data", "model", "stories"):
    p.add_argument("--" + name, required=True)
p.add_argument("--only")
p.add_argument("--device", default="cpu")
a = p.parse_args()
failed = []
for file in sorted(os.listdir(os.path.join(a.peers, "reference"))):
    name = file[:-5]
    if a.only and a.only != name:
        continue
    path = os.path.abspath(os.path.join(a.peers, "reference", file))
    reference = json.load(open(path, encoding="utf-8"))
    task = reference["task"].removeprefix("local_")
    yaml = "stories_ppl" if task == "stories" else task
    with tempfile.TemporaryDirectory() as folder:
        spec = {
            "model": os.path.abspath(a.stories if name.startswith("stories260k") else a.model), "precision": "fp32", "threads": 2, "device": a.device,
            "apply_chat_template": reference["chat_template"], "max_length": reference["max_length"], "bootstrap_iterations": 1000,
            "tasks": [{"name": os.path.abspath(os.path.join(a.peers, "tasks", yaml + ".yaml")), "dataset": os.path.abspath(a.data),
                       "limit": reference["n"]}],
            "output_dir": folder + "/out",
        }
        json.dump(spec, open(folder + "/spec.json", "w"))
        began = time.time()
        run = subprocess.run([a.engine, "run", folder + "/spec.json"], capture_output=True, text=True)
        seconds = time.time() - began
        if run.returncode:
            print(f"FAIL {name}: {run.stdout.splitlines()[-1] if run.stdout else run.stderr}", flush=True)
            failed.append(name)
            continue
        compare = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare_eval.py")
        told = subprocess.run([sys.executable, compare, folder + "/out", reference["task"], path], capture_output=True, text=True)
        print(f"{'FAIL' if told.returncode else 'ok  '} {name} in {seconds:.1f} s: {told.stdout.strip() or told.stderr.strip()}", flush=True)
        if told.returncode:
            failed.append(name)
sys.exit(bool(failed))
