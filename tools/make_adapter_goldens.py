#!/usr/bin/env python3
"""Makes the goldens of tests/golden/peft: adapters as peft writes them, in the forms that people bring (rslora, a part of
the modules, a pattern in place of their names, bf16 and f16), with the logits that peft computes under each, over the
base model of tests/golden/separate.

    python3 tools/make_adapter_goldens.py tests/golden
"""
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

VARIANTS = {
    "rslora": (dict(r=4, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "v_proj"]), torch.bfloat16),
    "pattern": (dict(r=3, lora_alpha=5, target_modules=r".*\.(gate|down)_proj"), torch.float16),
    "all": (dict(r=8, lora_alpha=8, lora_dropout=0.1, target_modules="all-linear"), torch.float32),
}


def main():
    goldens = pathlib.Path(sys.argv[1])
    torch.manual_seed(0)
    tokens = torch.randint(0, 160, (1, 24))
    golden = {"tokens": tokens[0].to(torch.int32)}
    for name, (settings, dtype) in VARIANTS.items():
        base = LlamaForCausalLM.from_pretrained(goldens / "separate", dtype=torch.float32)
        adapted = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings))
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                parameter.data = (0.2 * torch.randn_like(parameter)).to(dtype)
        folder = goldens / "peft" / name
        adapted.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        base = LlamaForCausalLM.from_pretrained(goldens / "separate", dtype=torch.float32)
        with torch.no_grad():
            golden[f"logits.{name}"] = PeftModel.from_pretrained(base, folder).eval()(input_ids=tokens).logits[0].float()
    save_file({name: tensor.contiguous() for name, tensor in golden.items()}, goldens / "peft" / "golden.safetensors")


if __name__ == "__main__":
    main()
