"""Adapters that peft makes, added by `temper models add-adapter`: the losses of peft on every answer, and its greedy
answers. Fresh random adapters over the built-in model; PARITY_SEED=N repeats a run."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.server import ROOT, TEMPER

MODEL = ROOT / "models" / "mini-instruct"
SEED = int(os.environ.get("PARITY_SEED", random.randrange(1 << 30)))
REFERENCE = {**os.environ, "TEMPER_COMPUTE": "reference"}
VARIANTS = {
    "all-linear": (dict(r=8, lora_alpha=16, target_modules="all-linear"), torch.float32),
    "query-and-value": (dict(r=4, lora_alpha=9, target_modules=["q_proj", "v_proj"]), torch.bfloat16),
    "rslora": (dict(r=16, lora_alpha=4, use_rslora=True, target_modules=["k_proj", "o_proj", "up_proj"]), torch.float16),
    "pattern": (dict(r=1, lora_alpha=3, target_modules=r".*\.mlp\.(gate|down)_proj"), torch.float32),
    "rslora-all": (dict(r=64, lora_alpha=2, use_rslora=True, lora_dropout=0.3, target_modules="all-linear"),
                   torch.bfloat16),
}
REFUSED = {
    "use_dora": dict(use_dora=True, target_modules=["q_proj"]),
    "modules_to_save": dict(modules_to_save=["lm_head"], target_modules=["q_proj"]),
    "bias": dict(bias="all", target_modules=["q_proj"]),
    "rank_pattern": dict(rank_pattern={"q_proj": 2}, target_modules=["q_proj", "v_proj"]),
    "layers_to_transform": dict(layers_to_transform=[0, 1], target_modules=["q_proj"]),
    "target_modules": dict(target_modules=["q_proj", "embed_tokens"]),
}
CLEAR = 0.05  # a next token counts as sure where the best logit leads by this


class Adapters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"PARITY_SEED={SEED}", flush=True)
        cls.chance = random.Random(SEED)
        torch.manual_seed(SEED)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-adapters-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tokenizer = AutoTokenizer.from_pretrained(MODEL)
        lines = (ROOT / "examples" / "json-generation.jsonl").read_text().splitlines()
        cls.rows = [lines[i] for i in cls.chance.sample(range(len(lines)), 10)]
        cls.file = cls.folder / "rows.jsonl"
        cls.file.write_text("\n".join(cls.rows) + "\n")

    def temper(self, *arguments, status=0):
        done = subprocess.run([TEMPER, *map(str, arguments), "--data", str(self.folder / "data")], capture_output=True,
                              text=True, env=REFERENCE)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def make(self, name, settings, dtype):
        """An adapter as peft saves it; returns its folder and peft's own model of it."""
        base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
        adapted = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings))
        for key, parameter in adapted.named_parameters():
            if "lora_B" in key:
                parameter.data = 0.1 * torch.randn_like(parameter)
            if "lora_" in key:
                parameter.data = parameter.data.to(dtype)
        adapted.save_pretrained(self.folder / name)
        base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
        return self.folder / name, PeftModel.from_pretrained(base, self.folder / name).eval()

    def prompt(self, chat):
        return list(self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True,
                                                       return_dict=True)["input_ids"])

    def losses(self, model, chat):
        whole = list(self.tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True)["input_ids"])
        prompt = self.prompt(chat[:-1])
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([whole])).logits[0].float()
        each = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(whole[1:]), reduction="none")
        return each[len(prompt) - 1:]

    def greedy(self, model, chat, count=24):
        """The text that follows, up to the first token about which the model is not sure."""
        prompt, found = self.prompt(chat), []
        while len(found) < count:
            with torch.no_grad():
                best = model(input_ids=torch.tensor([prompt + found])).logits[0, -1].float().topk(2)
            token = best.indices[0].item()
            if best.values[0] - best.values[1] < CLEAR or token in self.tokenizer.all_special_ids:
                break
            found.append(token)
        return self.tokenizer.decode(found), len(found)

    def test_adapters_answer_as_peft_answers(self):
        for name, (settings, dtype) in VARIANTS.items():
            with self.subTest(name):
                folder, model = self.make(name, settings, dtype)
                self.temper("models", "add-adapter", folder, "--base", "temper/mini-instruct", "--id", name)
                report = json.loads(self.temper("eval", self.file, "--model", name, "--json"))
                base = json.loads(self.temper("eval", self.file, "--json"))
                moved = max(abs(one["loss"] - other["loss"])
                            for one, other in zip(report["examples"], base["examples"]))
                self.assertGreater(moved, 1e-3, "the adapter does nothing")
                compared = 0
                for row, example in zip(self.rows, report["examples"]):
                    losses = self.losses(model, json.loads(row)["messages"])
                    self.assertEqual(example["tokens"], len(losses))
                    self.assertAlmostEqual(example["loss"], losses.mean().item(), delta=1e-4 + 1e-4 * losses.mean().item())
                for row in self.rows[:4]:
                    chat = json.loads(row)["messages"][:-1]
                    wanted, count = self.greedy(model, chat)
                    system = [message["content"] for message in chat if message["role"] == "system"]
                    answer = json.loads(self.temper("chat", "--model", name, "--max-tokens", "24", "--json",
                                                    *(["--system", system[0]] if system else []),
                                                    chat[-1]["content"]))["answer"]
                    self.assertTrue(answer.startswith(wanted.rstrip("\ufffd")), (answer, wanted))
                    compared += count
                self.assertGreater(compared, 0)

    def test_what_is_not_computed_is_refused_by_name(self):
        for key, settings in REFUSED.items():
            with self.subTest(key):
                folder, _ = self.make(f"refused-{key}", dict(r=4, **settings), torch.float32)
                self.assertIn(key, self.temper("models", "add-adapter", folder, "--base", "temper/mini-instruct",
                                               status=1))
