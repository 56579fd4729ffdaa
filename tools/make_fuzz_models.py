"""Writes the seeds of tests/fuzz/fuzz_model.c: tiny models of one layer, in f32, bf16, int8 and nf4, with the fields that each
family has. config.json, a zero byte, model.safetensors.

    python3 tools/make_fuzz_models.py tests/fuzz/corpus/model       (needs no package)
"""

import json
import random
import struct
import sys
from pathlib import Path

HIDDEN, VOCABULARY = 16, 8
LINEAR = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
SEEDS = {
    "llama-f32": ("llama", "F32", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                    "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}),
    "mistral-bf16": ("mistral", "BF16", {"sliding_window": 2}),
    "qwen2-int8": ("qwen2", "I8", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}),
    "qwen3-nf4": ("qwen3", "U8", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True,
                                                          "bnb_4bit_quant_type": "nf4"}}),
}


def floats(rng, count):
    return struct.pack(f"<{count}f", *(rng.uniform(-0.2, 0.2) for _ in range(count)))


def plain(rng, dtype, name, shape):
    count = 1
    for size in shape:
        count *= size
    data = floats(rng, count)
    if dtype == "BF16":
        data = b"".join(data[i + 2 : i + 4] for i in range(0, len(data), 4))
    return [(name, dtype, shape, data)]


def linear(rng, dtype, name):
    shape, elements = [HIDDEN, HIDDEN], HIDDEN * HIDDEN
    if dtype == "I8":
        return [(name[: -len("weight")] + "SCB", "F32", [HIDDEN], floats(rng, HIDDEN)), (name, "I8", shape, rng.randbytes(elements))]
    if dtype == "U8":
        state = {"quant_type": "nf4", "blocksize": 64, "shape": shape, "nested_blocksize": 256, "nested_offset": 0.1}
        return [(name + ".nested_absmax", "F32", [1], floats(rng, 1)), (name + ".nested_quant_map", "F32", [256], floats(rng, 256)),
                (name + ".quant_map", "F32", [16], floats(rng, 16)), (name + ".absmax", "U8", [elements // 64], rng.randbytes(elements // 64)),
                (name, "U8", [elements // 2, 1], rng.randbytes(elements // 2)),
                (name + ".quant_state.bitsandbytes__nf4", "U8", [128], json.dumps(state).encode().ljust(128))]
    return plain(rng, dtype, name, shape)


def tensors(rng, family, dtype):
    rest = dtype if dtype in ("F32", "BF16") else "F32"
    made = plain(rng, rest, "model.embed_tokens.weight", [VOCABULARY, HIDDEN]) + plain(rng, rest, "model.norm.weight", [HIDDEN])
    for name in LINEAR:
        made += linear(rng, dtype, f"model.layers.0.{name}.weight")
    vectors = ["input_layernorm.weight", "post_attention_layernorm.weight"]
    vectors += [f"self_attn.{x}_proj.bias" for x in "qkv"] if family == "qwen2" else []
    vectors += ["self_attn.q_norm.weight", "self_attn.k_norm.weight"] if family == "qwen3" else []
    for name in vectors:
        made += plain(rng, rest, f"model.layers.0.{name}", [HIDDEN])
    return made


def safetensors(made):
    header, data = {}, b""
    for name, dtype, shape, bytes_ in made:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main():
    for name, (family, dtype, more) in SEEDS.items():
        config = {"model_type": family, "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": HIDDEN, "num_hidden_layers": 1,
                  "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": HIDDEN, "max_position_embeddings": 64,
                  "tie_word_embeddings": True, **more}
        made = safetensors(tensors(random.Random(name), family, dtype))
        (Path(sys.argv[1]) / name).write_bytes(json.dumps(config).encode() + b"\0" + made)


if __name__ == "__main__":
    main()
