"""The objects, lists and headers of the API, field by field, as JSON: what a client written for either of the two
services may read."""
import http.client
import json
import re
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

import openai

from support.server import TEMPER, Server, wait_for

FILE = {"id", "object", "bytes", "created_at", "filename", "purpose", "status", "status_details", "expires_at"}
JOB = {"id", "object", "model", "created_at", "finished_at", "fine_tuned_model", "organization_id", "result_files",
       "status", "validation_file", "training_file", "hyperparameters", "trained_tokens", "error", "seed",
       "estimated_finish", "method", "metadata", "integrations"}
EVENT = {"object", "id", "created_at", "level", "message", "type", "data"}
METRICS = {"step", "total_steps", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy",
           "full_valid_loss", "full_valid_mean_token_accuracy"}
CHECKPOINT = {"id", "object", "created_at", "fine_tuned_model_checkpoint", "step_number", "metrics",
              "fine_tuning_job_id"}
CHAT = {"id", "object", "created", "model", "choices", "usage"}
HYPERPARAMETERS = {"batch_size": 4, "n_epochs": 2, "learning_rate_multiplier": 1}
HELLO = [{"role": "user", "content": "Hello"}]


def rows(count):
    return "".join(json.dumps({"messages": [{"role": "user", "content": f"Say {i}"},
                                            {"role": "assistant", "content": f"It is {i}."}]}) + "\n"
                   for i in range(count)).encode()


