"""Batches through openai-python: made, followed, cancelled, refused by line, and whole after a kill -9."""
import json
import signal
import unittest

import openai

from support.server import Server, wait_for

MODEL = "temper/mini-instruct"
FINAL = {"completed", "failed", "expired", "cancelled"}


def request(number, **body):
    return {"custom_id": f"request-{number}", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": MODEL, "max_tokens": 8, "temperature": 0,
        "messages": [{"role": "user", "content": f"Say the number {number}"}], **body}}


def as_lines(rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


class Batches(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server(threads=2))
        self.connect()

    def connect(self):
        self.client = openai.OpenAI(base_url=self.server.url, api_key=self.server.key, max_retries=0)

    def begin(self, rows, **options):
        file = self.client.files.create(file=("requests.jsonl", as_lines(rows)), purpose="batch")
        return self.client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                          **{"completion_window": "24h", **options})

    def finish(self, batch):
        def final():
            now = self.client.batches.retrieve(batch.id)
            return now if now.status in FINAL else None
        return wait_for(final, 120, f"the end of {batch.id}")

    def lines(self, file_id):
        return [json.loads(line) for line in self.client.files.content(file_id).text.splitlines()] if file_id else []

    def test_each_request_is_answered_as_a_live_one_is(self):
        batch = self.begin([request(i) for i in range(30)], metadata={"team": "search"})
        self.assertEqual((batch.object, batch.status, batch.metadata), ("batch", "validating", {"team": "search"}))
        self.assertEqual(batch.expires_at - batch.created_at, 24 * 3600)
        batch = self.finish(batch)
        self.assertEqual(batch.status, "completed", batch.errors)
        counts = batch.request_counts
        self.assertEqual((counts.total, counts.completed, counts.failed), (30, 30, 0))
        self.assertIsNone(batch.error_file_id)
        results = {row["custom_id"]: row for row in self.lines(batch.output_file_id)}
        self.assertEqual(len(results), 30)
        for number in (0, 7, 29):
            live = self.client.chat.completions.create(**request(number)["body"])
            result = results[f"request-{number}"]
            self.assertEqual((result["response"]["status_code"], result["error"]), (200, None))
            self.assertRegex(result["id"], "^batch_req_")
            self.assertEqual(result["response"]["body"]["choices"][0]["message"]["content"],
                             live.choices[0].message.content)
        self.assertEqual(batch.model, MODEL)
        self.assertEqual(batch.usage.output_tokens,
                         sum(row["response"]["body"]["usage"]["completion_tokens"] for row in results.values()))
        file = self.client.files.retrieve(batch.output_file_id)
        self.assertEqual((file.purpose, file.filename), ("batch_output", f"{batch.id}_output.jsonl"))
        self.assertEqual([one.id for one in self.client.batches.list()], [batch.id])
        self.assertRaises(openai.ConflictError, self.client.batches.cancel, batch.id)

    def test_what_a_live_request_would_be_refused_for_goes_to_the_file_of_errors(self):
        rows = [request(0), request(1, temperature=9), request(2, model="nobody/none"), request(3, messages=[]),
                request(4, messages=[{"role": "user", "content": "long " * 3000}])]
        batch = self.finish(self.begin(rows, completion_window="48h"))
        self.assertEqual(batch.status, "completed")
        counts = batch.request_counts
        self.assertEqual((counts.total, counts.completed, counts.failed), (5, 1, 4))
        errors = {row["custom_id"]: row["response"] for row in self.lines(batch.error_file_id)}
        self.assertEqual({name: row["status_code"] for name, row in errors.items()},
                         {"request-1": 400, "request-2": 404, "request-3": 400, "request-4": 400})
        self.assertEqual(errors["request-1"]["body"]["error"]["param"], "temperature")
        self.assertEqual(errors["request-4"]["body"]["error"]["code"], "context_length_exceeded")
        self.assertIsNone(batch.model)

    def test_a_wrong_line_fails_the_batch_by_its_number(self):
        rows = [request(0), "", "{nothing", request(0), {**request(3), "url": "/v1/embeddings"},
                {**request(4), "method": "GET"}, {**request(5), "body": []}, {**request(6), "colour": "red"},
                {**request(7), "custom_id": ""}, request(8, stream=True), '{"a": 1, "a": 2}', "[" * 3000]
        batch = self.finish(self.begin(rows))
        self.assertEqual((batch.status, batch.output_file_id), ("failed", None))
        self.assertEqual([(error.line, error.code) for error in batch.errors.data], [
            (3, "invalid_json_line"), (4, "duplicate_custom_id"), (5, "mismatched_endpoint"), (6, "invalid_method"),
            (7, "invalid_request"), (8, "unknown_parameter"), (9, "invalid_custom_id"), (10, "invalid_request"),
            (11, "invalid_json_line"), (12, "invalid_json_line")])
        self.assertTrue(all(error.message for error in batch.errors.data))
        batch = self.finish(self.begin(["", " "]))
        self.assertEqual([error.code for error in batch.errors.data], ["empty_file"])

    def test_a_cancelled_batch_keeps_what_was_answered(self):
        batch = self.begin([request(i, max_tokens=200, messages=[{"role": "user", "content": f"Tell a story {i}"}])
                            for i in range(2000)])
        wait_for(lambda: self.client.batches.retrieve(batch.id).request_counts.completed > 3, 60, "some answers")
        self.assertEqual(self.client.batches.cancel(batch.id).status, "cancelling")
        batch = self.finish(batch)
        self.assertEqual(batch.status, "cancelled")
        output, errors = self.lines(batch.output_file_id), self.lines(batch.error_file_id)
        self.assertEqual((len(output), len(errors)), (batch.request_counts.completed, batch.request_counts.failed))
        self.assertEqual(len({row["custom_id"] for row in output + errors}), 2000)
        self.assertEqual(errors[0]["error"]["code"], "batch_cancelled")

    def test_a_killed_server_answers_each_request_once(self):
        batch = self.begin([request(i, max_tokens=12) for i in range(150)])
        for enough in (20, 70, 120):
            wait_for(lambda: self.client.batches.retrieve(batch.id).request_counts.completed >= enough, 60, "answers")
            self.server.stop(signal.SIGKILL)
            self.server.start()
            self.connect()
        batch = self.finish(batch)
        self.assertEqual(batch.status, "completed", batch.errors)
        results = self.lines(batch.output_file_id)
        self.assertEqual(sorted(row["custom_id"] for row in results), sorted(f"request-{i}" for i in range(150)))

    def test_a_batch_goes_on_after_an_orderly_end_of_the_server(self):
        batch = self.begin([request(i, max_tokens=12) for i in range(60)])
        wait_for(lambda: self.client.batches.retrieve(batch.id).request_counts.completed >= 5, 60, "answers")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.connect()
        batch = self.finish(batch)
        results = self.lines(batch.output_file_id)
        self.assertEqual(len({row["custom_id"] for row in results}), len(results))
        self.assertEqual(batch.request_counts.completed, 60)

    def test_live_requests_go_ahead_of_a_batch(self):
        batch = self.begin([request(i, max_tokens=300, messages=[{"role": "user", "content": f"Tell a story {i}"}])
                            for i in range(400)])
        wait_for(lambda: self.client.batches.retrieve(batch.id).status == "in_progress", 60, "the batch's beginning")
        before = self.client.batches.retrieve(batch.id).request_counts.completed
        for number in range(20):
            self.client.chat.completions.create(**request(number)["body"])
        after = self.client.batches.retrieve(batch.id).request_counts.completed
        self.assertLess(after - before, 380)
        self.client.batches.cancel(batch.id)
        self.finish(batch)

    def test_results_expire_as_was_asked_for(self):
        batch = self.finish(self.begin([request(0), request(1, temperature=9)],
                                       output_expires_after={"anchor": "created_at", "seconds": 7200}))
        for file_id in (batch.output_file_id, batch.error_file_id):
            file = self.client.files.retrieve(file_id)
            self.assertEqual(file.expires_at - file.created_at, 7200)
        for wrong in ({"anchor": "created_at", "seconds": 60}, {"anchor": "now", "seconds": 7200}, {"seconds": 7200}):
            self.assertRaises(openai.BadRequestError, self.begin, [request(0)], output_expires_after=wrong)

    def ask_later(self, number=3, **wish):
        return self.client.chat.completions.create(**request(number)["body"], extra_body={"metadata": {
            "team": "search", "@kluster.ai": {"async": True, "completion_window": "48h", **wish}}})

    def test_an_asynchronous_chat_is_a_batch_of_one(self):
        acknowledged = self.ask_later()
        self.assertEqual(acknowledged.object, "chat.completion")
        self.assertIn("queued", acknowledged.choices[0].message.content)
        batch = self.client.batches.list().data[0]
        self.assertTrue(acknowledged.id.startswith(batch.id))
        batch = self.finish(batch)
        self.assertEqual((batch.status, batch.completion_window, batch.metadata),
                         ("completed", "48h", {"team": "search"}))
        self.assertEqual(batch.request_counts.total, 1)
        result = self.lines(batch.output_file_id)[0]
        self.assertEqual(result["custom_id"], acknowledged.id)
        live = self.client.chat.completions.create(**request(3)["body"], metadata={"team": "search"})
        self.assertEqual(result["response"]["body"]["choices"][0]["message"]["content"],
                         live.choices[0].message.content)

    def test_a_chat_that_is_not_to_be_asynchronous_is_answered_at_once(self):
        self.assertEqual(self.ask_later(**{"async": False}).usage.prompt_tokens,
                         self.client.chat.completions.create(**request(3)["body"]).usage.prompt_tokens)
        self.assertEqual(self.client.batches.list().data, [])

    def test_an_asynchronous_chat_is_checked_as_a_live_one_is(self):
        wishes = [{"completion_window": "1h"}, {"completion_window": None}, {"async": "yes"}, {"colour": "red"}]
        for wish in wishes:
            with self.subTest(wish=wish), self.assertRaises(openai.BadRequestError) as caught:
                self.ask_later(**wish)
            self.assertEqual(caught.exception.param, f"metadata.@kluster.ai.{next(iter(wish))}")
        body = {**request(3)["body"], "extra_body": {"metadata": {
            "@kluster.ai": {"async": True, "completion_window": "24h"}}}}
        for wrong, param in (({"temperature": 9}, "temperature"), ({"stream": True}, "stream")):
            with self.subTest(wrong=wrong), self.assertRaises(openai.BadRequestError) as caught:
                self.client.chat.completions.create(**{**body, **wrong})
            self.assertEqual(caught.exception.param, param)
        self.assertRaises(openai.NotFoundError, self.client.chat.completions.create, **{**body, "model": "none"})
        self.assertEqual(self.client.batches.list().data, [])

    def test_what_cannot_be_a_batch_is_refused(self):
        file = self.client.files.create(file=("a.jsonl", as_lines([request(0)])), purpose="fine-tune")
        for wrong in ({"input_file_id": "file-none"}, {"input_file_id": file.id}, {"endpoint": "/v1/embeddings"},
                      {"completion_window": "1h"}, {"metadata": {"a": "b" * 600}}):
            with self.subTest(wrong=wrong), self.assertRaises(openai.BadRequestError) as caught:
                good = self.client.files.create(file=("a.jsonl", as_lines([request(0)])), purpose="batch")
                self.client.batches.create(**{"input_file_id": good.id, "endpoint": "/v1/chat/completions",
                                              "completion_window": "24h", **wrong})
            self.assertEqual(caught.exception.param, next(iter(wrong)))
        self.assertRaises(openai.NotFoundError, self.client.batches.retrieve, "batch_none")
        self.assertRaises(openai.NotFoundError, self.client.batches.cancel, "batch_none")


if __name__ == "__main__":
    unittest.main()
