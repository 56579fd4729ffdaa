#!/usr/bin/env python3
"""temper beside PyTorch, transformers and peft: the same LoRA step, in turn, on this machine, now.

    python3 tools/bench_peers.py --shapes S,M,L --rounds 5
    python3 tools/bench_peers.py --task gsm8k

The first form times both. Shapes are those of `temper bench train`: random weights in bf16, LoRA of rank 16 and alpha
32 on all seven layers, loss on all tokens, gradient clipping and AdamW, two threads. What PyTorch does best with is
looked for first, for each shape: --no-tuning, or --settings with the --json of a former run, leave that out. Every
measurement is a process of its own, and the two programs take turns. Their median steps are compared: the ratio of the
medians, and the median of the ratios of each turn. PyTorch, transformers and peft are those of the parity tests, in the
same virtual environment; PARITY_PYTHON names a python that has them already.

The second form trains the built-in model on a real task with both, from the same start, and compares the curves.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
from peers import task  # noqa: E402
from run import parity_python  # noqa: E402

# As in src/train/train_bench.c.
SIZES = ["vocabulary", "hidden", "intermediate", "layers", "heads", "kv_heads", "head_dim", "sequences", "length"]
SHAPES = {
    "S": (32000, 288, 768, 6, 6, 6, 48, 4, 512),
    "M": (49152, 576, 1536, 30, 9, 3, 64, 4, 512),
    "L": (128256, 2048, 8192, 16, 32, 8, 64, 1, 512),
}
# glibc gives large blocks back to the system as soon as they are freed, and each step faults them in anew. With
# MALLOC_MMAP_MAX_ at 0 they come from the heap, however high the threshold of mmap may be set at most.
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_MMAP_THRESHOLD_": str(1 << 40), "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TOP_PAD_": str(256 << 20)}
JEMALLOC = "libjemalloc.so.2"
MEMORY = {
    "as it comes": {},
    "kept": KEPT,
    "kept, huge pages": {**KEPT, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "jemalloc": {"LD_PRELOAD": JEMALLOC, "MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"},
}
THREADS = {"free": {}, "bound": {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}}
START = {"attention": "sdpa", "compile": "none", "memory": "kept", "threads": "free", "optimizer": "fused"}
# What is tried, one behind the other, each on top of the best so far. Attention and compilation go together: what is
# slow by itself may be what a compiler makes the most of.
TRIED = [
    [{"attention": attention, "compile": compile_} for compile_ in ("none", "layers", "model")
     for attention in ("sdpa", "eager")],
    [{"memory": memory} for memory in ("as it comes", "kept, huge pages", "jemalloc")],
    [{"threads": "bound"}],
    [{"optimizer": "loop"}],
]
WORTH = 1.02  # a setting is taken where it is faster by so much: less is noise


class Failed(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def measured(command, environment):
    """Runs a program by itself. Returns the JSON of its last line, and the most bytes that it had resident."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as faults:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=faults, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        faults.seek(0)
        if process.returncode:
            said = faults.read().strip().splitlines() or ["it said nothing"]
            raise Failed(f"{pathlib.Path(command[0]).name} ended with {process.returncode}: {said[-1][:300]}")
        return json.loads(output.read().strip().splitlines()[-1]), usage.ru_maxrss * 1024


