#!/usr/bin/env python3
"""Judges a small base model by what it is for: five tasks, learned from 100 examples each.

    python3 tools/eval_builtin.py [--model DIR] [--temper build/temper] [--seeds 1] [--json]

Each task (tools/builtin_tasks) has a training file of 100 chats and 200 held-out chats with sentences, names and numbers
that the training file lacks. The base answers the held-out ones, is fine-tuned by `temper train` with one set of
hyperparameters for all tasks, and answers them again: `temper eval --generate` counts the answers that are exactly right.
`--against FILE.jsonl` counts held-out questions, and sentences of both files, that stand in a pretraining file: none should.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from builtin_tasks import make

ROOT = pathlib.Path(__file__).resolve().parent.parent
HYPERPARAMETERS = {"epochs": 8, "batch-size": 10, "learning-rate-multiplier": 1}


def write_chats(path, chats):
    path.write_text("".join(json.dumps(chat, ensure_ascii=False) + "\n" for chat in chats))
    return path


def evaluate(given, file, adapter=None):
    """The share of exact answers, and the mean loss."""
    command = [given.temper, "eval", file, "--model", given.model, "--generate", "--max-tokens", "120", "--json"]
    result = json.loads(subprocess.run(command + (["--adapter", adapter] if adapter else []), check=True, capture_output=True, text=True).stdout)
    return result


def fine_tune(given, file, output, seed):
    options = [text for name, value in HYPERPARAMETERS.items() for text in (f"--{name}", str(value))]
    begun = time.monotonic()
    subprocess.run([given.temper, "train", file, "--model", given.model, "--output", output, "--seed", str(seed), "--quiet", *options],
                   check=True, capture_output=True, text=True)
    return time.monotonic() - begun


def run_task(given, directory, name):
    scores = {"task": name, "before": 0.0, "after": [], "seconds": []}
    for seed in range(1, given.seeds + 1):
        files = {split: write_chats(directory / f"{name}-{split}-{seed}.jsonl", chats) for split, chats in make.make_task(name, seed).items()}
        if seed == 1 and not given.after_only:
            scores["before"] = exact_share(evaluate(given, files["held_out"]))
        adapter = directory / f"{name}-{seed}"
        scores["seconds"].append(round(fine_tune(given, files["train"], adapter, seed), 1))
        scores["after"].append(exact_share(evaluate(given, files["held_out"], adapter)))
    scores["mean_after"] = sum(scores["after"]) / len(scores["after"])
    return scores


def exact_share(result):
    return sum(example["exact"] for example in result["examples"]) / len(result["examples"])


def texts_of(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row["text"] if "text" in row else "\n".join(message["content"] for message in row["messages"])


def count_leaks(path, names):
    """How many user messages of the tasks stand inside some line of a pretraining file."""
    wanted = {chat["messages"][1]["content"]: name for name in names for chats in make.make_task(name, 1).values() for chat in chats}
    found = {}
    for text in texts_of(path):
        for question in [question for question in wanted if question in text]:
            found[question] = wanted[question]
    return found


def print_table(rows):
    print(f"{'task':12} {'before':>7} {'after':>7}   each draw              seconds")
    for row in rows:
        each = " ".join(f"{share:.3f}" for share in row["after"])
        print(f"{row['task']:12} {row['before']:7.3f} {row['mean_after']:7.3f}   {each:22} {' '.join(map(str, row['seconds']))}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(ROOT / "models" / "mini-instruct"))
    parser.add_argument("--temper", default=str(ROOT / "build" / "temper"))
    parser.add_argument("--tasks", default=",".join(make.TASKS))
    parser.add_argument("--seeds", type=int, default=1, help="draws of each task; the seed is also that of the training")
    parser.add_argument("--after-only", action="store_true", help="leave out the base's own score")
    parser.add_argument("--write", metavar="DIR", type=pathlib.Path, help="write the files and keep the adapters there")
    parser.add_argument("--against", metavar="FILE", help="look for the tasks' texts in a pretraining file, and end")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.tasks.split(",")
    if given.against:
        found = count_leaks(given.against, names)
        print(json.dumps(found, indent=2) if found else "none of the tasks' texts stands there")
        sys.exit(1 if found else 0)
    with tempfile.TemporaryDirectory(prefix="temper-eval-") as temporary:
        directory = given.write or pathlib.Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        rows = [run_task(given, directory, name) for name in names]
    mean = sum(row["mean_after"] for row in rows) / len(rows)
    if given.json:
        print(json.dumps({"model": given.model, "hyperparameters": HYPERPARAMETERS, "tasks": rows, "mean_after": mean}, indent=2))
    else:
        print_table(rows)
        print(f"mean after fine-tuning: {mean:.3f}")


if __name__ == "__main__":
    main()
