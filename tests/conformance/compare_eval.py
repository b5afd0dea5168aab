"""Holds an evaluation of ours against a reference file of lm-evaluation-harness, sample by sample.

usage: compare_eval.py OUTPUT_DIR TASK REFERENCE.json [--tolerance 0.001]

OUTPUT_DIR is what `anneal-evaluator run` wrote. Contexts and continuations must be equal, summed log-probabilities within
the tolerance, predictions equal for every sample whose margin exceeds it, and aggregates equal. Exit status 1 otherwise.
"""
import argparse, json, os, sys

parser = argparse.ArgumentParser()
parser.add_argument("output"), parser.add_argument("task"), parser.add_argument("reference")
parser.add_argument("--tolerance", type=float, default=1e-3)
a = parser.parse_args()
reference = json.load(open(a.reference, encoding="utf-8"))
prefix = reference.get("context_prefix", "")
lines = [json.loads(l) for l in open(os.path.join(a.output, f"samples_{a.task}.jsonl"), encoding="utf-8")]
ours = {}
for line in lines:
    ours.setdefault(line["doc_id"], []).append(line)
faults, worst, compared = [], 0.0, 0


def fault(doc, text):
    faults.append(f"doc {doc}: {text}")


for wanted in reference["samples"]:
    doc = wanted["doc_id"]
    if doc not in ours:
        fault(doc, "not scored")
        continue
    compared += 1
    sample = ours[doc][0]
    arguments = list(sample["arguments"].values())
    if "text" in wanted:
        if arguments[0]["arg_0"] != wanted["text"]:
            fault(doc, "the text differs")
        difference = abs(float(sample["resps"][0][0]) - wanted["ll"])
        # A whole text's sum is held to the same tolerance a token.
        worst = max(worst, difference / wanted["n_tokens"])
        if difference > a.tolerance * max(1, wanted["n_tokens"] / 100):
            fault(doc, f"log-probability differs by {difference}")
    elif "generated" in wanted:
        if arguments[0]["arg_0"] != prefix + wanted["context"]:
            fault(doc, "the prompt differs")
        if sample["resps"][0][0] != wanted["generated"]:
            fault(doc, f"generated {sample['resps'][0][0]!r}, wanted {wanted['generated']!r}")
        for line in ours[doc]:
            if line["filtered_resps"][0] != wanted["filtered"][line["filter"]] or line["exact_match"] != wanted["exact_match"][line["filter"]]:
                fault(doc, f"filter {line['filter']} differs")
    else:
        sums = []
        for argument, answer, request in zip(arguments, sample["resps"], wanted["requests"]):
            if argument["arg_0"] != prefix + wanted["context"]:
                fault(doc, "the context differs")
            if argument["arg_1"] != request["continuation"]:
                fault(doc, f"continuation {argument['arg_1']!r}, wanted {request['continuation']!r}")
            value, greedy = float(answer[0][0]), answer[0][1] == "True"
            sums.append(value)
            worst = max(worst, abs(value - request["ll"]))
            if abs(value - request["ll"]) > a.tolerance:
                fault(doc, f"log-probability {value}, wanted {request['ll']}")
            if greedy != request["is_greedy"]:
                fault(doc, "greediness differs")
        if len(arguments) != len(wanted["requests"]):
            fault(doc, "another number of choices")
        if "pred" in wanted:
            ranked = sorted((r["ll"] for r in wanted["requests"]), reverse=True)
            if ranked[0] - ranked[1] > a.tolerance and sums.index(max(sums)) != wanted["pred"]:
                fault(doc, "the prediction differs")
            for metric in ("acc", "acc_norm"):
                if metric in wanted and sample.get(metric) != wanted[metric]:
                    fault(doc, f"{metric} is {sample.get(metric)}, wanted {wanted[metric]}")
scores = json.load(open(os.path.join(a.output, "results.json"), encoding="utf-8"))["results"][a.task]
if compared == len(reference["samples"]) == len(ours):
    for key, value in reference["metrics"].items():
        got = scores.get(key)
        if got != value and (isinstance(value, str) or abs(got - value) > 1e-5 * max(1.0, abs(value))):
            faults.append(f"{key}: {got}, wanted {value}")
print(f"{a.task}: {compared} of {len(reference['samples'])} samples, worst difference {worst:.2e}, {len(faults)} faults")
for text in faults[:20]:
    print("  " + text)
sys.exit(1 if faults else 0)
