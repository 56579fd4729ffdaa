#!/usr/bin/env python3
"""Makes the goldens of tests/golden with PyTorch, transformers and peft: small random Llamas with grouped-query
attention, in Hugging Face's files, with the logits, the loss and all gradients of a batch of two sequences.

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
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LENGTHS = (41, 17)
ROPES = {
    "separate": None,
    "tied": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
             "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
}


def random_model(tied, rope):
    config = LlamaConfig(vocab_size=160, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=256,
                         tie_word_embeddings=tied, initializer_range=0.15, bos_token_id=1, eos_token_id=2)
    if rope:
        config.rope_scaling = rope
        if hasattr(config, "rope_parameters"):
            config.rope_parameters = rope
    model = LlamaForCausalLM(config).float()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data = 1 + 0.2 * torch.randn_like(parameter)
    return model


def write_model(folder, tied, rope):
    model = random_model(tied, rope)
    model.save_pretrained(folder)
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=MODULES))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data = 0.1 * torch.randn_like(parameter)
    adapted.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    for parameter in adapted.parameters():
        parameter.requires_grad_(True)
    sequences = [torch.randint(0, 160, (length,)) for length in LENGTHS]
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
    for name, rope in ROPES.items():
        folder = given.output / name
        folder.mkdir(parents=True, exist_ok=True)
        write_model(folder, name == "tied", rope)
    write_tokens(given.output / "tokens.json")
    versions = {module.__name__: module.__version__
                for module in (torch, transformers, peft, safetensors, tokenizers)}
    (given.output / "versions.json").write_text(json.dumps({"seed": given.seed, **versions}, indent=1) + "\n")


if __name__ == "__main__":
    main()
