#!/usr/bin/env bash
# Makes models/mini-instruct/model.safetensors again: the data, then full-parameter training by temper itself.
#   tools/pretrain.sh CORPORA OUTPUT [LINES]
# CORPORA: a folder with classics.txt.xz and classic-children-pd/ (public-domain books; the model card says which).
# The model in the repository saw fifty times as much, on a GPU: tools/pretrain_gpu.py; this is the way without one.
# OUTPUT: a folder to work in, about 400 MB; stopped at any moment, the same command goes on.
# LINES: how much of the data; 250000 (the default) are about 30 million tokens: about two hours on two cores.
set -eu
corpora=$(realpath "$1")
mkdir -p "$2/job"
output=$(realpath "$2")
lines=${3:-250000}
cd "$(dirname "$0")/.."
[ -x build/temper ] || make
[ -s "$output/all.jsonl" ] || {
    python3 tools/make_pretraining_data.py 20250 "$output/all.part" --corpora "$corpora" --millions 48
    mv "$output/all.part" "$output/all.jsonl"
}
# The tokenizer was learned from the same file; it is in the repository, and made again by
#   python3 tools/make_tokenizer.py "$output/all.jsonl" models/mini-instruct
[ -s "$output/train.jsonl" ] || head -n "$lines" "$output/all.jsonl" >"$output/train.jsonl"
[ -s "$output/job/spec.json" ] || cat >"$output/job/spec.json" <<END
{
  "model": "$PWD/models/mini-instruct",
  "training_file": "$output/train.jsonl",
  "training_file_name": "pretrain.jsonl",
  "seed": 1,
  "hyperparameters": {"n_epochs": 1, "batch_size": "auto", "learning_rate_multiplier": 1},
  "full_parameters": {
    "from_random": true, "keep_order": true, "optimizer": "muon", "muon_learning_rate": 0.02,
    "learning_rate": 0.003, "tokens_per_batch": 8192, "warmup_steps": 60, "schedule": "linear_end",
    "prompt_weight": 0.1, "text_weight": 0.5, "example_tokens": 512
  },
  "checkpoint_seconds": 300
}
END
build/temper train "$output/job"
echo "The model is in $output/job/model; its model.safetensors goes to models/mini-instruct."
