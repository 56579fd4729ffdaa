"""Fine-tuning jobs in full, through openai-python: pauses, going on from a model, live events, filters, LoRA's settings."""
import hashlib
import json
import signal
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
        steps = len([event for event in self.events(job) if event.type == "metrics"])
        other = self.finish(self.begin(epochs=1))  # the machine is free
        self.assertEqual(other.status, "succeeded")
        self.assertEqual(len([event for event in self.events(job) if event.type == "metrics"]), steps)
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
