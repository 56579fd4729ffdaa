"""Writes a Hugging Face directory of random weights in the exact shape of a real model: what such a model takes of time, disk
and memory can then be measured without anybody's weights.

    python3 tools/make_random_model.py 8B DIRECTORY [--type bf16|int8|nf4] [--layers N]

Shapes: 8B (Llama 3.1 8B), 70B (Llama 3.3 70B). int8 and nf4 are written as `temper models add --quantize` writes them. The
tokenizer and the chat template are those of the built-in model, whose ids all lie in the vocabulary. Needs no package.
"""

import argparse
import json
import os
import random
import shutil
import struct
import sys
from array import array
from pathlib import Path

SHAPES = {
    "8B": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32},
    "70B": {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64},
}
KV_HEADS, HEAD_DIM, VOCABULARY = 8, 128, 128256
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
TILE = 1 << 22
BUILT_IN = Path(__file__).resolve().parent.parent / "models" / "mini-instruct"


def floats(values):
    return array("f", values).tobytes()


def bf16_tile(rng, scale):
    """TILE elements with a normal distribution, as the upper halves of f32."""
    values = array("f", (rng.gauss(0, scale) for _ in range(1 << 16)))
    halves = array("H", values.tobytes())[1::2] if sys.byteorder == "little" else None
    return halves.tobytes() * (TILE >> 16)


class Tensor:
    """Its header, and its bytes: a tile that is repeated, or all of them."""

    def __init__(self, name, dtype, shape, size, tile):
        self.name, self.dtype, self.shape, self.size, self.tile = name, dtype, shape, size, tile

    def write(self, out):
        whole, rest = divmod(self.size, len(self.tile))
        for _ in range(whole):
            out.write(self.tile)
        out.write(self.tile[:rest])


class Maker:
    def __init__(self, kind):
        rng = random.Random(1)
        self.kind = kind
        self.plain = bf16_tile(rng, 0.02)
        self.octets = rng.randbytes(TILE)
        self.codes = bytes(127 + rng.randrange(3) for _ in range(1 << 16)) * (TILE >> 16)
        self.levels = floats(i / 127.5 - 1 for i in range(256))

    def matrix(self, name, rows, columns):
        return Tensor(name, "BF16", [rows, columns], rows * columns * 2, self.plain)

    def norm(self, name, size):
        return Tensor(name, "BF16", [size], size * 2, b"\x80\x3f")

    def linear(self, name, rows, columns):
        if self.kind == "bf16":
            return [self.matrix(name, rows, columns)]
        if self.kind == "int8":
            scale = floats([0.06])
            return [Tensor(name[: -len("weight")] + "SCB", "F32", [rows], rows * 4, scale),
                    Tensor(name, "I8", [rows, columns], rows * columns, self.octets)]
        blocks = rows * columns // 64
        state = json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [rows, columns],
                            "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05}).encode().ljust(256)
        return [Tensor(name + ".nested_absmax", "F32", [blocks // 256], blocks // 64, floats([0.01])),
                Tensor(name + ".nested_quant_map", "F32", [256], 1024, self.levels),
                Tensor(name + ".quant_map", "F32", [16], 64, floats(NF4)),
                Tensor(name + ".absmax", "U8", [blocks], blocks, self.codes),
                Tensor(name, "U8", [rows * columns // 2, 1], rows * columns // 2, self.octets),
                Tensor(name + ".quant_state.bitsandbytes__nf4", "U8", [256], 256, state)]

    def layer(self, index, shape):
        hidden, inner = shape["hidden_size"], shape["intermediate_size"]
        query, kv = shape["num_attention_heads"] * HEAD_DIM, KV_HEADS * HEAD_DIM
        at = f"model.layers.{index}."
        linear = [("self_attn.q_proj", query, hidden), ("self_attn.k_proj", kv, hidden), ("self_attn.v_proj", kv, hidden),
                  ("self_attn.o_proj", hidden, query), ("mlp.gate_proj", inner, hidden), ("mlp.up_proj", inner, hidden),
                  ("mlp.down_proj", hidden, inner)]
        tensors = [tensor for name, rows, columns in linear for tensor in self.linear(f"{at}{name}.weight", rows, columns)]
        return tensors + [self.norm(at + "input_layernorm.weight", hidden), self.norm(at + "post_attention_layernorm.weight", hidden)]

    def model(self, shape):
        hidden = shape["hidden_size"]
        for index in range(shape["num_hidden_layers"]):
            yield self.layer(index, shape)
        yield [self.norm("model.norm.weight", hidden), self.matrix("lm_head.weight", VOCABULARY, hidden)]
        yield [self.matrix("model.embed_tokens.weight", VOCABULARY, hidden)]


def write_shard(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for tensor in tensors:
        header[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, offset + tensor.size]}
        offset += tensor.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            tensor.write(out)
    return offset


def config(shape, kind):
    quantized = {"bf16": None, "int8": {"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False},
                 "nf4": {"quant_method": "bitsandbytes", "load_in_8bit": False, "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
                         "bnb_4bit_use_double_quant": True}}[kind]
    made = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **shape, "num_key_value_heads": KV_HEADS,
            "vocab_size": VOCABULARY, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                             "original_max_position_embeddings": 8192},
            "hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16"}
    if quantized:
        made["quantization_config"] = quantized
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--type", choices=["bf16", "int8", "nf4"], default="bf16")
    parser.add_argument("--layers", type=int, help="fewer layers than the real model has")
    arguments = parser.parse_args()
    shape = dict(SHAPES[arguments.shape])
    shape["num_hidden_layers"] = arguments.layers or shape["num_hidden_layers"]
    arguments.directory.mkdir(parents=True)
    shards = list(Maker(arguments.type).model(shape))
    index = {}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_shard(arguments.directory / name, tensors)
        index.update((tensor.name, name) for tensor in tensors)
        print(f"\r{number} of {len(shards)} files", end="" if sys.stdout.isatty() else "\n", flush=True)
    (arguments.directory / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (arguments.directory / "config.json").write_text(json.dumps(config(shape, arguments.type), indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BUILT_IN / name, arguments.directory)
    print(f"{arguments.directory}: {sum(f.stat().st_size for f in os.scandir(arguments.directory)) / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
