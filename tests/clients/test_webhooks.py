"""Webhooks through the official client's eyes: signed as `webhooks.unwrap` wants it, again where they fail, in spite of
restarts, and never to where they must not go."""
import http.server
import json
import pathlib
import signal
import subprocess
import threading
import time
import unittest

import openai

from support.server import TEMPER, Server, wait_for

CHATS = "".join(json.dumps({"messages": [{"role": "user", "content": f"Say {i}"},
                                         {"role": "assistant", "content": f"{i}"}]}) + "\n" for i in range(12)).encode()
REQUEST = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {
    "model": "temper/mini-instruct", "max_tokens": 3, "messages": [{"role": "user", "content": "Hello"}]}}).encode()
ALL = ["fine_tuning.job.succeeded", "fine_tuning.job.failed", "fine_tuning.job.cancelled", "batch.completed",
       "batch.failed", "batch.expired", "batch.cancelled"]


class Receiver:
    """An endpoint of a user: keeps what comes, and answers each path by its plan, then with 200."""

    def __init__(self):
        self.came, self.plans = [], {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((self.path, dict(self.headers), body))
                plan = receiver.plans.get(self.path) or [200]
                status = plan.pop(0)
                if status == "slow":
                    time.sleep(3)
                    status = 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def at(self, path):
        return [one for one in self.came if one[0] == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class TestWebhooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(options=["--allow-private-webhooks"]))
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.close)
        cls.connect()

    @classmethod
    def connect(cls):
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def call(self, method, path, body=None):
        options = {"cast_to": dict, **({"body": body} if body is not None else {})}
        return {"POST": self.client.post, "GET": self.client.get, "DELETE": self.client.delete}[method](path, **options)

    def endpoint(self, path, events=ALL):
        made = self.call("POST", "/webhook_endpoints", {"url": self.receiver.url + path, "events": events})
        self.addCleanup(lambda: self.call("DELETE", f"/webhook_endpoints/{made['id']}"))
        return made

    def cancelled_job(self):
        file = self.client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model="temper/mini-instruct",
                                                  hyperparameters={"n_epochs": 50})
        return self.client.fine_tuning.jobs.cancel(job.id)

    def await_at(self, path, count=1):
        wait_for(lambda: len(self.receiver.at(path)) >= count, 60, f"{count} deliveries at {path}")
        return self.receiver.at(path)

    def deliveries(self, endpoint):
        return self.call("GET", f"/webhook_endpoints/{endpoint['id']}/deliveries")["data"]

    def test_the_official_client_verifies_each_kind_of_event(self):
        endpoint = self.endpoint("/all")
        file = self.client.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        job = self.client.fine_tuning.jobs.create(training_file=file.id, model="temper/mini-instruct",
                                                  hyperparameters={"n_epochs": 1})
        bad = self.client.files.create(file=("bad.jsonl", b"{}\n" * 12), purpose="fine-tune")
        failing = self.client.fine_tuning.jobs.create(training_file=bad.id, model="temper/mini-instruct")
        requests = self.client.files.create(file=("requests.jsonl", REQUEST), purpose="batch")
        batch = self.client.batches.create(input_file_id=requests.id, endpoint="/v1/chat/completions",
                                           completion_window="24h")
        cancelled = self.cancelled_job()
        found = {}
        for _, headers, body in self.await_at("/all", 4):
            event = self.client.webhooks.unwrap(body, headers, secret=endpoint["secret"])
            self.assertEqual(event.id, headers["webhook-id"])
            found[event.type] = event.data.id
        self.assertEqual(found, {"fine_tuning.job.succeeded": job.id, "fine_tuning.job.failed": failing.id,
                                 "fine_tuning.job.cancelled": cancelled.id, "batch.completed": batch.id})
        _, headers, body = self.receiver.at("/all")[0]
        self.unwrap_with_node(headers, body, endpoint["secret"])
        with self.assertRaises(openai.InvalidWebhookSignatureError):
            self.client.webhooks.unwrap(body + b" ", headers, secret=endpoint["secret"])

    def unwrap_with_node(self, headers, body, secret):
        folder = pathlib.Path(TEMPER).resolve().parent / "node-client"
        if not (folder / "node_modules").exists():
            print(f"openai-node is not at {folder}: tests/run.py installs it there")
            return
        given = json.dumps({"body": body.decode(), "headers": headers, "secret": secret})
        run = subprocess.run(["node", "unwrap.cjs"], cwd=folder, input=given, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(json.loads(run.stdout), json.loads(body))

    def test_an_endpoint_gets_what_it_asked_for_and_nothing_else(self):
        self.endpoint("/succeeded-only", ["fine_tuning.job.succeeded"])
        self.endpoint("/cancelled-only", ["fine_tuning.job.cancelled"])
        job = self.cancelled_job()
        self.assertIn(job.id, self.await_at("/cancelled-only")[0][2].decode())
        self.assertEqual(self.receiver.at("/succeeded-only"), [])

    def test_what_fails_comes_again_with_the_same_id_and_a_new_moment(self):
        self.receiver.plans["/failing"] = [500]
        endpoint = self.endpoint("/failing")
        self.cancelled_job()
        wait_for(lambda: self.deliveries(endpoint) and self.deliveries(endpoint)[0]["attempts"] == 1, 30, "one attempt")
        delivery = self.deliveries(endpoint)[0]
        self.assertEqual((delivery["status"], delivery["response_status"], delivery["response"]), ("pending", 500, "ok"))
        self.assertGreaterEqual(delivery["next_attempt_at"] - delivery["last_attempt_at"], 5)
        first, second = self.await_at("/failing", 2)[:2]
        self.assertEqual(first[1]["webhook-id"], second[1]["webhook-id"])
        self.assertGreater(int(second[1]["webhook-timestamp"]), int(first[1]["webhook-timestamp"]))
        self.assertEqual(first[2], second[2])
        wait_for(lambda: self.deliveries(endpoint)[0]["status"] == "delivered", 30, "the log")
        self.assertEqual(self.deliveries(endpoint)[0]["attempts"], 2)

    def test_redirects_are_not_followed_and_410_disables(self):
        self.receiver.plans["/moved"] = [302]
        moved = self.endpoint("/moved")
        self.receiver.plans["/gone"] = [410]
        gone = self.endpoint("/gone")
        self.cancelled_job()
        self.await_at("/moved")
        wait_for(lambda: not self.call("GET", f"/webhook_endpoints/{gone['id']}")["enabled"], 30, "the endpoint's end")
        self.assertEqual(self.deliveries(gone)[0]["status"], "failed")
        wait_for(lambda: self.deliveries(moved)[0]["attempts"], 30, "the log")
        self.assertEqual(self.deliveries(moved)[0]["response_status"], 302)
        self.assertEqual(self.receiver.at("/elsewhere"), [])
        self.cancelled_job()
        self.await_at("/moved", 2)
        self.assertEqual(len(self.receiver.at("/gone")), 1)
        self.assertTrue(self.call("POST", f"/webhook_endpoints/{gone['id']}", {"enabled": True})["enabled"])

    def test_a_slow_endpoint_holds_up_itself_alone(self):
        self.receiver.plans["/slow"] = ["slow", "slow"]
        self.endpoint("/slow")
        self.endpoint("/quick")
        self.cancelled_job()
        self.cancelled_job()
        quick = self.await_at("/quick", 2)
        self.assertEqual([json.loads(body)["type"] for _, _, body in quick], ["fine_tuning.job.cancelled"] * 2)
        self.assertEqual(len(self.receiver.at("/slow")), 1)
        self.await_at("/slow", 2)

    def test_a_restart_loses_nothing(self):
        self.receiver.plans["/restarted"] = [503]
        endpoint = self.endpoint("/restarted")
        self.cancelled_job()
        self.await_at("/restarted")
        self.server.stop(signal.SIGKILL)
        self.server.start()
        type(self).connect()
        first, second = self.await_at("/restarted", 2)[:2]
        self.assertEqual(first[1]["webhook-id"], second[1]["webhook-id"])
        wait_for(lambda: self.deliveries(endpoint)[0]["status"] == "delivered", 30, "the log")

    def test_tests_and_redeliveries_are_sent_at_once(self):
        endpoint = self.endpoint("/tested")
        delivery = self.call("POST", f"/webhook_endpoints/{endpoint['id']}/test")
        self.assertEqual((delivery["event_type"], delivery["status"]), ("webhook_endpoint.test", "pending"))
        _, headers, body = self.await_at("/tested")[0]
        self.client.webhooks.verify_signature(body, headers, secret=endpoint["secret"])
        wait_for(lambda: self.deliveries(endpoint)[0]["status"] == "delivered", 30, "the log")
        path = f"/webhook_endpoints/{endpoint['id']}/deliveries/{delivery['id']}/redeliver"
        self.assertEqual(self.call("POST", path)["status"], "pending")
        again = self.await_at("/tested", 2)[1]
        self.assertEqual(again[1]["webhook-id"], headers["webhook-id"])

    def test_an_asynchronous_chat_calls_back_with_its_result(self):
        self.client.chat.completions.create(
            model="temper/mini-instruct", max_tokens=3, messages=[{"role": "user", "content": "Hello"}],
            metadata={"@kluster.ai": {"async": True, "completion_window": "24h",
                                      "callback_url": self.receiver.url + "/callback"}})
        _, headers, body = self.await_at("/callback")[0]
        secret = self.call("GET", "/callback_secret")["secret"]
        self.client.webhooks.verify_signature(body, headers, secret=secret)
        result = json.loads(body)
        self.assertEqual(result["response"]["status_code"], 200)
        self.assertEqual(result["response"]["body"]["object"], "chat.completion")
        with self.assertRaises(openai.BadRequestError):
            self.client.chat.completions.create(
                model="temper/mini-instruct", messages=[{"role": "user", "content": "Hello"}],
                metadata={"@kluster.ai": {"async": True, "completion_window": "24h", "callback_url": "nowhere"}})

    def test_endpoints_are_made_listed_changed_and_deleted(self):
        made = self.call("POST", "/webhook_endpoints", {"url": self.receiver.url + "/x", "events": ["batch.completed"],
                                                        "description": "mine"})
        self.assertRegex(made["secret"], "^whsec_")
        read = self.call("GET", f"/webhook_endpoints/{made['id']}")
        self.assertEqual(read, {key: value for key, value in made.items() if key != "secret"})
        self.assertIn(made["id"], [one["id"] for one in self.call("GET", "/webhook_endpoints")["data"]])
        changed = self.call("POST", f"/webhook_endpoints/{made['id']}", {"events": ["batch.failed"], "enabled": False})
        self.assertEqual((changed["events"], changed["enabled"], changed["url"]), (["batch.failed"], False, made["url"]))
        self.assertTrue(self.call("DELETE", f"/webhook_endpoints/{made['id']}")["deleted"])
        self.assertRaises(openai.NotFoundError, self.call, "GET", f"/webhook_endpoints/{made['id']}")

    def test_what_is_no_endpoint_is_refused(self):
        for wrong, param in (({"url": "ftp://example.com"}, "url"), ({"url": "nothing"}, "url"), ({"events": []}, "events"),
                             ({"events": ["job.done"]}, "events"), ({"url": "http://a:b@example.com/"}, "url")):
            with self.subTest(wrong=wrong), self.assertRaises(openai.BadRequestError) as caught:
                self.call("POST", "/webhook_endpoints", {"url": "https://example.com/", "events": ALL, **wrong})
            self.assertEqual(caught.exception.param, param)


class TestGuard(unittest.TestCase):
    def test_addresses_that_point_inward_are_refused_unless_the_operator_allows_them(self):
        server = self.enterContext(Server())
        client = openai.OpenAI(base_url=server.url, api_key=server.key, max_retries=0)
        for url in ("https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/", "https://[::1]:8443/",
                    "http://example.com/", "https://10.0.0.7/", "https://printer.local/"):
            with self.subTest(url=url), self.assertRaises(openai.BadRequestError) as caught:
                client.post("/webhook_endpoints", cast_to=dict, body={"url": url, "events": ["batch.completed"]})
            self.assertEqual(caught.exception.param, "url")


if __name__ == "__main__":
    unittest.main()
