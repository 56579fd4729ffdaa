"""Files and uploads in parts, through openai-python and raw requests: ranges, expiry, restarts, and memory that stays."""
import hashlib
import http.client
import io
import json
import os
import pathlib
import signal
import threading
import unittest
import urllib.parse

import openai

from support.server import Server

PART = 64 << 20
CHATS = "".join(json.dumps({"messages": [{"role": "user", "content": f"Say {i}"},
                                         {"role": "assistant", "content": f"{i}"}]}) + "\n" for i in range(12)).encode()


class TestUploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.connect()

    @classmethod
    def connect(cls):
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def begin(self, content, purpose="batch", **options):
        return self.client.uploads.create(bytes=len(content), filename="requests.jsonl", purpose=purpose,
                                          mime_type="application/jsonl", **options)

    def add(self, upload, content):
        return self.client.uploads.parts.create(upload.id, data=content).id

    def get_range(self, file, value):
        address = urllib.parse.urlsplit(self.server.url)
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        connection.request("GET", f"/v1/files/{file.id}/content", headers={
            "Authorization": f"Bearer {self.server.key}", "Range": value})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content, answer.headers.get("Content-Range")

    def test_parts_become_a_file_in_the_order_that_is_asked_for(self):
        content = os.urandom(300_000)
        upload = self.begin(content)
        self.assertEqual((upload.object, upload.status, upload.bytes, upload.file), ("upload", "pending", 300_000, None))
        self.assertEqual(upload.expires_at - upload.created_at, 3600)
        last, first, again = (self.add(upload, piece) for piece in (content[200_000:], content[:200_000],
                                                                     content[:200_000]))
        self.assertNotEqual(first, again)
        done = self.client.uploads.complete(upload.id, part_ids=[again, last], md5=hashlib.md5(content).hexdigest())
        self.assertEqual((done.status, done.file.bytes, done.file.purpose, done.file.filename),
                         ("completed", 300_000, "batch", "requests.jsonl"))
        self.assertEqual(self.client.files.content(done.file.id).content, content)
        self.assertFalse((self.server.data / "uploads" / upload.id).exists())
        self.assertRaises(openai.ConflictError, self.client.uploads.complete, upload.id, part_ids=[first])
        self.assertRaises(openai.ConflictError, self.client.uploads.cancel, upload.id)
        self.assertRaises(openai.ConflictError, self.add, upload, b"more")

    def test_a_completion_that_is_wrong_leaves_the_upload_pending(self):
        content = os.urandom(5000)
        upload = self.begin(content)
        whole, other = self.add(upload, content), self.add(upload, os.urandom(5000))
        for part_ids, md5, param in (([whole, other], None, "part_ids"), (["part_none"], None, "part_ids"),
                                     ([other], hashlib.md5(content).hexdigest(), "md5"), ([whole], "xyz", "md5"),
                                     ([], None, "part_ids")):
            with self.subTest(param=param, part_ids=part_ids), self.assertRaises(openai.BadRequestError) as caught:
                self.client.uploads.complete(upload.id, part_ids=part_ids, **({"md5": md5} if md5 else {}))
            self.assertEqual(caught.exception.param, param)
        self.assertEqual(self.client.uploads.complete(upload.id, part_ids=[whole]).status, "completed")

    def test_the_library_uploads_a_file_in_chunks(self):
        content = os.urandom(1_000_000)
        done = self.client.uploads.upload_file_chunked(file=content, filename="big.jsonl", bytes=len(content),
                                                       purpose="batch", mime_type="text/jsonl", part_size=300_000)
        self.assertEqual(done.status, "completed")
        self.assertEqual(self.client.files.content(done.file.id).content, content)
        path = self.server.data / "on-disk.jsonl"
        path.write_bytes(CHATS)
        done = self.client.uploads.upload_file_chunked(file=path, purpose="fine-tune", mime_type="text/jsonl")
        self.assertEqual((done.file.purpose, done.file.bytes), ("fine-tune", len(CHATS)))

    def test_parts_may_come_side_by_side(self):
        pieces = [os.urandom(200_000) for _ in range(8)]
        upload = self.begin(b"".join(pieces))
        ids = [None] * len(pieces)

        def send(index):
            ids[index] = self.add(upload, pieces[index])
        threads = [threading.Thread(target=send, args=[index]) for index in range(len(pieces))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = self.client.uploads.complete(upload.id, part_ids=ids)
        self.assertEqual(self.client.files.content(done.file.id).content, b"".join(pieces))

    def test_parts_survive_a_server_that_is_killed(self):
        content = os.urandom(100_000)
        upload = self.begin(content)
        first = self.add(upload, content[:60_000])
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.connect()
        type(self).client = self.client
        done = self.client.uploads.complete(upload.id, part_ids=[first, self.add(upload, content[60_000:])])
        self.assertEqual(self.client.files.content(done.file.id).content, content)

    def test_a_cancelled_upload_takes_nothing_more(self):
        upload = self.begin(b"12345")
        part = self.add(upload, b"12345")
        self.assertEqual(self.client.uploads.cancel(upload.id).status, "cancelled")
        self.assertFalse((self.server.data / "uploads" / upload.id).exists())
        self.assertRaises(openai.ConflictError, self.add, upload, b"12345")
        self.assertRaises(openai.ConflictError, self.client.uploads.complete, upload.id, part_ids=[part])

    def test_limits_are_those_of_the_api(self):
        for wrong in ({"bytes": 0}, {"bytes": (8 << 30) + 1}, {"purpose": "assistants"}, {"filename": ""},
                      {"purpose": "fine-tune", "bytes": (100 << 20) + 1}, {"mime_type": 3},
                      {"expires_after": {"anchor": "created_at", "seconds": 5}}):
            with self.subTest(wrong=wrong), self.assertRaises(openai.BadRequestError):
                self.client.uploads.create(**{"bytes": 10, "filename": "a", "purpose": "batch", "mime_type": "text/jsonl",
                                              **wrong})
        eight = self.client.uploads.create(bytes=8 << 30, filename="a", purpose="batch", mime_type="text/jsonl")
        self.assertEqual(eight.bytes, 8 << 30)
        upload = self.begin(b"x" * 100)
        with self.assertRaises(openai.APIStatusError) as caught:
            self.add(upload, b"x" * (PART + 1))
        self.assertEqual(caught.exception.status_code, 413)
        self.assertRaises(openai.BadRequestError, self.add, upload, b"")
        other = openai.OpenAI(base_url=self.server.url, api_key=self.server.make_key("other"), max_retries=0)
        self.assertRaises(openai.NotFoundError, other.uploads.parts.create, upload.id, data=b"x")
        self.assertRaises(openai.NotFoundError, other.uploads.cancel, upload.id)

    def test_a_part_of_a_file_is_given_by_its_range(self):
        file = self.client.files.create(file=("a.jsonl", b"0123456789"), purpose="batch")
        self.assertEqual(self.get_range(file, "bytes=2-4"), (206, b"234", "bytes 2-4/10"))
        self.assertEqual(self.get_range(file, "bytes=7-"), (206, b"789", "bytes 7-9/10"))
        self.assertEqual(self.get_range(file, "bytes=-3"), (206, b"789", "bytes 7-9/10"))
        self.assertEqual(self.get_range(file, "bytes=0-99999999999999999"), (206, b"0123456789", "bytes 0-9/10"))
        self.assertEqual(self.get_range(file, "bytes=-99"), (206, b"0123456789", "bytes 0-9/10"))
        status, body, told = self.get_range(file, "bytes=10-")
        self.assertEqual((status, told, json.loads(body)["error"]["code"]), (416, "bytes */10", "invalid_range"))
        for passed_over in ("bytes=4-2", "bytes=a-b", "bytes=0-1,4-5", "lines=1-2", "bytes=", "bytes=--1",
                            "bytes=99999999999999999999-"):
            with self.subTest(header=passed_over):
                self.assertEqual(self.get_range(file, passed_over), (200, b"0123456789", None))

    def test_a_file_that_a_job_or_a_batch_needs_stays(self):
        file = self.client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model="temper/mini-instruct",
                                                  hyperparameters={"n_epochs": 50, "batch_size": 1})
        with self.assertRaises(openai.ConflictError) as caught:
            self.client.files.delete(file.id)
        self.assertIn(job.id, caught.exception.message)
        self.assertEqual(caught.exception.response.headers["x-should-retry"], "false")
        self.client.fine_tuning.jobs.cancel(job.id)
        self.assertTrue(self.client.files.delete(file.id).deleted)

    def test_files_say_when_they_expire(self):
        file = self.client.files.create(file=("a.jsonl", CHATS), purpose="batch",
                                        expires_after={"anchor": "created_at", "seconds": 3600})
        self.assertEqual(file.expires_at - file.created_at, 3600)
        content = b"12345"
        upload = self.begin(content, expires_after={"anchor": "created_at", "seconds": 7200})
        done = self.client.uploads.complete(upload.id, part_ids=[self.add(upload, content)])
        self.assertEqual(done.file.expires_at - done.file.created_at, 7200)
        for wrong in ({"anchor": "created_at", "seconds": 10}, {"anchor": "last_active_at", "seconds": 4000}):
            with self.assertRaises(openai.BadRequestError):
                self.client.files.create(file=("a.jsonl", CHATS), purpose="batch", expires_after=wrong)

    def test_memory_stays_while_ten_clients_upload(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status")

        def peak():
            return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
        pathlib.Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")
        before = peak()
        content = os.urandom(1 << 20) * 20

        def send():
            self.client.files.create(file=("big.jsonl", io.BytesIO(content)), purpose="batch")
        threads = [threading.Thread(target=send) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(peak() - before, 64 << 10)  # in KiB


if __name__ == "__main__":
    unittest.main()
