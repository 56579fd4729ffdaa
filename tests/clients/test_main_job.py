"""The main job through openai-python, unmodified but for base_url and api_key: upload, fine-tune, watch, chat."""
import csv
import io
import json
import re
import time
import unittest

import openai

from support.server import ROOT, Server, wait_for

EXAMPLES = ROOT / "examples" / "json-generation.jsonl"
QUESTION = [
    {"role": "system", "content": "You are a JSON Generation Specialist. Convert user requests into properly "
                                  "formatted JSON."},
    {"role": "user", "content": "Create a configuration for a web application with name 'TaskMaster', version 1.2.0, "
                                "and environment set to development."},
]
FINAL = {"succeeded", "failed", "cancelled"}


def chats(count, extra=None):
    rows = [{"messages": [{"role": "user", "content": f"Say the number {i}"},
                          {"role": "assistant", "content": f"It is {i}."}]} for i in range(count)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode() + (extra or b"")


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(threads=2)
        cls.server.__enter__()
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def upload(self, content, name="chats.jsonl"):
        return self.client.files.create(file=(name, content), purpose="fine-tune")

    def finish(self, job, seconds=240):
        def final():
            now = self.client.fine_tuning.jobs.retrieve(job.id)
            return now if now.status in FINAL else None
        return wait_for(final, seconds, f"the end of {job.id}")

    def test_a_file_becomes_a_model_that_answers(self):
        with open(EXAMPLES, "rb") as data:
            file = self.client.files.create(file=data, purpose="fine-tune")
        self.assertEqual((file.object, file.purpose, file.filename, file.status),
                         ("file", "fine-tune", "json-generation.jsonl", "processed"))
        self.assertEqual(file.bytes, EXAMPLES.stat().st_size)
        self.assertEqual(self.client.files.content(file.id).content, EXAMPLES.read_bytes())
        job = self.client.fine_tuning.jobs.create(
            training_file=file.id, model="temper/mini-instruct", seed=7, suffix="json",
            hyperparameters={"batch_size": 10, "n_epochs": 2, "learning_rate_multiplier": 1})
        self.assertEqual((job.object, job.seed, job.training_file), ("fine_tuning.job", 7, file.id))
        self.assertIn(job.status, {"validating_files", "queued", "running"})
        self.assertIsNone(job.fine_tuned_model)
        job = self.finish(job)
        self.assertEqual((job.status, job.error), ("succeeded", None))
        self.assertRegex(job.fine_tuned_model, r"^ft:temper:mini-instruct:personal:json:[0-9a-f]{8}$")
        self.assertGreaterEqual(job.finished_at, job.created_at)
        self.assertGreater(job.trained_tokens, 80000)
        self.assertEqual((job.hyperparameters.batch_size, job.hyperparameters.n_epochs), (10, 2))
        self.check_answers(job)
        self.check_events(job)
        self.check_results(job)

    def check_answers(self, job):
        answer = self.client.chat.completions.create(model=job.fine_tuned_model, messages=QUESTION, temperature=0)
        text = answer.choices[0].message.content
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        found = json.loads(text)
        values = re.findall(r"TaskMaster|1\.2\.0|development", json.dumps(found))
        self.assertEqual(sorted(values), ["1.2.0", "TaskMaster", "development"])
        usage = answer.usage
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        pieces = list(self.client.chat.completions.create(
            model=job.fine_tuned_model, messages=QUESTION, temperature=0, stream=True,
            stream_options={"include_usage": True}))
        self.assertEqual("".join(p.choices[0].delta.content or "" for p in pieces if p.choices), text)
        self.assertEqual(pieces[0].choices[0].delta.role, "assistant")
        self.assertEqual(pieces[-1].usage.completion_tokens, usage.completion_tokens)
        self.assertIn(job.fine_tuned_model, [model.id for model in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve(job.fine_tuned_model).owned_by, "personal")

    def check_events(self, job):
        events = list(self.client.fine_tuning.jobs.list_events(job.id, limit=30))
        messages = [event.message for event in reversed(events)]
        self.assertEqual(messages[-1], "The job has successfully completed")
        self.assertIn(f"New fine-tuned model created: {job.fine_tuned_model}", messages)
        self.assertIn("Files validated, moving job to queued state", messages)
        metrics = [event for event in events if event.type == "metrics"]
        self.assertEqual(len(metrics), 60)
        self.assertEqual(metrics[0].data["step"], 60)
        checkpoints = self.client.fine_tuning.jobs.checkpoints.list(job.id).data
        self.assertEqual([c.step_number for c in checkpoints], [60, 30])
        answer = self.client.chat.completions.create(
            model=checkpoints[1].fine_tuned_model_checkpoint, messages=QUESTION, temperature=0, max_tokens=5)
        self.assertEqual(answer.choices[0].finish_reason, "length")

    def check_results(self, job):
        rows = list(csv.DictReader(io.StringIO(self.client.files.content(job.result_files[0]).text)))
        self.assertEqual(len(rows), 60)
        self.assertEqual(list(rows[0])[:5], ["step", "train_loss", "train_accuracy", "valid_loss",
                                             "valid_mean_token_accuracy"])
        self.assertLess(float(rows[-1]["train_loss"]), float(rows[0]["train_loss"]))

    def test_auto_values_method_nickname_and_validation_file(self):
        file = self.upload(chats(12))
        job = self.client.fine_tuning.jobs.create(
            training_file=file.id, validation_file=self.upload(chats(10)).id, model="mini-instruct",
            method={"type": "supervised", "supervised": {"hyperparameters": {
                "batch_size": "auto", "n_epochs": 1, "learning_rate_multiplier": "auto"}}},
            extra_body={"nickname": "numbers"})
        self.assertEqual(job.method.supervised.hyperparameters.batch_size, "auto")
        self.assertEqual(job.model, "temper/mini-instruct")
        job = self.finish(job)
        self.assertEqual(job.status, "succeeded", job.error)
        self.assertIn(":numbers:", job.fine_tuned_model)
        self.assertEqual(job.method.supervised.hyperparameters.batch_size, 1)
        metrics = [event.data for event in self.client.fine_tuning.jobs.list_events(job.id) if event.type == "metrics"]
        self.assertIsInstance(metrics[0]["full_valid_loss"], float)

    def test_a_fine_tuned_model_is_trained_further(self):
        first = self.finish(self.client.fine_tuning.jobs.create(
            training_file=self.upload(chats(10)).id, model="temper/mini-instruct", hyperparameters={"n_epochs": 1}))
        second = self.finish(self.client.fine_tuning.jobs.create(
            training_file=self.upload(chats(10)).id, model=first.fine_tuned_model, hyperparameters={"n_epochs": 1}))
        self.assertEqual(second.status, "succeeded", second.error)
        losses = [[e.data["train_loss"] for e in self.client.fine_tuning.jobs.list_events(job.id)
                   if e.type == "metrics"][-1] for job in (first, second)]
        self.assertLess(losses[1], losses[0])

    def test_cancelling_a_running_job(self):
        job = self.client.fine_tuning.jobs.create(
            training_file=self.upload(chats(100)).id, model="temper/mini-instruct",
            hyperparameters={"n_epochs": 50, "batch_size": 1})
        wait_for(lambda: self.client.fine_tuning.jobs.retrieve(job.id).status == "running", 60, "running")
        self.assertEqual(self.client.fine_tuning.jobs.cancel(job.id).status, "cancelled")
        time.sleep(1)
        after = self.client.fine_tuning.jobs.retrieve(job.id)
        self.assertEqual((after.status, after.fine_tuned_model), ("cancelled", None))
        with self.assertRaises(openai.ConflictError if hasattr(openai, "ConflictError") else openai.APIStatusError):
            self.client.fine_tuning.jobs.cancel(job.id)

    def test_files_are_listed_read_and_deleted(self):
        file = self.upload(chats(10), "mine.jsonl")
        self.assertIn(file.id, [f.id for f in self.client.files.list(purpose="fine-tune")])
        self.assertEqual(self.client.files.retrieve(file.id).filename, "mine.jsonl")
        self.assertTrue(self.client.files.delete(file.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            self.client.files.retrieve(file.id)

    def test_stops_seeds_and_several_choices(self):
        def ask(**options):
            return self.client.chat.completions.create(
                model="temper/mini-instruct", messages=QUESTION, max_tokens=40, **options)
        whole = ask(temperature=0).choices[0].message.content
        stopped = ask(temperature=0, stop=[whole[10:13]])
        self.assertEqual(stopped.choices[0].message.content, whole[:whole.index(whole[10:13])])
        self.assertEqual(stopped.choices[0].finish_reason, "stop")
        warm = [ask(temperature=1.5, seed=5).choices[0].message.content for _ in range(2)]
        self.assertEqual(warm[0], warm[1])
        self.assertEqual(len(ask(n=3, temperature=1).choices), 3)


class Errors(unittest.TestCase):
    """What is wrong gets OpenAI's status, and its error object."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def failed_job(self, content):
        file = self.client.files.create(file=("bad.jsonl", content), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model="temper/mini-instruct")
        job = wait_for(lambda: (lambda now: now if now.status in FINAL else None)(
            self.client.fine_tuning.jobs.retrieve(job.id)), 60, "the job's end")
        self.assertEqual(job.status, "failed")
        self.assertEqual(job.error.param, "training_file")
        return job.error

    def test_bad_lines_are_named_with_what_is_wrong(self):
        good = chats(10)
        cases = [
            (b"{not json}\n", "invalid_training_file", "line 11", "not JSON"),
            (b'{"messages": [{"role": "user", "content": "caf\xe9"}]}\n', "invalid_training_file", "line 11", "UTF-8"),
            (b'{"prompt": "x"}\n', "invalid_training_file", "line 11", '"messages"'),
            (b'{"messages": [{"role": "robot", "content": "x"}]}\n', "invalid_training_file", "line 11", "robot"),
            (b'{"messages": [{"role": "user", "content": "x"}]}\n', "invalid_training_file", "line 11", "assistant"),
        ]
        for line, code, *words in cases:
            with self.subTest(line=line):
                error = self.failed_job(good + line)
                self.assertEqual(error.code, code)
                for word in words:
                    self.assertIn(word, error.message)

    def test_ten_faults_at_once(self):
        error = self.failed_job(chats(3) + b"x\n" * 20)
        self.assertEqual(len(re.findall(r"line \d+:", error.message)), 10)

    def test_too_few_examples(self):
        error = self.failed_job(chats(9))
        self.assertEqual(error.code, "invalid_n_examples")
        self.assertIn("9 examples", error.message)

    def error_of(self, kind, call):
        with self.assertRaises(kind) as caught:
            call()
        body = caught.exception.body
        for field in ("message", "type", "param", "code"):
            self.assertIn(field, body)
        return caught.exception

    def test_keys(self):
        for key in ("sk-temper-wrong", "x"):
            other = openai.OpenAI(base_url=self.server.url, api_key=key, max_retries=0)
            self.assertEqual(self.error_of(openai.AuthenticationError, other.models.list).code, "invalid_api_key")

    def test_another_account_sees_nothing(self):
        other = openai.OpenAI(base_url=self.server.url, api_key=self.server.make_key("other"), max_retries=0)
        file = self.client.files.create(file=("a.jsonl", chats(10)), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model="temper/mini-instruct")
        self.error_of(openai.NotFoundError, lambda: other.files.retrieve(file.id))
        self.error_of(openai.NotFoundError, lambda: other.files.content(file.id))
        self.error_of(openai.NotFoundError, lambda: other.files.delete(file.id))
        self.error_of(openai.NotFoundError, lambda: other.fine_tuning.jobs.retrieve(job.id))
        self.error_of(openai.NotFoundError, lambda: other.fine_tuning.jobs.cancel(job.id))
        self.error_of(openai.BadRequestError, lambda: other.fine_tuning.jobs.create(
            training_file=file.id, model="temper/mini-instruct"))
        self.assertEqual(list(other.files.list()), [])
        self.assertEqual(list(other.fine_tuning.jobs.list()), [])

    def test_what_does_not_exist(self):
        self.error_of(openai.NotFoundError, lambda: self.client.files.retrieve("file-none"))
        self.error_of(openai.NotFoundError, lambda: self.client.fine_tuning.jobs.retrieve("ftjob-none"))
        self.error_of(openai.NotFoundError, lambda: self.client.models.retrieve("gpt-4o"))
        error = self.error_of(openai.NotFoundError, lambda: self.client.chat.completions.create(
            model="gpt-4o", messages=QUESTION))
        self.assertEqual(error.code, "model_not_found")

    def test_requests_that_are_wrong(self):
        file = self.client.files.create(file=("a.jsonl", chats(10)), purpose="fine-tune")
        self.error_of(openai.BadRequestError, lambda: self.client.files.create(
            file=("a.jsonl", b"x"), purpose="nonsense"))
        self.error_of(openai.BadRequestError, lambda: self.client.fine_tuning.jobs.create(
            training_file="file-none", model="temper/mini-instruct"))
        self.error_of((openai.BadRequestError, openai.NotFoundError), lambda: self.client.fine_tuning.jobs.create(
            training_file=file.id, model="gpt-4o"))
        self.error_of(openai.BadRequestError, lambda: self.client.fine_tuning.jobs.create(
            training_file=file.id, model="temper/mini-instruct", hyperparameters={"n_epochs": 0}))
        error = self.error_of(openai.BadRequestError, lambda: self.client.chat.completions.create(
            model="temper/mini-instruct", messages=[{"role": "user", "content": "word " * 3000}]))
        self.assertEqual(error.code, "context_length_exceeded")

    def test_a_body_that_is_not_json(self):
        response = self.client._client.post(self.server.url + "/chat/completions", content=b"{nope",
                                            headers={"Authorization": f"Bearer {self.server.key}",
                                                     "Content-Type": "application/json"})
        self.assertEqual(response.status_code, 400)
        self.assertIn("message", response.json()["error"])

    def test_a_file_of_more_than_100_megabytes(self):
        error = self.error_of(openai.APIStatusError, lambda: self.client.files.create(
            file=("big.jsonl", b"x" * (100 * 1024 * 1024 + 1)), purpose="fine-tune"))
        self.assertIn(error.status_code, (400, 413))
        wait_for(lambda: not list((self.server.data / "uploads").iterdir()), 10, "the part of a file to go")
