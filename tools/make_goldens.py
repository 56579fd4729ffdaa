#!/usr/bin/env python3
"""Makes the goldens of tests/golden with PyTorch, transformers and peft: small random models of each family, in
Hugging Face's files, with the logits, the loss and all gradients of a batch of two sequences, and a greedy continuation.

    python3 tools/make_goldens.py tests/golden            # the committed ones (seed 0)
    python3 tools/make_goldens.py /tmp/other --seed 123   # fresh ones, for a live comparison

Needs torch, transformers, peft, safetensors and tokenizers; versions.json says which ones were used.
"""
import argparse
import json
import pathlib

import peft
import safetensors
import tokenizers
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LENGTHS = (41, 17)
GREEDY = 64
ROPES = {
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "llama3": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
}
SIZES = dict(vocab_size=160, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.15, bos_token_id=1, eos_token_id=2)
SMALLER = dict(vocab_size=64, hidden_size=16, intermediate_size=24)
# What sets each family apart, in small: head sizes of their own, windows shorter than the sequences, biases, norms.
MODELS = {
    "separate": (LlamaConfig, dict(head_dim=8)),
    "tied": (LlamaConfig, dict(head_dim=8, tie_word_embeddings=True, rope_parameters=ROPES["llama3"])),
    "llama-bias": (LlamaConfig, dict(SMALLER, attention_bias=True, rope_parameters=ROPES["linear"])),
    "mistral": (MistralConfig, dict(SMALLER, head_dim=12, sliding_window=6)),
    "qwen2": (Qwen2Config, dict(SMALLER, tie_word_embeddings=True, use_sliding_window=True, sliding_window=9,
                                max_window_layers=1, rms_norm_eps=1e-5)),
    "qwen3": (Qwen3Config, dict(SMALLER, head_dim=12, tie_word_embeddings=True)),
}
OLDER = ("llama-bias", "mistral")  # whose config.json is written as by transformers 4


def random_model(name):
    kind, fields = MODELS[name]
    config = kind(**{**SIZES, **fields})
    if kind is LlamaConfig and "rope_parameters" in fields:
        config.rope_scaling = fields["rope_parameters"]
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float()
    for parameter_name, parameter in model.named_parameters():
        if "norm" in parameter_name:
            parameter.data = 1 + 0.2 * torch.randn_like(parameter)
        if parameter_name.endswith("bias"):
            parameter.data = 0.3 * torch.randn_like(parameter)
    return model


def make_older(path):
    """rope_theta and rope_scaling in place of transformers 5's rope_parameters."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = {**rope, "type": rope["rope_type"]} if rope["rope_type"] != "default" else None
    config["torch_dtype"] = config.pop("dtype", "float32")
    path.write_text(json.dumps(config, indent=2) + "\n")


def greedy(model, prompt):
    """The 64 tokens that follow, end tokens being tokens like all others; and the least lead of a winner."""
    tokens, lead = list(prompt), float("inf")
    with torch.no_grad():
        for _ in range(GREEDY):
            best = model(input_ids=torch.tensor([tokens])).logits[0, -1].topk(2)
            lead = min(lead, (best.values[0] - best.values[1]).item())
            tokens.append(best.indices[0].item())
    return torch.tensor(tokens[len(prompt):], dtype=torch.int32), lead


def write_model(folder, name):
    model = random_model(name)
    model.save_pretrained(folder)
    if name in OLDER:
        make_older(folder / "config.json")
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=MODULES))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data = 0.1 * torch.randn_like(parameter)
    adapted.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    for parameter in adapted.parameters():
        parameter.requires_grad_(True)
    sequences = [torch.randint(0, model.config.vocab_size, (length,)) for length in LENGTHS]
    weights = [(torch.rand(length) < 0.5).float() for length in LENGTHS]
    total = sum(w[1:].sum() for w in weights)
    loss, logits = 0, []
    for tokens, weight in zip(sequences, weights):
        rows = adapted(input_ids=tokens[None]).logits[0]
        logits.append(rows.detach())
        each = torch.nn.functional.cross_entropy(rows[:-1], tokens[1:], reduction="none")
        loss = loss + (each * weight[1:]).sum() / total
    loss.backward()
    golden = {"logits": torch.cat(logits), "tokens": torch.cat(sequences).to(torch.int32),
              "weights": torch.cat(weights), "loss": loss.detach()[None],
              "lengths": torch.tensor(LENGTHS, dtype=torch.int32)}
    golden["greedy"], lead = greedy(adapted, sequences[0][:8].tolist())
    golden["greedy_lead"] = torch.tensor([lead])
    for name, parameter in adapted.named_parameters():
        name = name.replace(".default", "").replace(".base_layer", "")
        if "lora" not in name:
            name = name.replace("base_model.model.", "")
        golden[f"grad.{name}"] = parameter.grad
    save_file({name: tensor.contiguous() for name, tensor in golden.items()}, folder / "golden.safetensors")


TEXTS = ["", " ", "Hello, world!", "  two  spaces ", "line\nbreak\r\n\n", "naïve café — Übermut", "日本語 テスト", "🙂🚀 emoji",
         "{\"name\": \"TaskMaster\", \"version\": \"1.2.0\"}", "1234567890 3.14159", "don't I'LL we've", "tab\tand\u00a0nbsp",
         "<|eot_id|> is text here", "a" * 300, "مرحبا", "\u200d\ufeff", "x=1;y=[2,3]\n\tif(x){}"]
CHATS = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Say <|eot_id|> twice"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c\n"}],
]


def write_tokens(path):
    """Ids of texts and chats. What a user writes is text: special tokens in it are spelt out as such."""
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models" / "mini-instruct")
    raw = tokenizers.Tokenizer.from_file(str(ROOT / "models" / "mini-instruct" / "tokenizer.json"))
    raw.encode_special_tokens = True
    texts = [{"text": text, "ids": raw.encode(text, add_special_tokens=False).ids} for text in TEXTS]
    chats = []
    for chat in CHATS:
        if any("<|" in message["content"] for message in chat):
            continue  # transformers would make control of it
        encoded = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
        chats.append({"messages": chat, "ids": list(encoded["input_ids"])})
    path.write_text(json.dumps({"texts": texts, "chats": chats}, ensure_ascii=False, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    for name in MODELS:
        folder = given.output / name
        folder.mkdir(parents=True, exist_ok=True)
        write_model(folder, name)
    write_tokens(given.output / "tokens.json")
    versions = {module.__name__: module.__version__
                for module in (torch, transformers, peft, safetensors, tokenizers)}
    (given.output / "versions.json").write_text(json.dumps({"seed": given.seed, **versions}, indent=1) + "\n")


if __name__ == "__main__":
    main()
