#!/usr/bin/env python3
"""The peer of `temper bench train`: the same shape, the same LoRA, the same step, by PyTorch and peft on the CPU.

    python3 tools/bench_pytorch.py --shape S --steps 5

Run it right before or after `temper bench train`, on the same machine: only the ratio of the two says something.
"""
import argparse
import json
import os
import statistics
import time

os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 40))  # keep memory between steps: faster by half
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 40))

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

# As in src/train/train_bench.c: vocabulary, hidden, intermediate, layers, heads, kv_heads, head_dim, sequences, length.
SHAPES = {
    "S": (32000, 288, 768, 6, 6, 6, 48, 4, 512),
    "M": (49152, 576, 1536, 30, 9, 3, 64, 4, 512),
    "L": (128256, 2048, 8192, 16, 32, 8, 64, 1, 512),
}
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="S")
    parser.add_argument("--steps", type=int, default=5)
    given = parser.parse_args()
    vocabulary, hidden, inner, layers, heads, kv_heads, head_dim, sequences, length = SHAPES[given.shape]
    config = LlamaConfig(vocab_size=vocabulary, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
                         num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=head_dim,
                         tie_word_embeddings=True, max_position_embeddings=length, use_cache=False)
    model = get_peft_model(LlamaForCausalLM(config).to(torch.bfloat16),
                           LoraConfig(r=16, lora_alpha=32, target_modules=MODULES), autocast_adapter_dtype=False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    times = []
    for _ in range(given.steps + 1):
        tokens = torch.randint(0, vocabulary, (sequences, length))
        begun = time.perf_counter()
        optimizer.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begun)
    seconds = statistics.median(times[1:])
    print(json.dumps({"shape": given.shape, "torch": torch.__version__, "threads": torch.get_num_threads(),
                      "tokens_per_second": round(sequences * length / seconds, 1)}))


if __name__ == "__main__":
    main()
