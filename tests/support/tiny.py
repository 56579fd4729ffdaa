"""Models of a few thousand random weights in Hugging Face's files, made without any package: for tests of what adds,
fetches and lists models."""
import json
import pathlib
import random
import shutil
import struct
from array import array

from support.server import ROOT

BUILT_IN = ROOT / "models" / "mini-instruct"
SMALL_FILES = ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json"]
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 4096, "hidden_size": 16,
          "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
          "head_dim": 8, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
          "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 5, "hidden_act": "silu"}


def shapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    query = config["num_attention_heads"] * config["head_dim"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    yield "model.embed_tokens.weight", [config["vocab_size"], hidden]
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        for name, shape in (("self_attn.q_proj", [query, hidden]), ("self_attn.k_proj", [kv, hidden]),
                            ("self_attn.v_proj", [kv, hidden]), ("self_attn.o_proj", [hidden, query]),
                            ("mlp.gate_proj", [inner, hidden]), ("mlp.up_proj", [inner, hidden]),
                            ("mlp.down_proj", [hidden, inner]), ("input_layernorm", [hidden]),
                            ("post_attention_layernorm", [hidden])):
            yield f"{prefix}.{name}.weight", shape
    yield "model.norm.weight", [hidden]


def random_tensors(config, seed=0):
    chance = random.Random(seed)
    for name, shape in shapes(config):
        count = 1
        for size in shape:
            count *= size
        values = array("f", [1.0] * count) if "norm" in name else array("f", [chance.uniform(-.2, .2)
                                                                                for _ in range(count)])
        yield name, shape, values.tobytes()


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, shape, data in tensors:
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors))


def write_model(folder, shards=1, template=True, seed=0, **changes):
    """A model at `folder`, its weights in that many files."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for name in SMALL_FILES:
        shutil.copy(BUILT_IN / name, folder / name)
    if not template:
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        del settings["chat_template"]
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = {**CONFIG, **changes}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    tensors = list(random_tensors(CONFIG, seed))
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return folder
    index = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = tensors[shard::shards]
        write_safetensors(folder / name, part)
        index.update({tensor: name for tensor, _, _ in part})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return folder
