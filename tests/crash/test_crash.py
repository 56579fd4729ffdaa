"""Killed at any moment and started again, everything goes on: the trainer to the same bytes, the server to its
jobs."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from support.server import ROOT, TEMPER, Server, wait_for

EXAMPLES = ROOT / "examples" / "json-generation.jsonl"


def digest(directory):
    path = pathlib.Path(directory) / "adapter_model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Trainer(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-crash-"))
        self.data = self.folder / "few.jsonl"
        self.data.write_text("".join(EXAMPLES.read_text().splitlines(keepends=True)[:40]))

    def tearDown(self):
        shutil.rmtree(self.folder)

    def command(self, output, threads):
        return [TEMPER, "train", str(self.data), "--output", str(output), "--epochs", "4", "--batch-size", "2",
                "--threads", str(threads), "--quiet"]

    def train(self, output, threads=1):
        subprocess.run(self.command(output, threads), check=True)
        return digest(output)

    def kill_at_random(self, output, threads, seconds):
        """Runs until a random moment. True if it was killed before its end."""
        process = subprocess.Popen(self.command(output, threads))
        try:
            return process.wait(seconds) != 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True

    def test_the_same_bytes_whatever_the_threads_and_the_kills(self):
        begun = time.monotonic()
        undisturbed = self.train(self.folder / "one", 1)
        whole = time.monotonic() - begun
        self.assertEqual(self.train(self.folder / "two", 2), undisturbed)
        seed = random.randrange(1 << 30)
        print(f"seed of the moments: {seed}")
        moments = random.Random(seed)
        for threads in (1, 2):
            output = self.folder / f"killed-{threads}"
            kills = 0
            for _ in range(3):
                kills += self.kill_at_random(output, threads, moments.uniform(0.05, whole * 0.8))
            self.assertEqual(self.train(output, threads), undisturbed, f"after {kills} kills")

    def test_another_run_in_the_same_directory_is_refused(self):
        self.train(self.folder / "one")
        other = subprocess.run(self.command(self.folder / "one", 1) + ["--seed", "99"], capture_output=True, text=True)
        self.assertNotEqual(other.returncode, 0)
        self.assertIn("other settings", other.stderr)


class Restarts(unittest.TestCase):
    def setUp(self):
        self.server = Server(threads=1)
        self.server.__enter__()

    def tearDown(self):
        self.server.__exit__()

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.server.url + path, method=method,
                                         data=json.dumps(body).encode() if body else None,
                                         headers={"Authorization": f"Bearer {self.server.key}",
                                                  "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def create_job(self, epochs):
        output = subprocess.run([TEMPER, "files", "upload", str(EXAMPLES), "--json"], check=True, text=True,
                                capture_output=True, env=self.server.environment()).stdout
        return self.call("POST", "/fine_tuning/jobs", {
            "training_file": json.loads(output)["id"], "model": "temper/mini-instruct",
            "seed": 11, "hyperparameters": {"n_epochs": epochs, "batch_size": 10}})["id"]

    def job(self, job):
        return self.call("GET", f"/fine_tuning/jobs/{job}")

    def trainer_of(self, job):
        lock = self.server.data / "jobs" / job / "lock"
        return int(lock.read_text()) if lock.exists() and lock.read_text().strip() else None

    def wait_for_steps(self, job, count):
        events = self.server.data / "jobs" / job / "events.jsonl"
        wait_for(lambda: events.exists() and events.read_text().count('"type":"metrics"') >= count, 120, "steps")

    def test_a_server_killed_while_a_job_runs_finds_it_again(self):
        job = self.create_job(3)
        self.wait_for_steps(job, 5)
        trainer = self.trainer_of(job)
        self.server.stop(signal.SIGKILL)
        os.kill(trainer, 0)  # it goes on without the server
        self.server.start()
        self.assertEqual(self.job(job)["status"], "running")
        final = wait_for(lambda: (lambda j: j if j["finished_at"] else None)(self.job(job)), 240, "the job's end")
        self.assertEqual(final["status"], "succeeded", final["error"])
        self.assertEqual(self.trainer_of(job), trainer)
        steps = []
        after = ""
        while True:
            page = self.call("GET", f"/fine_tuning/jobs/{job}/events?limit=100{after}")
            steps += [e["data"]["step"] for e in page["data"] if e["type"] == "metrics"]
            if not page["has_more"]:
                break
            after = "&after=" + page["data"][-1]["id"]
        self.assertEqual(steps, list(range(90, 0, -1)))
        self.answers_at_once(final["fine_tuned_model"])

    def answers_at_once(self, model):
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        answer = self.call("POST", "/chat/completions", {
            "model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]})
        self.assertTrue(answer["choices"][0]["message"]["content"])

    def adapter_of(self, job):
        return digest(self.server.data / "adapters" / job)

    def end_of(self, job):
        final = wait_for(lambda: (lambda j: j if j["finished_at"] else None)(self.job(job)), 240, "the job's end")
        self.assertEqual(final["status"], "succeeded", final["error"])

    def test_server_and_trainer_killed_together_end_in_the_same_bytes(self):
        undisturbed = self.create_job(2)
        self.end_of(undisturbed)
        job = self.create_job(2)
        self.wait_for_steps(job, 35)  # behind the checkpoint of the first epoch
        trainer = self.trainer_of(job)
        self.server.stop(signal.SIGKILL)
        os.kill(trainer, signal.SIGKILL)
        self.server.start()
        self.end_of(job)
        self.assertEqual(self.adapter_of(job), self.adapter_of(undisturbed))

    def test_what_was_acknowledged_survives(self):
        files, jobs = [], []
        for _ in range(4):
            jobs.append(self.create_job(50))
            files.append(self.job(jobs[-1])["training_file"])
            self.server.stop(signal.SIGKILL)
            self.server.start()
        for file in files:
            self.assertEqual(self.call("GET", f"/files/{file}")["bytes"], EXAMPLES.stat().st_size)
        self.assertEqual([job["id"] for job in self.call("GET", "/fine_tuning/jobs")["data"]], jobs[::-1])
        for job in jobs:
            self.assertEqual(self.call("POST", f"/fine_tuning/jobs/{job}/cancel")["status"], "cancelled")

    def test_half_an_upload_leaves_nothing(self):
        address = urllib.parse.urlsplit(self.server.url)
        with socket.create_connection((address.hostname, address.port)) as half:
            half.sendall(b"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.server.key.encode()
                         + b"\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 9000000\r\n\r\n"
                         b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n' + b"x" * 100000)
            wait_for(lambda: list((self.server.data / "uploads").iterdir()), 10, "the beginning of a file")
            self.server.stop(signal.SIGKILL)
        self.server.start()
        self.assertEqual(list((self.server.data / "uploads").iterdir()), [])
        self.assertEqual(self.call("GET", "/files")["data"], [])

    def test_a_trainer_that_dies_is_started_again(self):
        job = self.create_job(2)
        self.wait_for_steps(job, 35)  # behind the checkpoint of the first epoch
        os.kill(self.trainer_of(job), signal.SIGKILL)
        final = wait_for(lambda: (lambda j: j if j["finished_at"] else None)(self.job(job)), 240, "the job's end")
        self.assertEqual(final["status"], "succeeded", final["error"])
        messages = [e["message"] for e in self.call("GET", f"/fine_tuning/jobs/{job}/events?limit=100")["data"]]
        self.assertTrue(any("goes on from the last checkpoint" in m for m in messages), messages)

    def test_sigterm_ends_the_server_cleanly(self):
        self.assertEqual(self.server.stop(signal.SIGTERM), 0)
        self.server.start()
        self.assertEqual(self.call("GET", "/models")["object"], "list")

    def test_two_servers_do_not_share_a_data_directory(self):
        other = subprocess.run([TEMPER, "serve", "--data", str(self.server.data), "--listen", "127.0.0.1:0"],
                               capture_output=True, text=True, timeout=30)
        self.assertEqual(other.returncode, 1)
        self.assertIn("another temper serve", other.stderr)