class Bench:
    def __init__(self, given, python):
        self.given, self.python, self.versions = given, python, {}

    def peer(self, shape, settings):
        """The steps of PyTorch: tokens a second, of the median and of the fastest, and bytes."""
        sizes = dict(zip(SIZES, SHAPES[shape]))
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.given.threads), **MEMORY[settings["memory"]],
                       **THREADS[settings["threads"]]}
        report, resident = measured(
            [self.python, ROOT / "tools" / "peers" / "torch_step.py", "--shape", json.dumps(sizes), "--settings",
             json.dumps(settings), "--steps", self.given.peer_steps, "--threads", self.given.threads], environment)
        tokens = sizes["sequences"] * sizes["length"]
        self.versions = report["versions"]
        return {"tokens_per_second": tokens / statistics.median(report["seconds"]),
                "best_tokens_per_second": tokens / min(report["seconds"]), "peak_rss_bytes": resident}

    def ours(self, shape):
        report, resident = measured([self.given.temper, "bench", "train", "--shape", shape, "--threads",
                                     self.given.threads, "--steps", self.given.steps, "--json"], None)
        # What it reports is what the system counted when the steps were done. The process then measures the memory's
        # bandwidth, in a block of its own, which is no part of training.
        return {"tokens_per_second": report["tokens_per_second"], "peak_rss_bytes": report["peak_rss_bytes"],
                "whole_process_peak_rss_bytes": resident, "fraction_of_peak": report["fraction_of_peak"],
                "peak_gflops": report["peak_gflops"], "operations_per_token": report["operations_per_token"],
                "path": report["path"]}

    def tune(self, shape):
        """The settings with which PyTorch is fastest, and a list of all that were tried."""
        best, speed, tried = START, 0, []
        say(f"shape {shape}: looking for PyTorch's best settings")
        for changes in TRIED:
            base = best
            for change in changes:
                settings = {**base, **change}
                if settings["memory"] == "jemalloc" and not has_library(JEMALLOC):
                    tried.append({"settings": settings, "failed": f"there is no {JEMALLOC} (Debian: libjemalloc2)"})
                    continue
                if any(settings == entry["settings"] for entry in tried):
                    continue
                entry = self.attempt(shape, settings)
                tried.append(entry)
                # The fastest step, not the median: whatever else the machine does only ever makes a step slower.
                if entry.get("best_tokens_per_second", 0) > speed * WORTH:
                    best, speed = settings, entry["best_tokens_per_second"]
        if not speed:
            raise Failed(f"shape {shape}: PyTorch ran with none of the settings: {tried[0]['failed']}")
        return best, tried

    def attempt(self, shape, settings):
        try:
            entry = {"settings": settings, **self.peer(shape, settings)}
        except Failed as failure:
            entry = {"settings": settings, "failed": str(failure)}
        say(f"  {words(settings):62s} " + (entry.get("failed") or f"{entry['best_tokens_per_second']:8.1f} tokens/s, "
                                           f"{entry['peak_rss_bytes'] / 1e6:6.0f} MB"))
        return entry

    def compare(self, shape, settings):
        ours, theirs = [], []
        for turn in range(self.given.rounds):
            ours.append(self.ours(shape))
            theirs.append(self.peer(shape, settings))
            say(f"shape {shape}, round {turn + 1}: temper {ours[-1]['tokens_per_second']:.1f}, PyTorch "
                f"{theirs[-1]['tokens_per_second']:.1f} tokens/s")
        return ours, theirs


def has_library(name):
    """Loaded before a program starts, as LD_PRELOAD does it: one that runs already may have no room for it."""
    tried = subprocess.run(["true"], env={**os.environ, "LD_PRELOAD": name}, capture_output=True, text=True)
    return "cannot be preloaded" not in tried.stderr


def words(settings):
    return (f"{settings['attention']}, compile {settings['compile']}, memory {settings['memory']}, threads "
            f"{settings['threads']}, AdamW {settings['optimizer']}")


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def summary(ours, theirs):
    for mine, other in zip(ours, theirs):
        other["fraction_of_peak"] = (other["tokens_per_second"] * mine["operations_per_token"] /
                                     (mine["peak_gflops"] * 1e9))
    keys = ["tokens_per_second", "fraction_of_peak", "peak_rss_bytes"]
    mine, other = ({key: median(rounds, key) for key in keys} for rounds in (ours, theirs))
    pairs = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(ours, theirs)]
    return {"temper": mine, "pytorch": other, "ratio": mine["tokens_per_second"] / other["tokens_per_second"],
            "ratio_of_pairs": statistics.median(pairs), "ratios": pairs,
            "memory_ratio": mine["peak_rss_bytes"] / other["peak_rss_bytes"]}


