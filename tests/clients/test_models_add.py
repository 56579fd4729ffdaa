"""`temper models add`, `list` and `remove`, as a user runs them."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from support.server import ROOT, TEMPER, Server
from support.tiny import write_model

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPER_", "HF_"))}
SHARED = ROOT.parent / "shared" / "data"


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-models-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = self.folder / "data"

    def models(self, *arguments, status=0, env=None):
        done = subprocess.run([TEMPER, "models", *map(str, arguments), "--data", str(self.data)], capture_output=True,
                              text=True, env={**ENVIRONMENT, **(env or {})}, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def listed(self):
        return {model["id"]: model for model in json.loads(self.models("list", "--json"))}

    def nothing_is_left(self):
        models = self.data / "models"
        self.assertEqual([path.name for path in models.iterdir()] if models.exists() else [], [])

    def refused(self, source, *expected, arguments=()):
        message = self.models("add", source, "--id", "me/tiny", *arguments, status=1)
        for text in expected:
            self.assertIn(text, message)
        self.nothing_is_left()


class Add(InAFolder):
    def test_a_model_is_referred_to_where_it_lies(self):
        source = write_model(self.folder / "tiny", shards=2)
        added = json.loads(self.models("add", source, "--id", "me/tiny", "--alias", "tiny", "--alias", "small/one",
                                       "--json"))
        self.assertEqual((added["id"], added["aliases"], added["type"], added["context_length"]),
                         ("me/tiny", ["tiny", "small/one"], "f32", 256))
        directory = self.data / "models" / "me" / "tiny"
        for shard in source.glob("*.safetensors"):
            self.assertEqual(os.readlink(directory / shard.name), str(shard))
        self.assertFalse((directory / "config.json").is_symlink())
        manifest = json.loads((directory / "temper.json").read_text())
        self.assertEqual((manifest["id"], manifest["aliases"], manifest["source"]),
                         ("me/tiny", ["tiny", "small/one"], str(source)))
        for name in ("me/tiny", "tiny", "small/one"):
            done = subprocess.run([TEMPER, "chat", "--model", name, "--data", self.data, "--max-tokens", "2", "Hi"],
                                  capture_output=True, text=True, env=ENVIRONMENT)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_quantised_copy_is_smaller_and_stands_alone(self):
        source = write_model(self.folder / "tiny", hidden_size=16)
        sizes = {}
        for kind in ("int8", "nf4"):
            added = json.loads(self.models("add", source, "--id", kind, "--quantize", kind, "--json"))
            self.assertEqual(added["type"], kind)
            sizes[kind] = added["bytes"]
            self.assertFalse((self.data / "models" / kind / "model.safetensors").is_symlink())
        self.assertLess(sizes["int8"], (source / "model.safetensors").stat().st_size)
        shutil.rmtree(source)
        self.assertEqual(self.listed()["nf4"]["type"], "nf4")
        self.models("add", self.folder, "--id", "x", "--quantize", "int3", status=1)

    def test_names_that_are_taken_say_what_to_do(self):
        source = write_model(self.folder / "tiny")
        self.models("add", source, "--id", "me/tiny", "--alias", "tiny")
        for arguments in (["me/tiny"], ["tiny"], ["other", "--alias", "tiny"], ["temper-mini"]):
            self.assertIn("temper models remove", self.models("add", source, "--id", *arguments, status=1))
        self.assertIn("take another name", self.models("add", source, "--id", "me", status=1))
        self.models("add", source, "--id", "top")
        self.assertIn("cannot hold", self.models("add", source, "--id", "top/inner", status=1))
        for name in ("../x", "/x", "a/b/c", ".x", "ft:a:b", "a b", ""):
            self.models("add", source, "--id", name, status=1)
        self.models("add", source, status=2)
        self.assertEqual(sorted(path.name for path in (self.data / "models").iterdir()), ["me", "top"])

    def test_faults_are_named_and_nothing_is_left(self):
        source = write_model(self.folder / "shard-is-missing", shards=3)
        (source / "model-00002-of-00003.safetensors").unlink()
        self.refused(source, "1 of the 3 files", "model-00002-of-00003.safetensors")
        source = write_model(self.folder / "shape", intermediate_size=32)
        self.refused(source, "proj.weight", "32")
        source = write_model(self.folder / "vocabulary", vocab_size=100)
        self.refused(source, "embed_tokens")
        source = write_model(self.folder / "kind", model_type="mixtral", num_local_experts=8)
        self.refused(source, "num_local_experts")
        source = write_model(self.folder / "rope", rope_scaling={"rope_type": "yarn", "factor": 4})
        self.refused(source, "rope", "yarn")
        source = write_model(self.folder / "cut")
        with open(source / "model.safetensors", "r+b") as file:
            file.truncate((source / "model.safetensors").stat().st_size - 2)
        self.refused(source, "model.safetensors")
        source = write_model(self.folder / "tokenizer")
        (source / "tokenizer.json").write_text("{}")
        self.refused(source, "tokenizer.json")
        source = write_model(self.folder / "template")
        (source / "chat_template.jinja").write_text("{% for message in %}")
        self.refused(source, "chat_template.jinja")
        self.refused(self.folder / "none", "none")
        self.refused(self.folder, "config.json")
        self.refused(ROOT / "README.md", "neither a directory nor a .gguf file")
        self.refused(ROOT / "tests" / "golden" / "tied" / "adapter", "temper models add-adapter")
        (self.folder / "only.gguf").write_bytes(b"GGUF")
        self.refused(self.folder, "give", "only.gguf")

    def test_a_type_that_is_not_computed_with_is_named(self):
        source = write_model(self.folder / "types")
        path = source / "model.safetensors"
        data = path.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = data[8:8 + length].replace(b'"dtype": "F32", "shape": [16, 16]', b'"dtype": "I32", "shape": [16, 16]')
        path.write_bytes(data[:8] + header + data[8 + length:])
        self.refused(source, "I32", "proj.weight")

    def test_a_model_without_a_template_says_how_to_pass_one(self):
        source = write_model(self.folder / "tiny", template=False)
        done = subprocess.run([TEMPER, "models", "add", source, "--id", "bare", "--data", self.data],
                              capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--chat-template FILE", done.stderr)
        template = self.folder / "mine.jinja"
        template.write_text("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
                            "{% if add_generation_prompt %}assistant:{% endif %}")
        added = json.loads(self.models("add", source, "--id", "dressed", "--chat-template", template, "--json"))
        self.assertTrue(added["chat_template"])
        text = subprocess.run([TEMPER, "tokenize", "--model", "dressed", "--data", self.data, "--chat", "--prompt",
                               "--json"], input=json.dumps([{"role": "user", "content": "Hi"}]), capture_output=True,
                              text=True, env=ENVIRONMENT, check=True).stdout
        self.assertEqual("".join(json.loads(text)["tokens"]).replace("\u0120", " ").replace("\u010a", "\n"),
                         "user: Hi\nassistant:")
        template.write_text("{{ raise_exception('not like this') }}")
        self.assertIn("not like this", self.models("add", source, "--id", "third", "--chat-template", template,
                                                   status=1))

    def test_templates_for_tools_come_along(self):
        source = write_model(self.folder / "tiny")
        (source / "additional_chat_templates").mkdir()
        (source / "additional_chat_templates" / "tool_use.jinja").write_text("{{ messages[0].content }}")
        (source / "chat_template.jinja").write_text("{{ messages[0].content }}")
        self.models("add", source, "--id", "tools")
        self.assertTrue((self.data / "models" / "tools" / "additional_chat_templates" / "tool_use.jinja").exists())
        self.models("add", source, "--id", "mine", "--chat-template", source / "chat_template.jinja")
        self.assertFalse((self.data / "models" / "mine" / "additional_chat_templates").exists())
        self.models("remove", "tools")

    def test_a_template_that_hides_its_answers_is_said(self):
        source = write_model(self.folder / "tiny")
        self.assertTrue(json.loads(self.models("add", source, "--id", "good", "--json"))["chat_training"])
        (source / "chat_template.jinja").write_text(
            "{% for m in messages %}{{ m.content | upper }}{% endfor %}{% if add_generation_prompt %}>{% endif %}")
        done = subprocess.run([TEMPER, "models", "add", source, "--id", "odd", "--data", self.data, "--json"],
                              capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(json.loads(done.stdout)["chat_training"])

    def test_names_of_known_models_are_one(self):
        known = self.listed()["meta-llama/Llama-3.1-8B-Instruct"]
        self.assertEqual(known["kind"], "known")
        self.assertIn("temper models pull meta-llama/Llama-3.1-8B-Instruct", known["pull"])
        source = write_model(self.folder / "tiny")
        self.models("add", source, "--id", "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo")
        listed = self.listed()
        self.assertNotIn("meta-llama/Llama-3.1-8B-Instruct", listed)
        self.assertEqual(listed["klusterai/Meta-Llama-3.1-8B-Instruct-Turbo"]["aliases"],
                         ["meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3.1-8B-Instruct"])
        self.assertIn("taken", self.models("add", source, "--id", "meta-llama/Llama-3.1-8B-Instruct", status=1))
        self.assertEqual(listed["meta-llama/Llama-3.3-70B-Instruct"]["kind"], "known")

    def test_a_real_model_that_somebody_else_made(self):
        source = SHARED / "weights" / "TinyStories-656K"
        if not source.exists():
            self.skipTest(f"{source} is not here")
        added = json.loads(self.models("add", source, "--id", "stories", "--json"))
        self.assertEqual((added["type"], added["chat_template"]), ("f32", False))

    def test_a_gguf_file(self):
        source = SHARED / "weights" / "stories260K" / "stories260K.gguf"
        if not source.exists():
            self.skipTest(f"{source} is not here")
        added = json.loads(self.models("add", source, "--id", "stories", "--json"))
        self.assertEqual(added["type"], "f32")
        self.assertEqual(os.readlink(self.data / "models" / "stories" / "model.gguf"), str(source.resolve()))
        self.assertIn("GGUF", self.models("add", source, "--id", "small", "--quantize", "nf4", status=1))


class Remove(InAFolder):
    def test_our_directory_goes_and_the_weights_stay(self):
        source = write_model(self.folder / "tiny", shards=2)
        before = sorted(path.name for path in source.iterdir())
        self.models("add", source, "--id", "me/tiny", "--alias", "tiny")
        self.assertIn("me/tiny is removed", self.models("remove", "tiny"))
        self.assertEqual(sorted(path.name for path in source.iterdir()), before)
        self.nothing_is_left()
        self.models("remove", "tiny", status=1)
        self.models("add", source, "--id", "tiny")

    def test_what_was_put_there_by_hand_stays(self):
        write_model(self.data / "models" / "by" / "hand")
        self.assertIn("by hand", self.models("remove", "by/hand", status=1))
        linked = write_model(self.folder / "tiny")
        (linked / "temper.json").write_text("{}")
        (self.data / "models" / "linked").symlink_to(linked)
        self.assertIn("by hand", self.models("remove", "linked", status=1))
        self.assertIn("by hand", self.models("remove", "temper/mini-instruct", status=1))
        self.assertTrue((linked / "model.safetensors").exists())


class BesideAServer(InAFolder):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        self.data = self.server.data

    def request(self, path, body=None, method=None):
        return self.server.request(path, body, method)

    def answer(self, model):
        return self.request("/chat/completions", {"model": model, "max_tokens": 4, "temperature": 0,
                                                  "messages": [{"role": "user", "content": "Hello"}]})

    def test_a_running_server_sees_models_come_and_go(self):
        known = "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo"
        refusal = self.answer(known)["error"]
        self.assertEqual(refusal["code"], "model_not_found")
        self.assertIn("temper models pull meta-llama/Llama-3.1-8B-Instruct", refusal["message"])
        source = write_model(self.folder / "tiny")
        self.models("add", source, "--id", "meta-llama/Llama-3.1-8B-Instruct", "--alias", "tiny")
        listed = {model["id"]: model for model in self.request("/models")["data"]}
        self.assertIn(known, listed["meta-llama/Llama-3.1-8B-Instruct"]["aliases"])
        first = self.answer(known)["choices"][0]["message"]["content"]
        self.assertEqual(self.answer("tiny")["choices"][0]["message"]["content"], first)
        self.assertEqual(self.request("/models/klusterai%2FMeta-Llama-3.1-8B-Instruct-Turbo")["id"],
                         "meta-llama/Llama-3.1-8B-Instruct")
        self.models("remove", known)
        self.assertIn("error", self.answer("tiny"))
        other = write_model(self.folder / "other", seed=9)
        self.models("add", other, "--id", "meta-llama/Llama-3.1-8B-Instruct")
        self.assertNotEqual(self.answer(known)["choices"][0]["message"]["content"], first)

    def test_a_base_model_that_is_in_use_is_not_removed_by_accident(self):
        source = write_model(self.folder / "tiny")
        self.models("add", source, "--id", "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo")
        rows = self.folder / "rows.jsonl"
        rows.write_text("".join((ROOT / "examples" / "sentiment.jsonl").read_text().splitlines(keepends=True)[:10]))
        done = subprocess.run([TEMPER, "jobs", "create", rows, "--model", "meta-llama/Meta-Llama-3.1-8B-Instruct",
                               "--epochs", "1", "--watch"], env=self.server.environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"ft:meta-llama:Llama-3.1-8B-Instruct:personal:[0-9a-f]{8}")
        job = self.request("/fine_tuning/jobs")["data"][0]
        self.assertEqual(job["model"], "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo")
        self.assertIn("choices", self.answer(job["fine_tuned_model"]))
        self.assertIn("--force", self.models("remove", "meta-llama/Llama-3.1-8B-Instruct", status=1))
        self.models("remove", "meta-llama/Llama-3.1-8B-Instruct", "--force")
