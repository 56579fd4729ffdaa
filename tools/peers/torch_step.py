#!/usr/bin/env python3
"""One measurement of the peer: LoRA steps by PyTorch, transformers' LlamaForCausalLM and peft. tools/bench_peers.py
starts it, in a fresh process each time and with the environment of the settings, and reads the one line of JSON.
"""
import argparse
import json
import time

import peft
import torch
import transformers

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_model(shape, attention):
    config = transformers.LlamaConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], intermediate_size=shape["intermediate"],
        num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"],
        head_dim=shape["head_dim"], tie_word_embeddings=True, max_position_embeddings=2048, use_cache=False)
    # Made in bf16 at once: a copy in f32 on the way would be the most memory of the run.
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation=attention)
    lora = peft.LoraConfig(r=16, lora_alpha=32, target_modules=MODULES, task_type="CAUSAL_LM")
    return peft.get_peft_model(model, lora, autocast_adapter_dtype=False).train()


def compiled(model, what):
    if what == "model":
        return torch.compile(model, dynamic=False)
    if what == "layers":  # one graph, compiled once, for all of them
        for layer in model.get_base_model().model.layers:
            layer.compile(dynamic=False)
    return model


def measure(shape, settings, warm_up, steps):
    torch.manual_seed(1)
    model = make_model(shape, settings["attention"])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0, fused=settings["optimizer"] == "fused")
    model = compiled(model, settings["compile"])
    seconds = []
    for _ in range(warm_up + steps):
        tokens = torch.randint(0, shape["vocabulary"], (shape["sequences"], shape["length"]))
        begun = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        model(input_ids=tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - begun)
    return seconds[warm_up:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=json.loads, required=True, help="its sizes, in JSON")
    parser.add_argument("--settings", type=json.loads, required=True, help="attention, compile, optimizer, in JSON")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    seconds = measure(given.shape, given.settings, given.warm_up, given.steps)
    print(json.dumps({"seconds": seconds, "versions": {"torch": torch.__version__, "peft": peft.__version__,
                                                       "transformers": transformers.__version__}}))


if __name__ == "__main__":
    main()
