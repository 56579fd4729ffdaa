"""Keys, plans and settings: who may do what, how often, and how that is said."""
import json
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

import openai

from support.server import ROOT, TEMPER, Server

MODEL = "temper/mini-instruct"
CHATS = "".join(json.dumps({"messages": [{"role": "user", "content": f"Say {i}"},
                                         {"role": "assistant", "content": f"{i}"}]}) + "\n" for i in range(12)).encode()
SETTINGS = """
# of this test
threads = 1
log-format = json

[plan slow]
requests_per_minute = 5

[plan narrow]
concurrent_requests = 2
fine_tuned_models = 1
batch_requests = 2

[plan brief]
context_tokens = 60
output_tokens = 6
"""


class TestLimits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (folder / "temper.conf").write_text(SETTINGS)
        cls.server = cls.enterClassContext(Server(options=["--config", str(folder / "temper.conf")]))

    def temper(self, *words):
        run = subprocess.run([TEMPER, *words, "--data", str(self.server.data), "--json"], check=True, capture_output=True,
                             text=True)
        return json.loads(run.stdout)

    def client(self, account, plan=None, retries=0, **key):
        if plan:
            self.temper("accounts", "set-plan", account, plan)
        words = [word for name, value in key.items() for word in (f"--{name}", str(value))]
        made = self.temper("keys", "create", "--account", account, *words)["key"]
        return openai.OpenAI(base_url=self.server.url, api_key=made, max_retries=retries)

    def test_a_plan_without_limits_has_no_headers_of_limits(self):
        raw = self.client("free").models.with_raw_response.list()
        self.assertFalse([name for name in raw.headers if name.startswith("x-ratelimit")])

    def test_requests_a_minute_are_counted_shown_and_refused(self):
        client = self.client("slowly", "slow")
        for left in (4, 3, 2, 1, 0):
            raw = client.models.with_raw_response.list()
            self.assertEqual(raw.headers["x-ratelimit-limit-requests"], "5")
            self.assertEqual(raw.headers["x-ratelimit-remaining-requests"], str(left))
            self.assertRegex(raw.headers["x-ratelimit-reset-requests"], r"^(\d+ms|[\d.]+s|\d+m\d+s)$")
        with self.assertRaises(openai.RateLimitError) as caught:
            client.models.list()
        error = caught.exception
        self.assertEqual((error.code, error.type), ("rate_limit_exceeded", "requests"))
        self.assertTrue(1 <= int(error.response.headers["retry-after"]) <= 12)
        self.assertEqual(error.response.headers["x-ratelimit-remaining-requests"], "0")
        self.assertTrue(self.client("somebody-else").models.list().data)

    def test_the_official_client_waits_as_it_is_told(self):
        client = self.client("patient", "slow", retries=2)
        started = time.monotonic()
        for _ in range(6):
            client.models.list()
        self.assertGreater(time.monotonic() - started, 5)

    def test_requests_at_a_time_are_held_by_open_streams(self):
        client = self.client("narrowly", "narrow")
        file = client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(training_file=file.id, model=MODEL)
        client.fine_tuning.jobs.pause(job.id)  # the stream of its events does not end by itself
        streams = [self.enterContext(client.fine_tuning.jobs.with_streaming_response.list_events(
            job.id, extra_query={"stream": "true"})) for _ in range(2)]
        with self.assertRaises(openai.RateLimitError) as caught:
            client.models.list()
        self.assertIn("at a time", caught.exception.message)
        for one in streams:
            one.close()
        end = time.monotonic() + 30
        while True:
            try:
                client.models.list()
                break
            except openai.RateLimitError:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)

    def test_fine_tuned_models_and_batches_have_their_number(self):
        client = self.client("modest", "narrow")
        file = client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(training_file=file.id, model=MODEL, hyperparameters={"n_epochs": 1})
        while job.status not in ("succeeded", "failed"):
            time.sleep(0.1)
            job = client.fine_tuning.jobs.retrieve(job.id)
        with self.assertRaises(openai.RateLimitError) as caught:
            client.fine_tuning.jobs.create(training_file=file.id, model=MODEL)
        self.assertEqual((caught.exception.code, caught.exception.response.headers["x-should-retry"]),
                         ("insufficient_quota", "false"))
        client.models.delete(job.fine_tuned_model)
        client.fine_tuning.jobs.cancel(client.fine_tuning.jobs.create(training_file=file.id, model=MODEL).id)
        lines = "".join(json.dumps({"custom_id": str(i), "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": MODEL, "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}}) + "\n" for i in range(3))
        upload = client.files.create(file=("lines.jsonl", lines.encode()), purpose="batch")
        batch = client.batches.create(input_file_id=upload.id, endpoint="/v1/chat/completions", completion_window="24h")
        while batch.status not in ("completed", "failed"):
            time.sleep(0.1)
            batch = client.batches.retrieve(batch.id)
        self.assertEqual([error.code for error in batch.errors.data], ["too_many_requests"])

    def test_answers_and_chats_have_their_length(self):
        client = self.client("brief", "brief")

        def ask(words=1, **options):
            return client.chat.completions.create(model=MODEL, temperature=0, logit_bias={"300": 100}, messages=[
                {"role": "user", "content": "word " * words}], **options)
        self.assertEqual(ask().usage.completion_tokens, 6)
        self.assertEqual(ask(max_tokens=3).usage.completion_tokens, 3)
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(max_tokens=7)
        self.assertEqual(caught.exception.param, "max_completion_tokens")
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(words=80)
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        self.assertIn("Your plan's", caught.exception.message)

    def test_keys_may_do_what_their_scope_says(self):
        reader = self.client("scoped", scope="read-only")
        user = self.client("scoped", scope="inference")
        question = {"model": MODEL, "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}
        self.assertTrue(reader.models.list().data)
        self.assertEqual(list(reader.files.list()), [])
        self.assertTrue(user.models.list().data)
        self.assertTrue(user.chat.completions.create(**question).choices)
        for refused in (lambda: reader.chat.completions.create(**question),
                        lambda: reader.files.create(file=("a", CHATS), purpose="fine-tune"),
                        lambda: user.files.list(), lambda: user.fine_tuning.jobs.list(),
                        lambda: reader.get("/api_keys", cast_to=dict), lambda: user.models.delete("x")):
            with self.assertRaises(openai.PermissionDeniedError) as caught:
                refused()
            self.assertEqual(caught.exception.code, "insufficient_permissions")

    def test_keys_are_made_listed_expire_and_are_revoked_over_the_api(self):
        client = self.client("keyring")
        made = client.post("/api_keys", cast_to=dict, body={"name": "laptop", "scope": "inference", "expires_in": 60})
        self.assertRegex(made["key"], "^sk-temper-")
        self.assertEqual(made["expires_at"] - made["created_at"], 60)
        listed = client.get("/api_keys", cast_to=dict)["data"]
        self.assertEqual([one["name"] for one in listed], ["laptop", ""])
        self.assertNotIn("key", listed[0])
        other = openai.OpenAI(base_url=self.server.url, api_key=made["key"], max_retries=0)
        self.assertTrue(other.models.list().data)
        subprocess.run(["python3", "-c", "import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.execute("
                        "'UPDATE keys SET expires_at = 1 WHERE id = ?', sys.argv[2:]); base.commit()",
                        str(self.server.data / "temper.db"), made["id"]], check=True)
        with self.assertRaises(openai.AuthenticationError) as caught:
            other.models.list()
        self.assertEqual(caught.exception.code, "expired_api_key")
        self.assertTrue(client.delete(f"/api_keys/{made['id']}", cast_to=dict)["deleted"])
        self.assertEqual(len(client.get("/api_keys", cast_to=dict)["data"]), 1)
        self.assertRaises(openai.NotFoundError, self.client("stranger").delete, f"/api_keys/{made['id']}", cast_to=dict)
        for wrong in ({"scope": "some"}, {"expires_in": 5}, {"colour": "red"}):
            self.assertRaises(openai.BadRequestError, client.post, "/api_keys", cast_to=dict, body=wrong)

    def test_a_plan_that_the_settings_lack_is_refused_and_named(self):
        client = self.client("lost", "gone")
        with self.assertRaises(openai.PermissionDeniedError) as caught:
            client.models.list()
        self.assertIn("'gone'", caught.exception.message)


class TestSettings(unittest.TestCase):
    def serve(self, text):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "temper.conf").write_text(text)
        return subprocess.run([TEMPER, "serve", "--config", str(folder / "temper.conf"), "--listen", "nothing"], cwd=folder,
                              capture_output=True, text=True, timeout=60)

    def test_what_is_wrong_is_refused_by_its_line(self):
        for text, line, word in (("listen = 127.0.0.1:0\ncolour = red\n", 2, "colour"), ("[plan a]\nrequests = 3", 2, "requests"),
                                 ("\n\n[plans]\na = b", 4, "[plan NAME]"), ("threads = many", 1, "number"),
                                 ("[plan trial]\noutput_tokens = 0", 2, "whole number"), ("just words", 1, "name = value"),
                                 ("allow-private-webhooks = yes", 1, "true or false"), ("config = other", 1, "config"),
                                 ("threads = 1\n  colour = red", 2, "colour"), ("threads = 1\n\nthreads = 2", 3, "twice"),
                                 ("data = " + "a" * 300, 1, "longer"), ("[plan A B]\noutput_tokens = 1", 2, "plan")):
            with self.subTest(text=text[:40]):
                run = self.serve(text)
                self.assertEqual(run.returncode, 1)
                self.assertIn(f"line {line}:", run.stderr)
                self.assertIn(word, run.stderr)

    def test_the_command_line_wins_over_the_file(self):
        run = self.serve("listen = 127.0.0.1:0\n")  # with that address it would run on
        self.assertIn("'nothing' is no address", run.stderr)

    def test_each_setting_and_each_limit_is_documented(self):
        text = (ROOT / "docs" / "settings.md").read_text()
        shown = subprocess.run([TEMPER, "serve", "--help"], check=True, capture_output=True, text=True).stdout
        names = re.findall(r"^  --([a-z-]+)", shown, re.M)
        self.assertGreater(len(names), 10)
        for name in names:
            self.assertIn(f"--{name}" if name == "config" else f"`{name}`", text)
        source = (ROOT / "src" / "base" / "plan.c").read_text()
        for name in re.findall(r'^    \{"(\w+)", offsetof', source, re.M):
            self.assertIn(name, text)


if __name__ == "__main__":
    unittest.main()
