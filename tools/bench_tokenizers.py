#!/usr/bin/env python3
"""How fast temper and Hugging Face's `tokenizers` encode a text, on one thread each, in turns, and the ratio.

usage: bench_tokenizers.py FILE DIRECTORY...       (directories with a tokenizer.json; needs the package `tokenizers`)

`tokenizers` gets documents of about 100 kB, cut at ends of lines, by `encode_batch_fast` or by `encode` one after
another, whichever is faster; temper gets the whole file. Both are timed without starting up; the best of the rounds
counts. The ids are compared as well.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
from tokenizers import Tokenizer  # noqa: E402 (reads the environment)

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPER = os.environ.get("TEMPER", str(ROOT / "build" / "temper"))
ROUNDS = 3
DOCUMENT = 100_000


def documents(text):
    found = []
    while text:
        end = text.find("\n", DOCUMENT) + 1 or len(text)
        found.append(text[:end])
        text = text[end:]
    return found


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main():
    text = pathlib.Path(sys.argv[1]).read_bytes().decode(errors="ignore")
    file = pathlib.Path(sys.argv[1])
    pieces, size = documents(text), len(text.encode())
    for directory in sys.argv[2:]:
        tokenizer = Tokenizer.from_file(f"{directory}/tokenizer.json")
        ways = [lambda: tokenizer.encode_batch_fast(pieces, add_special_tokens=False),
                lambda: [tokenizer.encode(piece, add_special_tokens=False) for piece in pieces]]
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(min(map(seconds, ways)))
            done = subprocess.run([TEMPER, "bench", "tokenize", "--model", directory, "--file", str(file), "--json"],
                                  capture_output=True, text=True, check=True)
            ours.append(json.loads(done.stdout)["megabytes_per_second"])
        lines = "\n".join(json.dumps(piece) for piece in pieces)
        done = subprocess.run([TEMPER, "tokenize", "--model", directory, "--lines"], input=lines, capture_output=True,
                              text=True, check=True)
        got = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
        tokenizer.encode_special_tokens = True
        same = got == [tokenizer.encode(piece, add_special_tokens=False).ids for piece in pieces]
        speed = size / min(theirs) / 1e6
        print(f"{directory}: temper {max(ours):.1f} MB/s, tokenizers {speed:.2f} MB/s, ratio {max(ours) / speed:.1f}; "
              f"ids of {len(pieces)} documents {'the same' if same else 'DIFFER'}", flush=True)


if __name__ == "__main__":
    main()
