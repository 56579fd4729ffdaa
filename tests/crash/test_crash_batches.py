"""Killed at any moments, from the check of its input to its last result, a batch has one result for each request."""
import json
import random
import signal
import time
import unittest
import urllib.request

from support.server import Server, wait_for

COUNT, FAILING = 600, 60


def request(number):
    return {"custom_id": f"request-{number}", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "temper/mini-instruct", "max_tokens": 4, "temperature": 9 if number < FAILING else 0,
        "messages": [{"role": "user", "content": f"Say the number {number}"}]}}


def as_form(content):
    part = "--edge\r\nContent-Disposition: form-data; name="
    return (f'{part}"purpose"\r\n\r\nbatch\r\n{part}"file"; filename="requests.jsonl"\r\n\r\n{content}\r\n'
            "--edge--\r\n").encode()


class Batches(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server(threads=2))

    def open(self, path, body=None):
        return urllib.request.urlopen(urllib.request.Request(self.server.url + path, data=body, headers={
            "Authorization": f"Bearer {self.server.key}", "Content-Type": "multipart/form-data; boundary=edge"}))

    def begin(self):
        with self.open("/files", as_form("".join(json.dumps(request(i)) + "\n" for i in range(COUNT)))) as answer:
            file = json.load(answer)["id"]
        return self.server.request("/batches", {"input_file_id": file, "endpoint": "/v1/chat/completions",
                                                "completion_window": "24h"})["id"]

    def results(self, file):
        with self.open(f"/files/{file}/content") as answer:
            return sorted(json.loads(line)["custom_id"] for line in answer)

    def test_each_request_has_one_result_whenever_the_server_was_killed(self):
        seed = random.randrange(1 << 30)
        print(f"seed of the moments: {seed}")
        moments = random.Random(seed)
        path = f"/batches/{self.begin()}"
        before = 0
        for _ in range(8):
            time.sleep(moments.uniform(0, 0.4))
            self.server.stop(signal.SIGKILL)
            self.server.start()
            counts = self.server.request(path)["request_counts"]
            self.assertGreaterEqual(counts["completed"] + counts["failed"], before)
            before = counts["completed"] + counts["failed"]
        batch = wait_for(lambda: (now := self.server.request(path))["status"] == "completed" and now, 120,
                         "the end of the batch")
        self.assertEqual(self.results(batch["error_file_id"]), sorted(f"request-{i}" for i in range(FAILING)))
        self.assertEqual(self.results(batch["output_file_id"]), sorted(f"request-{i}" for i in range(FAILING, COUNT)))
        wait_for(lambda: not list(self.server.data.glob("batches/*")), 10, "the end of the batch's directory")


if __name__ == "__main__":
    unittest.main()
