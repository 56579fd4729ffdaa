"""`temper models add-adapter`: an adapter in peft's files becomes a model of the API and of the command line."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support.server import ROOT, TEMPER, Server
from support.tiny import write_model

EXAMPLES = ROOT / "examples" / "json-generation.jsonl"
QUESTION = json.loads(EXAMPLES.read_text().splitlines()[0])["messages"][:-1]
BASE = "temper/mini-instruct"


class AddAdapter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-adapter-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.server = Server()
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__)
        rows = cls.folder / "rows.jsonl"
        rows.write_text("".join(EXAMPLES.read_text().splitlines(keepends=True)[:12]))
        subprocess.run([TEMPER, "train", rows, "--output", cls.folder / "adapter", "--epochs", "2", "--lora-rank", "4",
                        "--learning-rate-multiplier", "4", "--quiet"], check=True, capture_output=True)

    def temper(self, *arguments, status=0):
        done = subprocess.run([TEMPER, *map(str, arguments), "--data", str(self.server.data)], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def add(self, *arguments, status=0, adapter=None):
        return self.temper("models", "add-adapter", adapter or self.folder / "adapter", *arguments, status=status)

    def listed(self):
        return {model["id"]: model for model in json.loads(self.temper("models", "list", "--json"))}

    def request(self, path, body=None, method=None):
        return self.server.request(path, body, method)

    def answer(self, model):
        reply = self.request("/chat/completions", {"model": model, "max_tokens": 24, "temperature": 0,
                                                   "messages": QUESTION})
        return reply["choices"][0]["message"]["content"]

    def test_it_answers_in_the_api_and_by_hand_as_the_adapter_does(self):
        name = json.loads(self.add("--base", "mini-instruct", "--json"))["id"]
        self.assertRegex(name, r"^ft:temper:mini-instruct:personal:[0-9a-f]{8}$")
        model = self.listed()[name]
        self.assertEqual((model["kind"], model["base"], model["rank"]), ("adapter", BASE, 4))
        self.assertIn(name, [model["id"] for model in self.request("/models")["data"]])
        self.assertEqual(self.request(f"/models/{name}")["owned_by"], "personal")
        options = ["--max-tokens", "24", "--json", "--system", QUESTION[0]["content"], QUESTION[-1]["content"]]
        by_hand = json.loads(self.temper("chat", "--adapter", self.folder / "adapter", *options))["answer"]
        plain = json.loads(self.temper("chat", *options))["answer"]
        self.assertNotEqual(plain, by_hand)
        self.assertEqual(json.loads(self.temper("chat", "--model", name, *options))["answer"], by_hand)
        self.assertEqual(self.answer(name), by_hand)
        rows = self.folder / "rows.jsonl"
        by_name = json.loads(self.temper("eval", rows, "--model", name, "--json"))
        self.assertEqual(by_name, json.loads(self.temper("eval", rows, "--adapter", self.folder / "adapter", "--json")))
        self.assertIn("taken", self.add("--base", BASE, status=1))
        self.assertIn("--adapter", self.temper("chat", "--model", name, "--adapter", self.folder / "adapter", "Hi",
                                               status=1))
        self.temper("models", "remove", name)
        self.assertNotIn(name, self.listed())
        self.assertTrue((self.folder / "adapter" / "adapter_config.json").exists())

    def test_a_name_of_its_own_and_of_another_account(self):
        self.add("--base", BASE, "--id", "support-v2")
        self.assertEqual(self.request("/models/support-v2")["id"], "support-v2")
        self.assertTrue(self.answer("support-v2"))
        self.add("--base", BASE, "--id", "support-v2", status=1)
        self.assertIn("taken", self.add("--base", BASE, "--id", "temper-mini", status=1))
        for name in ("../x", "a/b/c", "ft:", "ft:a b", "ft:../x", "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo"):
            self.add("--base", BASE, "--id", name, status=1)
        self.add("--base", BASE, "--id", "theirs", "--account", "others")
        self.assertIn("error", self.request("/models/theirs"))
        self.assertEqual(self.request("/models/support-v2", method="DELETE")["deleted"], True)
        self.assertIn("error", self.request("/models/support-v2"))

    def test_the_template_that_it_was_trained_with_comes_along(self):
        other = self.folder / "with-template"
        shutil.copytree(self.folder / "adapter", other)
        (other / "chat_template.jinja").write_text("{{ raise_exception('not so') }}")
        self.assertIn("not so", self.add("--base", BASE, adapter=other, status=1))
        template = "{% for m in messages %}{{ m['content'] }}|{% endfor %}"
        (other / "chat_template.jinja").write_text(template)
        added = json.loads(self.add("--base", BASE, "--id", "templated", "--json", adapter=other))
        self.assertEqual((pathlib.Path(added["adapter"]) / "chat_template.jinja").read_text(), template)
        self.add("--base", BASE, "--id", "plain")
        self.assertNotEqual(self.answer("templated"), self.answer("plain"))

    def test_fine_tuning_goes_on_from_it(self):
        self.add("--base", BASE, "--id", "begun")
        done = subprocess.run([TEMPER, "jobs", "create", self.folder / "rows.jsonl", "--model", "begun", "--epochs", "1",
                               "--watch"], env=self.server.environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"ft:temper:mini-instruct:personal:[0-9a-f]{8}")

    def test_training_by_hand_goes_on_from_it_too(self):
        self.add("--base", BASE, "--id", "start")
        self.temper("train", self.folder / "rows.jsonl", "--model", "start", "--output", self.folder / "further",
                    "--epochs", "1", "--quiet")
        settings = json.loads((self.folder / "further" / "adapter_config.json").read_text())
        self.assertEqual((settings["r"], settings["base_model_name_or_path"]), (4, BASE))

    def test_what_is_wrong_is_named_and_nothing_is_left(self):
        before = sorted(path.name for path in (self.server.data / "adapters").iterdir())
        self.add(status=2)
        self.assertIn("pull", self.add("--base", "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo", status=1))
        self.assertIn("nobody/none", self.add("--base", "nobody/none", status=1))
        self.assertIn("models add", self.add("--base", ROOT / "models" / "mini-instruct", status=1))
        self.temper("models", "add", write_model(self.folder / "tiny"), "--id", "tiny")
        self.assertIn("another base model", self.add("--base", "tiny", status=1))
        self.add("--base", BASE, adapter=self.folder, status=1)
        other = self.folder / "dora"
        shutil.copytree(self.folder / "adapter", other)
        settings = json.loads((other / "adapter_config.json").read_text())
        (other / "adapter_config.json").write_text(json.dumps({**settings, "use_dora": True}))
        self.assertIn("'use_dora' is true", self.add("--base", BASE, adapter=other, status=1))
        self.assertEqual(sorted(path.name for path in (self.server.data / "adapters").iterdir()), before)
