"""The command line as scripts use it: every command's help, its flags, the keys of its JSON, its exit codes."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support.server import ROOT, TEMPER, Server, wait_for

EXAMPLES = ROOT / "examples" / "json-generation.jsonl"
COMMANDS = ["serve", "train", "validate", "eval", "chat", "models", "keys", "tokenize", "bench", "export", "files", "jobs"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TEMPER_")}


def call(*arguments, text=None, env=None, cwd=None):
    return subprocess.run([TEMPER, *map(str, arguments)], input=text, capture_output=True, text=True,
                          env={**ENVIRONMENT, **(env or {})}, cwd=cwd, timeout=300)


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def few(self, count=12):
        path = self.folder / "few.jsonl"
        path.write_text("".join(EXAMPLES.read_text().splitlines(keepends=True)[:count]))
        return path

    def good(self, *arguments, **options):
        done = call(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def bad(self, status, *arguments, **options):
        done = call(*arguments, **options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertTrue(done.stderr.strip(), "nothing on standard error")
        return done.stderr


class Offline(InAFolder):
    def test_every_command_has_help_with_an_example(self):
        overview = self.good("--help")
        for command in COMMANDS:
            self.assertRegex(overview, rf"(?m)^  {command} ")
            text = self.good(command, "--help")
            self.assertIn(f"usage: temper {command}", text)
            self.assertRegex(text, rf"example:\n(.*\n)*?.*temper {command}")

    def test_wrong_usage_ends_with_2(self):
        self.bad(2)
        self.bad(2, "nonsense")
        for command in COMMANDS:
            self.assertIn("--nonsense", self.bad(2, command, "--nonsense"))
        self.bad(2, "train", "--epochs")
        self.bad(2, "train", self.few(), "--output", self.folder / "x", "--epochs", "many")
        self.assertFalse((self.folder / "x").exists())

    def test_validate_counts(self):
        counts = json.loads(self.good("validate", self.few(), "--json"))
        self.assertEqual((counts["valid"], counts["examples"], counts["truncated_examples"]), (True, 12, 0))
        self.assertGreater(counts["tokens"], counts["trained_tokens"])
        self.assertIn("12", self.good("validate", self.few()))

    def test_validate_says_what_training_computes(self):
        apart = json.loads(self.good("validate", self.few(), "--batch-size", 1, "--json"))
        shared = json.loads(self.good("validate", self.few(), "--batch-size", 4, "--json"))
        self.assertEqual(apart["tokens_after_shared_prefixes"], apart["tokens"] - 12)
        self.assertLess(shared["tokens_after_shared_prefixes"], apart["tokens_after_shared_prefixes"])
        self.assertEqual(shared["batch_size"], 4)
        output = self.folder / "out"
        self.good("train", self.few(), "--output", output, "--epochs", 1, "--batch-size", 4, "--memory", "1.5GB",
                  "--quiet")
        plan = json.loads((output / "events.jsonl").read_text().splitlines()[0])
        self.assertEqual(plan["computed_tokens"], shared["tokens_after_shared_prefixes"])
        self.assertIn("size such as 4GB", self.bad(2, "train", self.few(), "--output", output, "--memory", "4XB"))
        self.assertIn("'memory' allows 1 MB", self.bad(1, "train", self.few(), "--output", self.folder / "no",
                                                        "--memory", "1MB"))

    def test_bench_train_compares_shared_prefixes(self):
        result = json.loads(self.good("bench", "train", "--model", "temper/mini-instruct", "--examples",
                                      "shared-prefixes", "--steps", 1, "--threads", 1, "--json"))
        self.assertLess(result["tokens_computed"], 0.4 * result["tokens_held"])
        self.assertGreater(result["median_seconds_without_sharing"], 0)
        for wrong in (["--weights", "q8_0"], ["--examples", "none"], ["--length", 1], ["--full", "--weights", "int8"]):
            self.bad(1, "bench", "train", *wrong)

    def test_validate_names_faults_by_their_lines(self):
        path = self.few()
        with open(path, "a") as file:
            file.write("nope\n{}\n")
        done = call("validate", path, "--json")
        self.assertEqual(done.returncode, 1)
        answer = json.loads(done.stdout)
        self.assertEqual((answer["valid"], [fault["line"] for fault in answer["faults"]]), (False, [13, 14]))
        plain = call("validate", path)
        self.assertEqual(plain.returncode, 1)
        self.assertRegex(plain.stdout + plain.stderr, r"line 13.*\n(.*\n)*?.*line 14")
        self.bad(1, "validate", self.folder / "none.jsonl")

    def test_validate_shows_which_tokens_bear_loss(self):
        path = self.few()
        shown = json.loads(self.good("validate", path, "--show", 2, "--json"))["shown"]
        self.assertEqual([example["line"] for example in shown], [1, 2])
        answer = json.loads(path.read_text().splitlines()[0])["messages"][-1]["content"]
        text = self.good("validate", path, "--show", 1)
        self.assertEqual(text[text.index("⟦") + 1:text.index("⟧")], answer + "<|eot_id|>")
        trained = [token for token in shown[0]["tokens"] if token["weight"] > 0]
        self.assertEqual(trained[-1]["text"], "<|eot_id|>")
        self.assertLess(len(trained), len(shown[0]["tokens"]))

    def test_chat_template_takes_the_place_of_the_models_own(self):
        template = self.folder / "own.jinja"
        template.write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}")
        chat = json.dumps([{"role": "user", "content": "hello"}])
        ids = json.loads(self.good("tokenize", "--chat", "--json", "--chat-template", template, text=chat))
        self.assertNotIn("<|start_header_id|>", ids["tokens"])
        self.assertEqual(ids["tokens"][-1], "<|eot_id|>")

    def test_validate_counts_what_would_be_cut(self):
        path = self.few()
        with open(path, "a") as file:
            file.write(json.dumps({"messages": [{"role": "user", "content": "Say it"},
                                                {"role": "assistant", "content": "word " * 4000}]}) + "\n")
        self.assertEqual(json.loads(self.good("validate", path, "--json"))["truncated_examples"], 1)

    def test_tokenize_and_its_tokens(self):
        answer = json.loads(self.good("tokenize", "--json", text="Hello <|eot_id|>"))
        self.assertEqual(len(answer["ids"]), answer["count"])
        self.assertEqual("".join(answer["tokens"]), "Hello\u0120<|eot_id|>")
        special = json.loads(self.good("tokenize", "--json", "--special", text="Hello <|eot_id|>"))
        self.assertEqual(special["tokens"][-1], "<|eot_id|>")
        chat = [{"role": "user", "content": "Hi"}]
        bare = json.loads(self.good("tokenize", "--chat", "--json", text=json.dumps(chat)))["ids"]
        wrapped = json.loads(self.good("tokenize", "--chat", "--json", text=json.dumps({"messages": chat})))["ids"]
        prompt = json.loads(self.good("tokenize", "--chat", "--prompt", "--json", text=json.dumps(chat)))["ids"]
        self.assertEqual(bare, wrapped)
        self.assertEqual(prompt[:len(bare)], bare)
        self.assertGreater(len(prompt), len(bare))
        plain = self.good("tokenize", text="Hello")
        self.assertEqual([int(n) for n in re.findall(r"\d+", plain)],
                         json.loads(self.good("tokenize", "--json", text="Hello"))["ids"])
        self.bad(1, "tokenize", "--chat", text="{nope")
        self.bad(1, "tokenize", "--chat", text=json.dumps([{"role": "robot", "content": "x"}]))

    def test_train_eval_and_chat_by_hand(self):
        data, output = self.few(), self.folder / "adapter"
        self.good("train", data, "--output", output, "--epochs", "2", "--batch-size", "4", "--lora-rank", "4",
                  "--learning-rate-multiplier", "2", "--seed", "3", "--threads", "2", "--quiet")
        settings = json.loads((output / "adapter_config.json").read_text())
        self.assertEqual((settings["peft_type"], settings["r"]), ("LORA", 4))
        self.assertEqual(len(settings["target_modules"]), 7)
        before = json.loads(self.good("eval", data, "--json"))
        after = json.loads(self.good("eval", data, "--adapter", output, "--json"))
        self.assertLess(after["loss"], before["loss"])
        self.assertEqual(after["tokens"], sum(example["tokens"] for example in after["examples"]))
        mean = sum(example["loss"] * example["tokens"] for example in after["examples"]) / after["tokens"]
        self.assertAlmostEqual(after["loss"], mean, places=4)
        self.assertEqual(len(after["examples"]), 12)
        report = json.loads(self.good("eval", data, "--adapter", output, "--generate", "--max-tokens", "60", "--json"))
        self.assertEqual(report["exact_match"], sum(example["exact"] for example in report["examples"]))
        answer = json.loads(self.good("chat", "--adapter", output, "--max-tokens", "8", "--json", "Hello"))
        self.assertLessEqual(answer["completion_tokens"], 8)
        again = json.loads(self.good("chat", "--adapter", output, "--max-tokens", "8", "--json", "Hello"))
        self.assertEqual(answer, again)
        self.assertIn(answer["answer"].strip(), self.good("chat", "--adapter", output, "--max-tokens", "8", "Hello"))

    def test_what_is_wrong_with_an_export_is_said(self):
        for words, said in ((["x"], "--output"), (["x", "--output", "o"], "--format"), (["--format", "gguf", "--output", "o"], "NAME"),
                            (["x", "--format", "peft", "--output", "o", "--type", "f16"], "--type"),
                            (["x", "--format", "merged", "--output", "o", "--type", "f17"], "--type"),
                            (["x", "--model", "y", "--format", "peft", "--output", "o"], "not both")):
            self.assertIn(said, self.bad(2, "export", *words, cwd=self.folder))
        words = ["export", "--model", "mini-instruct", "--output", "o", "--format"]
        self.assertIn("no adapter", self.bad(1, *words, "peft", cwd=self.folder))
        self.assertIn("GGUF", self.bad(1, *words, "merged", "--type", "q8_0", cwd=self.folder))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_model_or_file_that_is_not_there_is_named(self):
        data = self.few()
        self.assertIn("nobody/none", self.bad(1, "train", data, "--output", self.folder / "x", "--model", "nobody/none"))
        self.assertIn("nobody/none", self.bad(1, "chat", "--model", "nobody/none", "Hi"))
        self.assertIn("none.jsonl", self.bad(1, "eval", self.folder / "none.jsonl"))
        self.assertIn("adapter", self.bad(1, "chat", "--adapter", self.folder, "Hi"))

    def test_models_and_keys_of_a_data_directory(self):
        data = self.folder / "data"
        self.assertIn("temper/mini-instruct", [m["id"] for m in json.loads(self.good("models", "--data", data, "--json"))])
        made = json.loads(self.good("keys", "create", "--data", data, "--name", "laptop", "--json"))
        self.assertRegex(made["key"], r"^sk-temper-[A-Za-z0-9]{40}$")
        listed = json.loads(self.good("keys", "list", "--data", data, "--json"))
        self.assertEqual([(key["name"], key["revoked_at"]) for key in listed], [("laptop", None)])
        everything = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
        self.assertNotIn(made["key"].encode(), everything)
        self.good("keys", "revoke", listed[0]["id"], "--data", data)
        self.assertTrue(json.loads(self.good("keys", "list", "--data", data, "--json"))[0]["revoked_at"])
        self.bad(1, "keys", "revoke", "key_none", "--data", data)
        self.bad(1, "keys", "create", "--account", "../x", "--data", data)

    def test_bench_gives_what_scripts_read(self):
        peak = json.loads(self.good("bench", "peak", "--json"))
        self.assertGreater(peak["peak_gflops"], 0)
        train = json.loads(self.good("bench", "train", "--shape", "S", "--steps", "1", "--json"))
        for name in ("tokens_per_second", "fraction_of_peak", "peak_gflops", "peak_rss_bytes"):
            self.assertGreater(train[name], 0, name)
        self.assertIn("Z", self.bad(1, "bench", "train", "--shape", "Z"))


class JobDirectory(InAFolder):
    """The contract of base/job_format.h, from the supervisor's end."""

    def make(self, **settings):
        job = self.folder / "job"
        job.mkdir()
        spec = {"model": str(ROOT / "models" / "mini-instruct"), "training_file": str(self.few(20)),
                "validation_file": None, "training_file_name": "few.jsonl", "seed": 1,
                "hyperparameters": {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 1}, **settings}
        (job / "spec.json").write_text(json.dumps(spec))
        return job

    def events(self, job):
        return [json.loads(line) for line in (job / "events.jsonl").read_text().splitlines()]

    def statuses(self, job):
        return [event["status"] for event in self.events(job) if event["type"] == "status"]

    def test_validation_then_training(self):
        job = self.make()
        self.good("train", job, "--validate-only")
        self.assertEqual(self.statuses(job), ["validating_files", "queued"])
        self.assertFalse((job / "adapter").exists())
        self.good("train", job)
        self.assertEqual(self.statuses(job), ["validating_files", "queued", "running", "succeeded"])
        plan = [event for event in self.events(job) if event["type"] == "plan"][-1]
        self.assertEqual((plan["examples"], plan["total_steps"]), (20, 10))
        said = [event["message"] for event in self.events(job) if event["type"] == "message"][0]
        self.assertIn(f"holds {plan['tokens']} tokens, of which an epoch computes {plan['computed_tokens']}", said)
        metrics = [event for event in self.events(job) if event["type"] == "metrics"]
        self.assertEqual([event["step"] for event in metrics], list(range(1, 11)))
        checkpoints = [event for event in self.events(job) if event["type"] == "checkpoint"]
        self.assertEqual([event["step"] for event in checkpoints], [5, 10])
        self.assertTrue((job / checkpoints[-1]["path"]).is_dir())
        self.assertEqual(sorted(path.name for path in (job / "adapter").iterdir()),
                         ["adapter_config.json", "adapter_model.safetensors"])
        before = (job / "adapter" / "adapter_model.safetensors").read_bytes()
        self.good("train", job)
        self.assertEqual((job / "adapter" / "adapter_model.safetensors").read_bytes(), before)

    def test_bad_data_fails_with_the_error_of_the_api(self):
        job = self.make()
        self.few(9)
        done = call("train", job, "--validate-only")
        self.assertEqual(done.returncode, 1)
        error = [event for event in self.events(job) if event["type"] == "error"][0]
        self.assertEqual((error["code"], error["param"]), ("invalid_n_examples", "training_file"))
        self.assertEqual(self.statuses(job)[-1], "failed")

    def test_cancel_ends_with_3_and_sigterm_with_75(self):
        job = self.make(hyperparameters={"n_epochs": 50, "batch_size": 1, "learning_rate_multiplier": 1})
        for end, status in (("sigterm", 75), ("cancel", 3)):
            process = subprocess.Popen([TEMPER, "train", str(job)], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            seen = (job / "events.jsonl").read_text().count('"metrics"') if (job / "events.jsonl").exists() else 0
            wait_for(lambda: (job / "events.jsonl").exists()
                     and (job / "events.jsonl").read_text().count('"metrics"') > seen, 60, "a step")
            begun = time.monotonic()
            if end == "sigterm":
                process.send_signal(signal.SIGTERM)
            else:
                (job / "cancel").touch()
            self.assertEqual(process.wait(30), status)
            self.assertLess(time.monotonic() - begun, 15)
            if end == "sigterm":
                self.assertTrue(list((job / "checkpoints").iterdir()))
        self.assertEqual(self.statuses(job)[-1], "cancelled")
        self.assertFalse((job / "adapter").exists())

    def test_one_trainer_at_a_time(self):
        job = self.make(hyperparameters={"n_epochs": 50, "batch_size": 1, "learning_rate_multiplier": 1})
        first = subprocess.Popen([TEMPER, "train", str(job)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=ENVIRONMENT)
        try:
            wait_for(lambda: (job / "lock").exists() and (job / "lock").read_text().strip(), 30, "the lock")
            self.assertEqual(int((job / "lock").read_text()), first.pid)
            lines = (job / "spec.json").read_bytes()
            second = call("train", job)
            self.assertNotEqual(second.returncode, 0)
            self.assertEqual((job / "spec.json").read_bytes(), lines)
            self.assertIsNone(first.poll())
        finally:
            first.kill()
            first.wait()

    def test_a_spec_that_is_wrong_is_refused_by_the_name_of_its_key(self):
        job = self.make(hyperparameters={"n_epochs": -1, "batch_size": 1, "learning_rate_multiplier": 1})
        done = call("train", job)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("n_epochs", done.stderr)


class AgainstAServer(InAFolder):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(threads=2)
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def ask(self, *arguments):
        return self.good(*arguments, env=self.server.environment())

    def test_files(self):
        path = self.few()
        file = json.loads(self.ask("files", "upload", path, "--json"))
        self.assertEqual((file["object"], file["filename"]), ("file", "few.jsonl"))
        self.assertIn(file["id"], self.ask("files", "list"))
        self.assertEqual(json.loads(self.ask("files", "get", file["id"], "--json"))["bytes"], path.stat().st_size)
        self.assertEqual(self.ask("files", "content", file["id"]), path.read_text())
        self.ask("files", "content", file["id"], "--output", self.folder / "back.jsonl")
        self.assertEqual((self.folder / "back.jsonl").read_bytes(), path.read_bytes())
        self.ask("files", "delete", file["id"])
        self.assertNotIn(file["id"], self.ask("files", "list"))

    def test_jobs_are_created_and_watched(self):
        text = self.ask("jobs", "create", self.few(), "--epochs", "1", "--suffix", "cli", "--seed", "4", "--watch")
        self.assertRegex(text, r"ft:temper:mini-instruct:personal:cli:[0-9a-f]{8}")
        jobs = json.loads(self.ask("jobs", "list", "--json"))["data"]
        job = next(job for job in jobs if job["user_provided_suffix"] == "cli")
        self.assertEqual((job["status"], job["seed"], job["hyperparameters"]["n_epochs"]), ("succeeded", 4, 1))
        self.assertIn("successfully completed", self.ask("jobs", "events", job["id"]))
        self.assertEqual(json.loads(self.ask("jobs", "get", job["id"], "--json"))["id"], job["id"])
        self.ask("jobs", "watch", job["id"])  # one that has ended, too
        models = json.loads(self.good("models", "--data", self.server.data, "--json"))
        self.assertIn(job["fine_tuned_model"], [model["id"] for model in models])
        self.export(job["fine_tuned_model"])

    def export(self, name):
        for kind, file in (("peft", "adapter_model.safetensors"), ("merged", "tokenizer.json"), ("gguf", "model.gguf")):
            output = self.folder / kind
            words = ["export", name, "--format", kind, "--output", output, "--data", self.server.data, "--quiet"]
            self.good(*words)
            self.assertTrue((output / file).exists())
            self.assertIn("is there already", self.bad(1, *words))
        settings = json.loads((self.folder / "peft" / "adapter_config.json").read_text())
        self.assertEqual(settings["base_model_name_or_path"], "temper/mini-instruct")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["few.jsonl", "gguf", "merged", "peft"])

    def test_watching_a_job_that_fails_ends_with_1(self):
        path = self.few(9)
        done = call("jobs", "create", path, "--watch", env=self.server.environment())
        self.assertEqual(done.returncode, 1)
        self.assertIn("9 examples", done.stdout + done.stderr)

    def test_jobs_are_cancelled(self):
        job = json.loads(self.ask("jobs", "create", self.few(), "--epochs", "50", "--batch-size", "1", "--json"))
        self.assertEqual(json.loads(self.ask("jobs", "cancel", job["id"], "--json"))["status"], "cancelled")

    def test_what_the_server_refuses_is_said(self):
        self.assertIn("API key", self.bad(1, "files", "list", env={**self.server.environment(),
                                                                 "TEMPER_API_KEY": "sk-temper-wrong"}))
        self.assertIn("ftjob-none", self.bad(1, "jobs", "get", "ftjob-none", env=self.server.environment()))
        self.bad(1, "files", "list", env={"TEMPER_BASE_URL": "http://127.0.0.1:9/v1", "TEMPER_API_KEY": "x"})
