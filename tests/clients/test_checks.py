"""Checks of training files before there is a job: faults by line, counts, an estimate, and nothing left behind."""
import json
import pathlib
import socket
import unittest

import openai

from support.server import ROOT, Server, wait_for

MODEL = "temper/mini-instruct"
CHATS = [{"messages": [{"role": "system", "content": "You count."}, {"role": "user", "content": f"Say the number {i}"},
                       {"role": "assistant", "content": f"It is {i}. ⟨é⟩"}]} for i in range(40)]


def lines(rows):
    return "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows).encode()


class Checks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2))
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def upload(self, rows, name="chats.jsonl", purpose="fine-tune"):
        return self.client.files.create(file=(name, lines(rows)), purpose=purpose).id

    def check(self, **body):
        return self.client.post("/fine_tuning/checks", cast_to=object, body={"model": MODEL, **body})

    def test_a_good_file_is_described(self):
        check = self.check(training_file=self.upload(CHATS))
        file = check["training_file"]
        self.assertEqual((file["valid"], file["examples"], file["faults"]), (True, 40, []))
        self.assertGreater(file["tokens"], file["tokens_after_shared_prefixes"])
        self.assertGreater(file["tokens_after_shared_prefixes"], file["trained_tokens"])
        self.assertEqual(sum(part["examples"] for part in file["lengths"]), 40)
        self.assertGreaterEqual(file["lengths"][-1]["to"], file["longest_example"])
        self.assertEqual([shown["line"] for shown in file["shown"]], [1, 2, 3])
        pieces = file["shown"][1]["pieces"]
        trained = "".join(piece["text"] for piece in pieces if piece["trained"])
        self.assertTrue(trained.startswith("It is 1. ⟨é⟩"), trained)
        self.assertIn("Say the number 1", "".join(piece["text"] for piece in pieces if not piece["trained"]))
        self.assertIsNone(check["validation_file"])
        self.assertIsInstance(check["hyperparameters"]["n_epochs"], int)
        self.assertGreater(check["estimate"]["memory_bytes"], 1e6)
        self.assertIn("measurement of this machine", check["estimate"]["basis"])

    def test_faults_are_told_by_their_lines(self):
        bad = self.upload([CHATS[0], "no json\n", {"messages": [{"role": "user", "content": "?"}]}] + CHATS)
        check = self.check(training_file=bad, validation_file=self.upload(CHATS))
        file = check["training_file"]
        self.assertEqual((file["valid"], [fault["line"] for fault in file["faults"]]), (False, [2, 3]))
        self.assertIn("assistant", file["faults"][1]["message"])
        self.assertTrue(check["validation_file"]["valid"])
        self.assertIsNone(check["estimate"])

    def test_settings_change_the_estimate(self):
        file = self.upload(CHATS)
        one = self.check(training_file=file, hyperparameters={"n_epochs": 1, "batch_size": 4})
        three = self.check(training_file=file, hyperparameters={"n_epochs": 3, "batch_size": 4}, lora={"rank": 4})
        self.assertEqual((one["estimate"]["steps"], three["estimate"]["steps"]), (10, 30))
        self.assertEqual((one["lora"]["rank"], three["lora"]["rank"]), (16, 4))
        self.assertLess(three["estimate"]["memory_bytes"], one["estimate"]["memory_bytes"])

    def test_a_job_before_says_how_fast_this_machine_is(self):
        file = self.upload(CHATS)
        job = self.client.fine_tuning.jobs.create(training_file=file, model=MODEL, hyperparameters={"n_epochs": 1})
        wait_for(lambda: self.client.fine_tuning.jobs.retrieve(job.id).status == "succeeded", 60, "the job")
        self.assertIn("latest job", self.check(training_file=file)["estimate"]["basis"])

    def test_what_is_not_there_is_refused_as_jobs_refuse_it(self):
        file = self.upload(CHATS)
        for body, status, param in (({"training_file": "file-none"}, 400, "training_file"),
                                    ({"training_file": file, "model": "none"}, 404, "model"),
                                    ({"training_file": file, "hyperparameters": {"n_epochs": -1}}, 400, None)):
            with self.assertRaises(openai.APIStatusError) as refused:
                self.check(**body)
            self.assertEqual(refused.exception.status_code, status)
            if param:
                self.assertEqual(refused.exception.param, param)

    def test_a_client_that_goes_away_leaves_nothing_behind(self):
        file = self.upload(CHATS * 2500, "large.jsonl")
        body = json.dumps({"training_file": file, "model": MODEL}).encode()
        host, port = self.server.url.split("/")[2].split(":")
        jobs = pathlib.Path(self.server.data) / "jobs"
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /v1/fine_tuning/checks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                               + self.server.key.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            wait_for(lambda: list(jobs.glob("check-*/spec.json")), 20, "the check to begin")
        wait_for(lambda: not list(jobs.glob("check-*")), 20, "its directory to go")
        for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(f"{jobs}/check-", command.read_text(errors="replace"))
            except OSError:
                pass  # it has ended meanwhile

    def test_what_a_killed_server_left_is_removed(self):
        left = pathlib.Path(self.server.data) / "jobs" / "check-left"
        left.mkdir(parents=True, exist_ok=True)
        (left / "spec.json").write_text("{}")
        self.server.stop()
        self.server.start()
        self.client.base_url = self.server.url
        self.assertFalse(left.exists())


if __name__ == "__main__":
    unittest.main()
