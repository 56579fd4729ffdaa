"""Live comparison with PyTorch, transformers and peft on fresh random models. The seed is printed: PARITY_SEED=N
repeats a run."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from parity import template_cases
from support.server import ROOT, TEMPER

MODEL = ROOT / "models" / "mini-instruct"
SEED = int(os.environ.get("PARITY_SEED", random.randrange(1 << 30)))
REFERENCE = {**os.environ, "TEMPER_COMPUTE": "reference"}


def temper(*arguments, text=None, env=None):
    done = subprocess.run([TEMPER, *map(str, arguments)], input=text, capture_output=True, text=True, env=env)
    if done.returncode:
        raise AssertionError(f"temper {arguments}: {done.stderr}")
    return done.stdout


def random_text(chance):
    pools = ["abcdefghij klmnop qrstuvwxyz ", "0123456789.,:;'\"{}[]()<>|\n\t  ", "äöüßéèñçøå", "日本語中文한국어", "🙂🚀🎉👍🏽",
             "АБВГд αβγδ עברית العربية", "\u00a0\u200b\u3000\r"]
    return "".join(chance.choice(chance.choice(pools)) for _ in range(chance.randrange(1, 60)))


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"PARITY_SEED={SEED}", flush=True)
        cls.chance = random.Random(SEED)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-parity-"))
        torch.set_grad_enabled(True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_logits_losses_and_gradients_of_fresh_random_models(self):
        fresh = self.folder / "fresh"
        subprocess.run([sys.executable, str(ROOT / "tools" / "make_goldens.py"), str(fresh), "--seed", str(SEED)],
                       check=True, capture_output=True)
        program = pathlib.Path(TEMPER).parent / "test_parity"
        done = subprocess.run([str(program)], env={**os.environ, "TEMPER_GOLDENS": str(fresh)}, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        table = subprocess.run([str(program.parent / "test_family_table")], capture_output=True, text=True,
                               env={**os.environ, "TEMPER_GOLDENS": str(fresh)})
        print(table.stdout, flush=True)
        self.assertEqual(table.returncode, 0, table.stdout + table.stderr)

    def test_ids_of_random_texts(self):
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        for _ in range(40):
            text = random_text(self.chance)
            got = json.loads(temper("tokenize", "--model", MODEL, "--json", text=text))["ids"]
            self.assertEqual(got, tokenizer.encode(text, add_special_tokens=False), repr(text))

    def test_ids_of_random_chats(self):
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        for _ in range(10):
            chat = [{"role": "system", "content": random_text(self.chance)}]
            for i in range(self.chance.randrange(1, 6)):
                chat.append({"role": ("user", "assistant")[i % 2], "content": random_text(self.chance)})
            for prompt in (False, True):
                options = ["--prompt"] if prompt else []
                got = json.loads(temper("tokenize", "--model", MODEL, "--chat", *options, "--json",
                                        text=json.dumps(chat)))["ids"]
                wanted = tokenizer.apply_chat_template(chat, add_generation_prompt=prompt, tokenize=True,
                                                       return_dict=True)["input_ids"]
                self.assertEqual(got, list(wanted), chat)

    def test_templates_of_real_models_on_random_chats(self):
        cases = template_cases.random_cases(SEED, 40)
        if not cases:
            self.skipTest("the folder of test data is not here")
        self.render(cases, {})

    def test_random_expressions_of_templates(self):
        """What both render is the same. Errors may come earlier, since filters that compute nothing until they are asked,
        as Python's do, are not imitated; and some nonsense that Python cannot compare, or hash, has a result here."""
        self.render(template_cases.random_expressions(SEED, 4000), {"TEMPER_TEMPLATE_MAY_REFUSE": "1"})

    def render(self, cases, environment):
        path = self.folder / "templates.json"
        path.write_text(json.dumps(template_cases.written(cases)))
        program = pathlib.Path(TEMPER).parent / "test_chat_template"
        done = subprocess.run([str(program)], capture_output=True, text=True,
                              env={**os.environ, "TEMPER_TEMPLATE_CASES": str(path), **environment})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_ids_of_chats_with_tools_by_templates_of_real_models(self):
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        templates = template_cases.shared_templates()
        if not templates:
            self.skipTest("the folder of test data is not here")
        compared = 0
        for name, template in templates.items():
            if "strftime_now" in template:
                continue  # another clock; test_chat_template compares those
            path = self.folder / "template.jinja"
            path.write_text(template)
            for _ in range(3):
                compared += self.compare_chat(tokenizer, path, template_cases.random_data(self.chance), name)
        self.assertGreater(compared, 20)

    def compare_chat(self, tokenizer, path, data, name):
        """1 where both render the chat; False where transformers refuses it, or its template passes something over."""
        asked = data["add_generation_prompt"]
        try:
            wanted = tokenizer.apply_chat_template(
                data["messages"], tools=data["tools"], chat_template=path.read_text(), add_generation_prompt=asked,
                tokenize=True, return_dict=True, sanitize_control_tokens=True)["input_ids"]
        except Exception:  # whatever Python code that the template became may raise
            return 0
        if not asked:
            return 0  # without an answer to be found, only a prompt is a plain rendering
        done = subprocess.run([TEMPER, "tokenize", "--model", str(MODEL), "--chat", "--prompt", "--chat-template",
                               str(path), "--json"], capture_output=True, text=True,
                              input=json.dumps({"messages": data["messages"], "tools": data["tools"]}))
        if done.returncode:
            self.assertIn("does not write", done.stderr, (name, data))
            return 0
        self.assertEqual(json.loads(done.stdout)["ids"], list(wanted), (name, data))
        return 1

    def rows(self, count):
        lines = (ROOT / "examples" / "json-generation.jsonl").read_text().splitlines()
        chosen = [lines[i] for i in self.chance.sample(range(len(lines)), count)]
        path = self.folder / "rows.jsonl"
        path.write_text("\n".join(chosen) + "\n")
        return path, [json.loads(line)["messages"] for line in chosen]

    def losses(self, model, chats):
        """Sum and count of the loss over the tokens of each answer, by transformers alone."""
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        for chat in chats:
            whole = list(tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True)["input_ids"])
            prompt = list(tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, tokenize=True,
                                                        return_dict=True)["input_ids"])
            self.assertEqual(whole[:len(prompt)], prompt)
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([whole])).logits[0].float()
            each = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(whole[1:]), reduction="none")
            yield each[len(prompt) - 1:]

    def compare(self, model, chats, report):
        total, count = 0.0, 0
        for example, losses in zip(report["examples"], self.losses(model, chats)):
            self.assertEqual(example["tokens"], len(losses))
            self.assertAlmostEqual(example["loss"], losses.mean().item(), delta=1e-4 + 1e-3 * losses.mean().item())
            total, count = total + losses.sum().item(), count + len(losses)
        self.assertEqual(report["tokens"], count)
        self.assertAlmostEqual(report["loss"], total / count, delta=1e-4 + 1e-3 * total / count)

    def test_eval_and_an_adapter_that_peft_loads(self):
        path, chats = self.rows(12)
        base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
        self.compare(base, chats, json.loads(temper("eval", path, "--model", MODEL, "--json", env=REFERENCE)))
        adapter = self.folder / "adapter"
        temper("train", path, "--output", adapter, "--model", MODEL, "--epochs", 1, "--seed", SEED, "--quiet")
        adapted = PeftModel.from_pretrained(base, adapter)
        report = json.loads(temper("eval", path, "--model", MODEL, "--adapter", adapter, "--json", env=REFERENCE))
        self.compare(adapted, chats, report)