class Objects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(threads=2)
        cls.server.__enter__()
        try:
            cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)
            cls.file = cls.client.files.create(file=("rows.jsonl", rows(12)), purpose="fine-tune").id
            cls.job = cls.request("POST", "/fine_tuning/jobs", {
                "training_file": cls.file, "model": "temper/mini-instruct", "hyperparameters": HYPERPARAMETERS,
                "metadata": {"team": "support"}, "suffix": "fields"})[1]
            cls.done = wait_for(lambda: (lambda job: job if job["finished_at"] else None)(
                cls.request("GET", f"/fine_tuning/jobs/{cls.job['id']}")[1]), 120, "the job's end")
        except BaseException:
            cls.server.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    @classmethod
    def request(cls, method, path, body=None, key=None):
        """(status, JSON, headers), errors too."""
        request = urllib.request.Request(cls.server.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {key or cls.server.key}",
                                                  "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response), response.headers
        except urllib.error.HTTPError as error:
            return error.code, json.load(error), error.headers

    def get(self, path):
        status, body, _ = self.request("GET", path)
        self.assertEqual(status, 200, body)
        return body

    def error(self, status, method, path, body=None, **options):
        got, answer, headers = self.request(method, path, body, **options)
        self.assertEqual(got, status, answer)
        self.assertEqual(set(answer), {"error"})
        self.assertEqual(set(answer["error"]), {"message", "type", "param", "code"})
        self.assertTrue(answer["error"]["message"])
        return answer["error"], headers

    def has(self, fields, found):
        self.assertLessEqual(fields, set(found), fields - set(found))

    def test_a_file_has_every_field(self):
        file = self.get(f"/files/{self.file}")
        self.has(FILE, file)
        self.assertRegex(file["id"], r"^file-[A-Za-z0-9]{24}$")
        self.assertIsInstance(file["created_at"], int)

    def test_a_job_has_every_field_before_and_after(self):
        for job in (self.job, self.done):
            self.has(JOB, job)
            self.assertRegex(job["id"], r"^ftjob-[A-Za-z0-9]{24}$")
            self.assertEqual(job["metadata"], {"team": "support"})
            self.assertEqual(job["integrations"], [])
            self.assertEqual(job["hyperparameters"], HYPERPARAMETERS)
            supervised = job["method"]["supervised"]
            self.assertEqual((job["method"]["type"], supervised["hyperparameters"]), ("supervised", HYPERPARAMETERS))
            self.assertEqual({name: supervised[name] for name in HYPERPARAMETERS}, HYPERPARAMETERS)
        self.assertEqual((self.job["result_files"], self.job["error"], self.job["trained_tokens"]), ([], None, None))
        self.assertEqual(self.done["status"], "succeeded", self.done["error"])
        self.assertEqual(len(self.done["result_files"]), 1)
        result = self.get(f"/files/{self.done['result_files'][0]}")
        self.assertEqual((result["purpose"], result["filename"]), ("fine-tune-results", "step_metrics.csv"))

    def test_events_and_metrics_have_every_field_newest_first(self):
        page = self.get(f"/fine_tuning/jobs/{self.job['id']}/events?limit=100")
        self.has({"object", "data", "has_more"}, page)
        self.assertEqual((page["object"], page["has_more"]), ("list", False))
        for event in page["data"]:
            self.has(EVENT, event)
            self.assertRegex(event["id"], r"^ftevent-[A-Za-z0-9]{24}$")
        metrics = [event["data"] for event in page["data"] if event["type"] == "metrics"]
        self.assertEqual([event["step"] for event in metrics], [6, 5, 4, 3, 2, 1])
        for event in metrics:
            self.has(METRICS, event)
        messages = [event["message"] for event in page["data"]]
        self.assertTrue(any(re.match(r"Step 6/6: training loss=\d+\.\d+", message) for message in messages), messages)
        self.assertTrue(any("Checkpoint created at step 3" in message for message in messages), messages)
        self.assertEqual(messages[-4:], ["Fine-tuning job started", "Files validated, moving job to queued state",
                                         f"Validating training file: {self.file}",
                                         f"Created fine-tuning job: {self.job['id']}"])

    def test_checkpoints_have_every_field(self):
        page = self.get(f"/fine_tuning/jobs/{self.job['id']}/checkpoints")
        self.assertEqual([each["step_number"] for each in page["data"]], [6, 3])
        for each in page["data"]:
            self.has(CHECKPOINT, each)
            self.assertRegex(each["id"], r"^ftckpt_[A-Za-z0-9]{24}$")
            self.assertTrue(each["fine_tuned_model_checkpoint"].startswith(self.done["fine_tuned_model"]))
            self.assertTrue(each["fine_tuned_model_checkpoint"].endswith(f":ckpt-step-{each['step_number']}"))
            self.has(METRICS - {"total_steps"}, each["metrics"])

    def test_lists_go_page_by_page_to_their_end(self):
        path = f"/fine_tuning/jobs/{self.job['id']}/events"
        whole = [event["id"] for event in self.get(path + "?limit=100")["data"]]
        ids, after, pages = [], "", 0
        while True:
            page = self.get(f"{path}?limit=3{after}")
            ids += [event["id"] for event in page["data"]]
            pages += 1
            self.has({"first_id", "last_id"}, page)
            if not page["has_more"]:
                break
            self.assertEqual((len(page["data"]), page["last_id"]), (3, page["data"][-1]["id"]))
            after = f"&after={page['last_id']}"
        self.assertEqual(ids, whole)
        self.assertEqual(pages, (len(whole) + 2) // 3)
        names = [self.client.files.create(file=(f"{i}.jsonl", rows(1)), purpose="batch").id for i in range(5)]
        listed = [file.id for file in self.client.files.list(purpose="batch", limit=2)]
        self.assertEqual(listed, names[::-1])
        self.assertEqual([file.id for file in self.client.files.list(purpose="batch", limit=2, order="asc")], names)
        self.assertIn(self.job["id"], [job.id for job in self.client.fine_tuning.jobs.list(limit=1)])
        for limit in ("0", "-1", "x", "101"):
            self.error(400, "GET", f"{path}?limit={limit}")

    def test_models_by_name_however_it_is_written(self):
        name = self.done["fine_tuned_model"]
        models = self.get("/models")["data"]
        for model in models:
            self.has({"id", "object", "created", "owned_by"}, model)
        base = next(model for model in models if model["id"] == "temper/mini-instruct")
        self.assertIn("fine-tunable", base["tags"])
        for path in (name, urllib.parse.quote(name, safe=""), "temper/mini-instruct", "temper%2Fmini-instruct"):
            self.assertEqual(self.get(f"/models/{path}")["object"], "model")
        self.assertEqual(self.get("/models/")["object"], "list")
        self.error(404, "GET", "/models/ft:temper:mini-instruct:personal:00000000")

    def test_a_chat_has_every_field(self):
        status, chat, headers = self.request("POST", "/chat/completions", {
            "model": "temper/mini-instruct", "messages": HELLO, "max_tokens": 4, "temperature": 0})
        self.assertEqual(status, 200, chat)
        self.has(CHAT, chat)
        self.assertEqual(chat["object"], "chat.completion")
        self.assertRegex(chat["id"], r"^chatcmpl-")
        choice = chat["choices"][0]
        self.has({"index", "message", "logprobs", "finish_reason"}, choice)
        self.assertEqual((choice["index"], choice["message"]["role"], choice["finish_reason"]),
                         (0, "assistant", "length"))
        self.assertEqual(chat["usage"]["completion_tokens"], 4)
        self.assertRegex(headers["x-request-id"], r"^req_[A-Za-z0-9]+$")
        self.assertTrue(headers["openai-processing-ms"].isdigit())

    def test_a_stream_as_it_goes_over_the_wire(self):
        address = urllib.parse.urlsplit(self.server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        connection.request("POST", "/v1/chat/completions", json.dumps({
            "model": "temper/mini-instruct", "messages": HELLO, "max_tokens": 5, "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}}), {"Authorization": f"Bearer {self.server.key}"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        self.assertTrue(response.headers["Content-Type"].startswith("text/event-stream"))
        lines = response.read().decode().split("\n\n")
        connection.close()
        self.assertEqual(lines[-2:], ["data: [DONE]", ""])
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2] if line.startswith("data: ")]
        self.assertEqual({chunk["object"] for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({(chunk["id"], chunk["created"]) for chunk in chunks}), 1)
        first = chunks[0]["choices"][0]["delta"]
        self.assertEqual((first["role"], first["content"]), ("assistant", ""))
        self.assertEqual(chunks[-2]["choices"][0]["delta"], {})
        self.assertEqual(chunks[-2]["choices"][0]["finish_reason"], "length")
        self.assertEqual((chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"]), ([], 5))
        self.assertTrue(all(chunk["usage"] is None for chunk in chunks[:-1]))

    def test_unknown_fields_are_refused_by_name(self):
        error, _ = self.error(400, "POST", "/chat/completions", {
            "model": "temper/mini-instruct", "messages": HELLO, "colour": "blue"})
        self.assertIn("colour", error["message"])
        error, _ = self.error(400, "POST", "/fine_tuning/jobs", {
            "training_file": self.file, "model": "temper/mini-instruct", "n_epocs": 3})
        self.assertIn("n_epocs", error["message"])
        for advice in ({"user": "me"}, {"store": False}, {"service_tier": "auto"}):
            status, body, _ = self.request("POST", "/chat/completions", {
                "model": "temper/mini-instruct", "messages": HELLO, "max_tokens": 1, **advice})
            self.assertEqual(status, 200, body)

    def test_values_out_of_range_are_refused_by_name(self):
        chat = {"model": "temper/mini-instruct", "messages": HELLO, "max_tokens": 1}
        for name, value in (("temperature", 3), ("temperature", "hot"), ("top_p", 1.5), ("max_tokens", 0), ("n", 0),
                            ("n", 129), ("messages", []), ("messages", "Hello"), ("stream", "yes"),
                            ("stop", ["a", "b", "c", "d", "e"]), ("model", None)):
            with self.subTest(name=name, value=value):
                error, _ = self.error(400, "POST", "/chat/completions", {**chat, name: value})
                self.assertIn(name, (error["param"] or "") + error["message"])
        job = {"training_file": self.file, "model": "temper/mini-instruct"}
        for extra in ({"hyperparameters": {"batch_size": 257}}, {"hyperparameters": {"n_epochs": 51}},
                      {"hyperparameters": {"learning_rate_multiplier": 0}}, {"suffix": "x" * 65}, {"suffix": "a b"},
                      {"seed": -1}, {"method": {"type": "dpo"}}, {"metadata": {"k": 1}}):
            with self.subTest(extra=extra):
                self.error(400, "POST", "/fine_tuning/jobs", {**job, **extra})

    def test_conflicts_are_not_to_be_tried_again(self):
        error, headers = self.error(409, "POST", f"/fine_tuning/jobs/{self.job['id']}/cancel")
        self.assertEqual(headers["x-should-retry"], "false")

    def test_a_key_that_is_revoked_or_missing_opens_nothing(self):
        key = self.server.make_key()
        self.assertEqual(self.request("GET", "/models", key=key)[0], 200)
        listed = json.loads(subprocess.run([TEMPER, "keys", "list", "--data", str(self.server.data), "--json"],
                                           check=True, capture_output=True, text=True).stdout)
        newest = next(each for each in listed if key.endswith(each["hint"][-4:]))
        subprocess.run([TEMPER, "keys", "revoke", newest["id"], "--data", str(self.server.data)], check=True,
                       capture_output=True)
        error, _ = self.error(401, "GET", "/models", key=key)
        self.assertEqual((error["type"], error["code"]), ("invalid_request_error", "invalid_api_key"))
        bare = urllib.request.Request(self.server.url + "/models")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(bare, timeout=30)
        self.assertEqual(caught.exception.code, 401)
        caught.exception.close()

    def test_unknown_paths_and_methods(self):
        self.error(404, "GET", "/nothing")
        self.error(405, "PUT", "/models", {})
        self.error(404, "GET", "/files/../../etc/passwd")
        self.error(404, "GET", "/files/%2e%2e%2f%2e%2e%2ftemper.db")
        self.error(400, "POST", "/fine_tuning/jobs", [1])
