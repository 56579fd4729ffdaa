"""Fine-tuning jobs in full, through openai-python: pauses, going on from a model, live events, filters, LoRA's settings."""
import hashlib
import io
import json
import signal
import tarfile
import unittest

import openai

from support.server import Server, wait_for

MODEL = "temper/mini-instruct"
FINAL = {"succeeded", "failed", "cancelled"}
CHATS = "".join(json.dumps({"messages": [{"role": "user", "content": f"Say the number {i}"},
                                         {"role": "assistant", "content": f"It is {i}."}]}) + "\n"
                for i in range(60)).encode()


class TestJobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2))
        cls.connect()
        cls.file = cls.client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune").id

    @classmethod
    def connect(cls):
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)
        cls.jobs = cls.client.fine_tuning.jobs

    def begin(self, epochs=2, **options):
        return self.jobs.create(**{"training_file": self.file, "model": MODEL, "seed": 7, "hyperparameters": {
            "n_epochs": epochs, "batch_size": 2}, **options})

    def finish(self, job):
        def final():
            now = self.jobs.retrieve(job.id)
            return now if now.status in FINAL else None
        job = wait_for(final, 120, f"the end of {job.id}")
        self.assertEqual(job.status, "succeeded", job.error)
        return job

    def adapter(self, job):
        path = self.server.data / "adapters" / job.id / "adapter_model.safetensors"
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def events(self, job):
        return [event for event in self.jobs.list_events(job.id, limit=100)]

    def await_step(self, job, step):
        wait_for(lambda: any(event.type == "metrics" and event.data["step"] >= step for event in self.events(job)), 60,
                 f"step {step}")

    def test_a_job_that_rested_ends_in_the_same_bytes(self):
        undisturbed = self.adapter(self.finish(self.begin(epochs=4)))
        job = self.begin(epochs=4)
        self.await_step(job, 10)
        self.assertEqual(self.jobs.pause(job.id).status, "paused")
        self.assertRaises(openai.ConflictError, self.jobs.pause, job.id)
        lock = self.server.data / "jobs" / job.id / "lock"
        self.server.stop(signal.SIGKILL)
        self.server.start()
        type(self).connect()
        wait_for(lambda: not (lock.exists() and self.holds(lock)), 30, "the trainer's end")
        self.assertEqual(self.jobs.retrieve(job.id).status, "paused")
        written = (self.server.data / "jobs" / job.id / "events.jsonl").read_text().splitlines()
        steps = len([line for line in written if json.loads(line)["type"] == "metrics"])
        known = lambda: len([event for event in self.events(job) if event.type == "metrics"])
        wait_for(lambda: known() == steps, 30, "the trainer's last step to be known")
        other = self.finish(self.begin(epochs=1))  # the machine is free
        self.assertEqual(other.status, "succeeded")
        self.assertEqual(known(), steps)
        self.assertIn(self.jobs.resume(job.id).status, {"queued", "running"})
        self.assertRaises(openai.ConflictError, self.jobs.resume, job.id)
        job = self.finish(job)
        self.assertEqual(self.adapter(job), undisturbed)
        messages = [event.message for event in self.events(job)]
        self.assertIn("The job has been paused", messages)
        self.assertFalse([message for message in messages if "trainer" in message])
        self.assertRaises(openai.ConflictError, self.jobs.pause, job.id)

    @staticmethod
    def holds(lock):
        import fcntl
        with open(lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def stream(self, job, **query):
        """The events of a job as they come, as dictionaries; the last is "[DONE]"."""
        with self.client.fine_tuning.jobs.with_streaming_response.list_events(
                job.id, extra_query={"stream": "true", **query}) as answer:
            self.assertTrue(answer.headers["content-type"].startswith("text/event-stream"))
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield line[6:] if line == "data: [DONE]" else json.loads(line[6:])

    def test_events_come_as_they_happen_each_once(self):
        job = self.begin()
        came = list(self.stream(job))
        self.assertEqual(came.pop(), "[DONE]")
        kept = [event.id for event in self.events(job)][::-1]
        self.assertEqual([event["id"] for event in came], kept)
        self.assertEqual(came[-1]["message"], "The job has successfully completed")
        self.assertEqual([event["data"]["step"] for event in came if event["type"] == "metrics"], list(range(1, 61)))
        rest = list(self.stream(job, after=kept[40]))
        self.assertEqual([event["id"] for event in rest[:-1]], kept[41:])
        self.assertRaises(openai.NotFoundError, lambda: list(self.stream(type("Job", (), {"id": "ftjob-none"}))))

    def test_jobs_are_found_by_their_metadata(self):
        named = self.begin(metadata={"team": "search", "task": "numbers"})
        plain = self.begin()
        self.assertEqual([job.id for job in self.jobs.list(extra_query={"metadata[team]": "search"})], [named.id])
        self.assertEqual(list(self.jobs.list(extra_query={"metadata[team]": "ads"})), [])
        self.assertEqual([job.id for job in self.jobs.list(metadata={"task": "numbers"})], [named.id])
        without = [job.id for job in self.jobs.list(extra_query={"metadata": "null"})]
        self.assertIn(plain.id, without)
        self.assertNotIn(named.id, without)
        for job in (named, plain):
            self.jobs.cancel(job.id)

    def test_training_goes_on_from_a_model_and_from_a_checkpoint(self):
        first = self.finish(self.begin(suffix="first"))
        checkpoint = self.jobs.checkpoints.list(first.id).data[-1]
        self.assertEqual(checkpoint.step_number, 30)
        for model in (first.fine_tuned_model, checkpoint.fine_tuned_model_checkpoint):
            second = self.finish(self.begin(model=model, suffix="second"))
            self.assertEqual(second.model, model)
            before = [event.data["train_loss"] for event in self.events(first) if event.type == "metrics"]
            after = [event.data["train_loss"] for event in self.events(second) if event.type == "metrics"]
            self.assertLess(after[-1], before[-1] / 2)
            answer = self.client.chat.completions.create(
                model=second.fine_tuned_model, temperature=0, max_tokens=20,
                messages=[{"role": "user", "content": "Say the number 7"}])
            self.assertEqual(answer.choices[0].message.content, "It is 7.")

    def test_what_cannot_be_a_job_is_refused_by_name(self):
        for wrong, param in (
                ({"method": {"type": "dpo"}}, "method.type"), ({"method": {"type": "reinforcement"}}, "method.type"),
                ({"method": {"type": "magic"}}, "method.type"), ({"suffix": "a b"}, "suffix"),
                ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
                ({"seed": -1}, "seed"), ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
                ({"hyperparameters": {"batch_size": 0}}, "hyperparameters.batch_size"),
                ({"model": "ft:nobody:x:y:12345678"}, "model"), ({"training_file": "file-none"}, "training_file"),
                ({"extra_body": {"lora": {"rank": 0}}}, "lora.rank"),
                ({"extra_body": {"lora": {"dropout": 0.95}}}, "lora.dropout"),
                ({"extra_body": {"lora": {"target_modules": ["lm_head"]}}}, "lora.target_modules"),
                ({"extra_body": {"lora": {"target_modules": []}}}, "lora.target_modules"),
                ({"extra_body": {"lora": {"bias": "all"}}}, "lora.bias")):
            with self.subTest(wrong=wrong), self.assertRaises(openai.APIStatusError) as caught:
                self.begin(**wrong)
            self.assertIn(caught.exception.status_code, (400, 404))
            self.assertEqual(caught.exception.param, param)

    def test_the_lora_object_says_how_the_adapter_is_made(self):
        wanted = {"rank": 4, "alpha": 8, "dropout": 0.25, "target_modules": ["q_proj", "v_proj"]}
        job = self.finish(self.begin(extra_body={"lora": wanted}))
        self.assertEqual(job.lora, wanted)
        config = json.loads((self.server.data / "adapters" / job.id / "adapter_config.json").read_text())
        self.assertEqual((config["r"], config["lora_alpha"], config["lora_dropout"], config["target_modules"]),
                         (4, 8, 0.25, ["q_proj", "v_proj"]))
        self.assertEqual(self.adapter(job), self.adapter(self.finish(self.begin(extra_body={"lora": wanted}))))
        further = self.finish(self.begin(model=job.fine_tuned_model))
        self.assertEqual((further.lora["rank"], further.lora["target_modules"]), (4, ["q_proj", "v_proj"]))
        wrong = self.begin(model=job.fine_tuned_model, extra_body={"lora": {"rank": 8}})
        wrong = wait_for(lambda: (now := self.jobs.retrieve(wrong.id)).status in FINAL and now, 60, "its end")
        self.assertEqual((wrong.status, wrong.error.code, wrong.error.param), ("failed", "invalid_lora", "lora"))

    def test_a_fine_tuned_model_is_downloaded_as_peft_wants_it(self):
        job = self.finish(self.begin())
        answer = self.client.get(f"/adapters/{job.fine_tuned_model}", cast_to=openai.HttpxBinaryResponseContent)
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            self.assertEqual(set(archive.getnames()), {"adapter_config.json", "adapter_model.safetensors"})
            content = archive.extractfile("adapter_model.safetensors").read()
        self.assertEqual(hashlib.sha256(content).hexdigest(), self.adapter(job))
        tagged = [model.id for model in self.client.models.list(extra_query={"tag": "fine-tuned"})]
        self.assertIn(job.fine_tuned_model, tagged)
        self.assertNotIn(MODEL, tagged)
        self.assertEqual([model.id for model in self.client.models.list(extra_query={"tag": "fine-tunable"})], [MODEL])
        for refused in (MODEL, "nobody/none"):
            with self.assertRaises(openai.APIStatusError):
                self.client.get(f"/adapters/{refused}", cast_to=openai.HttpxBinaryResponseContent)

    def test_the_job_says_what_it_measured_last(self):
        job = self.finish(self.begin())
        measured = job.metrics["temper"]
        self.assertEqual((measured["step"], measured["total_steps"]), (60, 60))
        self.assertGreater(measured["tokens_per_second"], 0)

    def test_a_job_may_rest_before_it_runs_and_be_cancelled(self):
        first = self.begin(epochs=50)
        second = self.begin()
        self.assertEqual(self.jobs.pause(second.id).status, "paused")
        self.assertEqual(self.jobs.pause(first.id).status, "paused")
        self.assertEqual(self.jobs.cancel(first.id).status, "cancelled")
        self.jobs.resume(second.id)
        self.finish(second)


if __name__ == "__main__":
    unittest.main()
