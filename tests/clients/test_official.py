"""What openai-python offers around the calls: asynchronous clients, pages, raw answers, typed errors, retries."""
import asyncio
import json
import unittest

import openai

from support.server import Server

CHATS = "".join(json.dumps({"messages": [{"role": "user", "content": f"Say {i}"},
                                         {"role": "assistant", "content": f"{i}"}]}) + "\n" for i in range(12)).encode()
MODEL = "temper/mini-instruct"
QUESTION = [{"role": "user", "content": "Say the number 3"}]


class TestOfficial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def with_async(self, work):
        async def run():
            async with openai.AsyncOpenAI(base_url=self.server.url, api_key=self.server.key, max_retries=0) as client:
                return await work(client)
        return asyncio.run(run())

    def test_the_asynchronous_client_does_the_same(self):
        async def work(client):
            file = await client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
            job = await client.fine_tuning.jobs.create(training_file=file.id, model=MODEL,
                                                       hyperparameters={"n_epochs": 1})
            while job.status not in ("succeeded", "failed", "cancelled"):
                await asyncio.sleep(0.1)
                job = await client.fine_tuning.jobs.retrieve(job.id)
            messages = [event.message async for event in client.fine_tuning.jobs.list_events(job.id, limit=3)]
            return job, messages
        job, messages = self.with_async(work)
        self.assertEqual(job.status, "succeeded", job.error)
        self.assertEqual(messages[0], "The job has successfully completed")
        self.assertGreater(len(messages), 6)
        self.assertEqual(len(messages), len(set(messages)))

    def test_many_asynchronous_answers_are_those_of_one_at_a_time(self):
        def ask(client, number):
            return client.chat.completions.create(model=MODEL, max_tokens=12, seed=number, messages=[
                {"role": "user", "content": f"Tell me about the number {number}"}])

        async def work(client):
            return [answer.choices[0].message.content
                    for answer in await asyncio.gather(*(ask(client, number) for number in range(24)))]
        alone = [ask(self.client, number).choices[0].message.content for number in range(24)]
        self.assertEqual(self.with_async(work), alone)

    def test_an_asynchronous_stream_has_the_pieces_of_the_whole(self):
        async def work(client):
            stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0, max_tokens=20,
                                                          stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        whole = self.client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0, max_tokens=20)
        self.assertEqual(self.with_async(work), whole.choices[0].message.content)

    def test_pages_are_walked_to_their_end(self):
        made = [self.client.files.create(file=(f"{i}.jsonl", CHATS), purpose="batch").id for i in range(7)]
        newest_first = [file.id for file in self.client.files.list(purpose="batch", limit=3)]
        self.assertEqual(newest_first, made[::-1])
        oldest_first = [file.id for file in self.client.files.list(purpose="batch", limit=2, order="asc")]
        self.assertEqual(oldest_first, made)
        page = self.client.files.list(purpose="batch", limit=3)
        self.assertTrue(page.has_more and page.has_next_page())
        self.assertEqual([file.id for file in page.get_next_page().data], made[3:0:-1])

    def test_raw_answers_show_their_headers(self):
        raw = self.client.models.with_raw_response.list()
        self.assertEqual(raw.headers["content-type"], "application/json")
        self.assertTrue(raw.request_id.startswith("req_"))
        self.assertEqual(raw.headers["openai-version"], "2020-10-01")
        self.assertGreaterEqual(float(raw.headers["openai-processing-ms"]), 0)
        self.assertIn(MODEL, [model.id for model in raw.parse().data])
        answer = self.client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=2)
        self.assertTrue(answer._request_id.startswith("req_"))
        with self.client.chat.completions.with_streaming_response.create(model=MODEL, messages=QUESTION,
                                                                         max_tokens=2) as streamed:
            self.assertEqual(streamed.status_code, 200)

    def test_errors_have_their_types(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=3)
        error = caught.exception
        self.assertEqual((error.status_code, error.param, error.code, error.type),
                         (400, "temperature", "decimal_above_max_value", "invalid_request_error"))
        self.assertTrue(error.request_id.startswith("req_"))
        stranger = openai.OpenAI(base_url=self.server.url, api_key="sk-temper-no", max_retries=0)
        self.assertRaises(openai.AuthenticationError, stranger.models.list)
        self.assertRaises(openai.NotFoundError, self.client.models.retrieve, "nobody/nothing")
        self.assertRaises(openai.NotFoundError, self.client.files.retrieve, "file-none")
        self.assertRaises(openai.PermissionDeniedError, self.client.models.delete, MODEL)
        file = self.client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model=MODEL)
        self.client.fine_tuning.jobs.cancel(job.id)
        with self.assertRaises(openai.ConflictError) as caught:
            self.client.fine_tuning.jobs.cancel(job.id)
        self.assertEqual(caught.exception.response.headers["x-should-retry"], "false")

    def test_what_one_account_has_no_other_sees(self):
        other = openai.OpenAI(base_url=self.server.url, api_key=self.server.make_key("other"), max_retries=0)
        file = self.client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model=MODEL)
        for look in (lambda: other.files.retrieve(file.id), lambda: other.files.content(file.id),
                     lambda: other.files.delete(file.id), lambda: other.fine_tuning.jobs.retrieve(job.id),
                     lambda: other.fine_tuning.jobs.cancel(job.id),
                     lambda: other.fine_tuning.jobs.list_events(job.id),
                     lambda: other.fine_tuning.jobs.checkpoints.list(job.id)):
            self.assertRaises(openai.NotFoundError, look)
        self.assertRaises(openai.BadRequestError, lambda: other.fine_tuning.jobs.create(training_file=file.id, model=MODEL))
        self.assertEqual((list(other.files.list()), list(other.fine_tuning.jobs.list())), ([], []))
        self.client.fine_tuning.jobs.cancel(job.id)


if __name__ == "__main__":
    unittest.main()