def print_table(results, versions):
    print("\nPyTorch {torch}, transformers {transformers}, peft {peft}".format(**versions))
    print(f"\n{'SHAPE':5s}  {'PROGRAM':8s} {'TOKENS/S':>9s} {'OF PEAK':>8s} {'MEMORY, MB':>11s}   "
          "RATIO: OF MEDIANS, MEDIAN OF PAIRS; OF MEMORY")
    for shape, result in results.items():
        for name in ("temper", "pytorch"):
            one = result[name]
            ratios = (f"   {result['ratio']:.2f}, {result['ratio_of_pairs']:.2f}; {result['memory_ratio']:.2f}"
                      if name == "temper" else "")
            print(f"{shape:5s}  {name:8s} {one['tokens_per_second']:9.1f} {one['fraction_of_peak']:8.3f} "
                  f"{one['peak_rss_bytes'] / 1e6:11.0f}{ratios}")
    for shape, result in results.items():
        print(f"\nPyTorch's settings for {shape}: {words(result['settings'])}")
        for entry in result["tried"]:
            if entry["settings"] != result["settings"]:
                print(f"  tried: {words(entry['settings']):62s} " + (entry.get("failed") or
                      f"{entry['best_tokens_per_second']:8.1f} tokens/s, {entry['peak_rss_bytes'] / 1e6:6.0f} MB"))


def settings_of_run(path, shapes):
    """The settings that a former run, whose --json this is, found for these shapes, and what it tried."""
    try:
        found = json.loads(pathlib.Path(path).read_text())["shapes"]
        return {shape: (found[shape]["settings"], found[shape]["tried"]) for shape in shapes}
    except OSError as fault:
        raise Failed(f"--settings: cannot read {path}: {fault.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise Failed(f"--settings: {path} is not the --json of a run with the shapes {','.join(shapes)}; leave the "
                     "option out to look for the settings anew") from None


def run_shapes(given, python):
    bench = Bench(given, python)
    known = settings_of_run(given.settings, given.shapes) if given.settings else {}
    results = {}
    for shape in given.shapes:
        settings, tried = known.get(shape) or ((START, []) if given.no_tuning else bench.tune(shape))
        ours, theirs = bench.compare(shape, settings)
        results[shape] = {**summary(ours, theirs), "settings": settings, "tried": tried,
                          "rounds": {"temper": ours, "pytorch": theirs}}
    if given.json:
        print(json.dumps({"versions": bench.versions, "shapes": results}, indent=1))
    with contextlib.redirect_stdout(sys.stderr if given.json else sys.stdout):
        print_table(results, bench.versions)
    return 0


def shapes_of(text):
    names = text.split(",")
    for name in names:
        if name not in SHAPES:
            raise argparse.ArgumentTypeError(f"'{name}' is none of S, M and L; write them as S,M")
    return names


def positive(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where temper was built (build)")
    parser.add_argument("--shapes", type=shapes_of, default="S,M,L", help="which to time (S,M,L)")
    parser.add_argument("--rounds", type=positive, default=5, help="turns of each program (5)")
    parser.add_argument("--steps", type=positive, default=5, help="measured in a turn of temper (5)")
    parser.add_argument("--peer-steps", type=positive, default=5, help="measured in a turn of PyTorch (5)")
    parser.add_argument("--threads", type=positive, default=2, help="of both programs (2)")
    parser.add_argument("--no-tuning", action="store_true", help=f"take PyTorch with: {words(START)}")
    parser.add_argument("--settings", metavar="FILE", help="take PyTorch's settings from the --json of a former run")
    parser.add_argument("--task", choices=["gsm8k"], help="compare the curves of a real task in place of speed")
    parser.add_argument("--learning-rate-multiplier", type=float, default=task.RATE_MULTIPLIER, metavar="X",
                        help=f"of the task: on temper's usual rate ({task.RATE_MULTIPLIER:g})")
    parser.add_argument("--json", action="store_true", help="print JSON, with every measurement; the table goes to stderr")
    given = parser.parse_args()
    given.build = given.build.resolve()
    given.temper = given.build / "temper"
    try:
        if not given.temper.exists():
            raise Failed(f"there is no {given.temper}; run `make`, or name another folder: --build DIR")
        if given.task and not task.data_present():
            say(f"skipped: the folder of test data is not here ({task.DATA})")
            return 0
        with contextlib.redirect_stdout(sys.stderr):  # what is installed is no part of the result
            python = parity_python(given.build)
        return task.run(given, python) if given.task else run_shapes(given, python)
    except (Failed, task.Failed) as failure:
        say(f"bench_peers: {failure}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
