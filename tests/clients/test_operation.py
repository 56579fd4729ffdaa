"""What an operator sees: health, readiness, metrics, the access log, request ids, as a user would ask for them."""
import http.client
import json
import re
import unittest
import urllib.parse

import openai

from support.server import Server, wait_for

SAMPLE = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="[^"\\\n]*",?)*\})? '
                    r'(NaN|[+-]?Inf|[+-]?\d+(\.\d+)?(e[+-]?\d+)?)$')
HELLO = [{"role": "user", "content": "Hello"}]


class Operated(unittest.TestCase):
    """Asks a server in plain HTTP."""

    @classmethod
    def ask(cls, method, path, body=None, key=True, **headers):
        """(answer, its body)"""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(cls.server.url).netloc, timeout=60)
        if key:
            headers["Authorization"] = f"Bearer {cls.server.key}"
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def metrics(self):
        """{name with labels: value}"""
        answer, content = self.ask("GET", "/metrics", key=False)
        self.assertEqual(answer.status, 200)
        lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def log_lines(self):
        return (self.server.data / "server.log").read_text().splitlines()


class TestOperation(Operated):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def test_health_and_readiness_are_open_to_all(self):
        for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
            answer, content = self.ask("GET", path, key=False)
            self.assertEqual((answer.status, json.loads(content)["status"]), (200, status))
            self.assertEqual(self.ask("HEAD", path, key=False)[0].status, 200)

    def test_a_server_whose_store_fails_is_not_ready(self):
        database = self.server.data / "temper.db"
        away = self.server.data / "away.db"
        database.rename(away)
        try:
            answer, content = self.ask("GET", "/readyz", key=False)
        finally:
            away.rename(database)
        self.assertEqual((answer.status, json.loads(content)["error"]["code"]), (503, "store_failed"))
        self.assertEqual(self.ask("GET", "/readyz", key=False)[0].status, 200)
        told = [line for line in self.log_lines() if answer.headers["x-request-id"] in line]
        self.assertTrue(any("not ready" in line for line in told), told)

    def test_metrics_are_in_prometheus_form(self):
        self.client.models.list()
        answer, content = self.ask("GET", "/metrics", key=False)
        self.assertTrue(answer.headers["content-type"].startswith("text/plain; version=0.0.4"))
        typed = set()
        for line in content.decode().splitlines():
            if line.startswith("# TYPE "):
                name = line.split()[2]
                self.assertNotIn(name, typed)
                typed.add(name)
            elif not line.startswith("# HELP "):
                self.assertRegex(line, SAMPLE)
                name = re.match(r"\w+", line)[0]
                self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name) if name not in typed else name, typed)

    def test_metrics_count_requests_and_tokens(self):
        counted = 'temper_http_requests_total{route="/v1/models/{model*}",method="GET",status="404"}'
        before = self.metrics()
        for _ in range(3):
            with self.assertRaises(openai.NotFoundError):
                self.client.models.retrieve("no-such-model")
        answer = self.client.chat.completions.create(model="temper/mini-instruct", messages=HELLO, max_tokens=5)
        after = wait_for(lambda: (lambda now: now if now["temper_completion_tokens_total"] > before[
            "temper_completion_tokens_total"] else None)(self.metrics()), 10, "the tokens")
        self.assertEqual(after[counted] - before.get(counted, 0), 3)
        self.assertEqual(after["temper_completion_tokens_total"] - before["temper_completion_tokens_total"],
                         answer.usage.completion_tokens)
        self.assertEqual(after["temper_prompt_tokens_total"] - before["temper_prompt_tokens_total"],
                         answer.usage.prompt_tokens)
        self.assertEqual(after['temper_engine_requests{state="waiting",lane="live"}'], 0)
        self.assertGreater(after["process_resident_memory_bytes"], 1 << 20)

    def test_metrics_are_not_for_those_whom_a_proxy_speaks_for(self):
        for header in ("X_Forwarded_For", "Forwarded", "Via"):
            answer, content = self.ask("GET", "/metrics", **{header: "for=192.0.2.1"})
            self.assertEqual((answer.status, json.loads(content)["error"]["code"]), (403, "metrics_closed"))

    def test_every_answer_bears_an_id_that_the_log_has_too(self):
        stream = json.dumps({"model": "temper/mini-instruct", "messages": HELLO, "max_tokens": 3, "stream": True})
        asked = [("GET", "/v1/models", None, 200), ("GET", "/nowhere", None, 404), ("DELETE", "/v1/files", None, 405),
                 ("GET", "/v1/models?a=%zz", None, 400), ("POST", "/v1/chat/completions", " " * (9 << 20), 413),
                 ("POST", "/v1/chat/completions", stream, 200), ("POST", "/v1/chat/completions", "{", 400)]
        for method, path, body, status in asked:
            answer, _ = self.ask(method, path, body, Content_Type="application/json")
            self.assertEqual(answer.status, status)
            self.seen_in_log(answer.headers["x-request-id"], method, path.split("?")[0], status)
        answer, _ = self.ask("GET", "/v1/models", key=False)
        self.assertEqual(answer.status, 401)
        self.seen_in_log(answer.headers["x-request-id"], "GET", "/v1/models", 401)

    def seen_in_log(self, identity, method, path, status):
        self.assertRegex(identity, r"^req_[A-Za-z0-9]{24}$")
        line = wait_for(lambda: next((line for line in self.log_lines() if identity in line), None), 10, "the line")
        self.assertRegex(line, rf"Z info  \[{identity}\] (personal|-) {method} {path} {status} \d+ bytes \d+\.\d ms$")

    def test_the_log_has_neither_keys_nor_queries(self):
        answer, _ = self.ask("GET", "/v1/models?api_key=hunter2")
        self.seen_in_log(answer.headers["x-request-id"], "GET", "/v1/models", 400)
        log = "\n".join(line for line in self.log_lines() if "req_" in line)
        self.assertNotIn("hunter2", log)
        self.assertNotIn(self.server.key, log)

    def test_probes_that_succeed_are_not_logged(self):
        answer, _ = self.ask("GET", "/healthz", key=False)
        later, _ = self.ask("GET", "/v1/models")
        self.seen_in_log(later.headers["x-request-id"], "GET", "/v1/models", 200)
        self.assertNotIn(answer.headers["x-request-id"], "\n".join(self.log_lines()))


if __name__ == "__main__":
    unittest.main()
