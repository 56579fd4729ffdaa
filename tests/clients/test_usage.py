"""What was used, counted and told; and lists that are searched."""
import time
import unittest

import openai

from support.server import Server, wait_for

MODEL = "temper/mini-instruct"
CHATS = "".join('{"messages": [{"role": "user", "content": "Say %d"}, {"role": "assistant", "content": "%d"}]}\n' % (i, i)
                for i in range(12)).encode()


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2))
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def chat(self, **more):
        return self.client.chat.completions.create(model=MODEL, max_tokens=4, **more,
                                                   messages=[{"role": "user", "content": "Hello"}])

    def usage(self, kind="completions", **query):
        query = {"start_time": int(time.time()) - 7200, "bucket_width": "1h", **query}
        return self.client.get(f"/organization/usage/{kind}", cast_to=object, options={"params": query})

    def total(self, field, kind="completions", **query):
        return sum(result[field] for bucket in self.usage(kind, **query)["data"] for result in bucket["results"])

    def test_chats_of_all_kinds_count(self):
        before = self.total("num_model_requests"), self.total("output_tokens")
        whole = self.chat()
        for _ in self.chat(stream=True):
            pass
        self.assertEqual(self.total("num_model_requests"), before[0] + 2)
        self.assertGreaterEqual(self.total("output_tokens"), before[1] + whole.usage.completion_tokens)
        results = [result for bucket in self.usage(group_by="model")["data"] for result in bucket["results"]]
        self.assertEqual({result["model"] for result in results}, {MODEL})

    def test_buckets_are_whole_and_come_by_pages(self):
        start = int(time.time()) - 5 * 3600
        first = self.usage(start_time=start, limit=2)
        self.assertEqual((first["object"], len(first["data"]), first["has_more"]), ("page", 2, True))
        self.assertEqual(first["data"][0]["start_time"] % 3600, 0)
        self.assertEqual(first["data"][1]["start_time"], first["data"][0]["end_time"])
        seen, page = list(first["data"]), first
        while page["has_more"]:
            page = self.usage(start_time=start, limit=2, page=page["next_page"])
            seen += page["data"]
        starts = [bucket["start_time"] for bucket in seen]
        self.assertEqual(starts, list(range(starts[0], starts[0] + 3600 * len(starts), 3600)))
        self.assertGreaterEqual(len(starts), 6)

    def test_jobs_count_when_they_end(self):
        file = self.client.files.create(file=("few chats.jsonl", CHATS), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model=MODEL, suffix="counted",
                                                  hyperparameters={"n_epochs": 1})
        wait_for(lambda: self.client.fine_tuning.jobs.retrieve(job.id).status == "succeeded", 60, "the job")
        trained = self.client.fine_tuning.jobs.retrieve(job.id).trained_tokens
        self.assertEqual(self.total("trained_tokens", "fine_tuning", group_by="model"), trained)
        self.assertEqual(self.total("num_jobs", "fine_tuning"), 1)
        listed = self.client.get("/fine_tuning/jobs?search=COUNT", cast_to=object)["data"]
        self.assertEqual([one["id"] for one in listed], [job.id])
        self.assertEqual(self.client.get("/fine_tuning/jobs?search=none", cast_to=object)["data"], [])

    def test_other_accounts_see_nothing_of_it(self):
        self.chat()
        other = openai.OpenAI(base_url=self.server.url, api_key=self.server.make_key("other"))
        page = other.get("/organization/usage/completions", cast_to=object,
                         options={"params": {"start_time": int(time.time()) - 3600}})
        self.assertEqual([bucket["results"] for bucket in page["data"] if bucket["results"]], [])

    def test_counts_outlast_the_server(self):
        self.chat()
        before = self.total("num_model_requests")
        self.server.stop()
        self.server.start()
        self.client.base_url = self.server.url
        self.assertEqual(self.total("num_model_requests"), before)

    def test_what_makes_no_sense_is_refused(self):
        now = int(time.time())
        for query, param in (({"start_time": "x"}, "start_time"), ({"start_time": now, "end_time": now - 5}, "end_time"),
                             ({"limit": 200}, "limit"), ({"bucket_width": "2h"}, "bucket_width"),
                             ({"page": "1"}, "page"), ({"group_by": "mood"}, "group_by")):
            with self.assertRaises(openai.BadRequestError) as refused:
                self.usage(**query)
            self.assertEqual(refused.exception.param, param)
        with self.assertRaises(openai.BadRequestError):
            self.client.get("/organization/usage/completions", cast_to=object)

    def test_files_and_batches_are_searched(self):
        for name in ("Alpha 100%.jsonl", "alpha_2.jsonl", "beta.jsonl"):
            self.client.files.create(file=(name, CHATS), purpose="fine-tune")
        names = lambda text: [one["filename"] for one in self.client.get(
            "/files", cast_to=object, options={"params": {"search": text, "limit": 2}})["data"]]
        self.assertEqual(names("ALPHA"), ["alpha_2.jsonl", "Alpha 100%.jsonl"])
        self.assertEqual(names("0%"), ["Alpha 100%.jsonl"])
        self.assertEqual(names("a_"), ["alpha_2.jsonl"])
        line = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "temper/mini-instruct",' \
               b' "max_tokens": 2, "messages": [{"role": "user", "content": "x"}]}}\n'
        file = self.client.files.create(file=("requests.jsonl", line), purpose="batch")
        batch = self.client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                           completion_window="24h", metadata={"note": "Nightly run"})
        found = self.client.get("/batches?search=nightly", cast_to=object)["data"]
        self.assertEqual([one["id"] for one in found], [batch.id])
        self.assertEqual(self.client.get("/batches?search=daily", cast_to=object)["data"], [])
        wait_for(lambda: self.client.batches.retrieve(batch.id).status == "completed", 60, "the batch")


if __name__ == "__main__":
    unittest.main()
