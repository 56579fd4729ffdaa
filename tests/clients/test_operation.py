"""What an operator sees: health, readiness, metrics, the access log, request ids, as a user would ask for them."""
import http.client
import json
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import httpx2 as httpx
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


class TestEdges(Operated):
    """What clients of HTTP may do that client libraries do not."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        where = urllib.parse.urlsplit(cls.server.url)
        cls.address = (where.hostname, where.port)

    def raw(self, text, *more):
        """The whole answer to these bytes, which must ask for the connection's end."""
        with socket.create_connection(self.address, timeout=20) as connection:
            connection.sendall(text.encode() if isinstance(text, str) else text)
            for part in more:
                connection.sendall(part)
            got = b""
            try:
                while block := connection.recv(1 << 16):
                    got += block
            except ConnectionResetError:
                pass
            return got.decode(errors="replace")

    def chat(self, extra, body):
        return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n"
                f"Connection: close\r\nContent-Type: application/json\r\n{extra}\r\n{body}")

    def test_no_page_of_another_origin_may_ask_by_default(self):
        answer, _ = self.ask("OPTIONS", "/v1/models", key=False, Origin="https://a.example",
                             Access_Control_Request_Method="GET")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET"))
        self.assertFalse([name for name in answer.headers if name.lower().startswith("access-control")])

    def test_head_is_get_without_a_body(self):
        asked, content = self.ask("GET", "/v1/models")
        answer, nothing = self.ask("HEAD", "/v1/models")
        self.assertEqual((answer.status, nothing), (200, b""))
        self.assertEqual(answer.headers["content-length"], asked.headers["content-length"])

    def test_a_body_of_two_lengths_is_never_two_requests(self):
        smuggled = "GET /v1/files HTTP/1.1\r\nHost: x\r\n\r\n"
        for extra in ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
                      "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\n" * 2,
                      "Transfer-Encoding: identity\r\n", "Host: y\r\n"):
            answer = self.raw(self.chat(extra, "0\r\n\r\n" + smuggled).replace("Connection: close\r\n", ""))
            self.assertEqual(answer.count("HTTP/1.1 "), 1, answer)
            self.assertTrue(answer.startswith("HTTP/1.1 400"), answer)
            self.assertIn("malformed_request", answer)
            self.assertIn("x-request-id: req_", answer)

    def test_broken_requests_are_refused_and_the_server_goes_on(self):
        broken = ["GET / HTTP/9.9\r\n\r\n", "GET /" + "a" * 100000,
                  "GET / HTTP/1.1\r\n" + "A: b\r\n" * 20000 + "\r\n",
                  "GET / HTTP/1.1\r\nHost: x\r\nA: " + "b" * 200000 + "\r\n\r\n",
                  self.chat("Content-Length: -1\r\n", ""), self.chat("Content-Length: 1e9\r\n", ""),
                  self.chat("Content-Length: 99999999999999999999\r\n", ""),
                  self.chat("Transfer-Encoding: chunked\r\n", "zz\r\n"),
                  self.chat("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n")]
        for text in broken:
            with socket.create_connection(self.address, timeout=20) as connection:
                try:
                    connection.sendall(text.encode())
                    answer = connection.recv(1 << 16).decode()
                except (ConnectionResetError, BrokenPipeError):
                    continue
            self.assertRegex(answer, r"^HTTP/1\.[01] (4\d\d|505) ", text[-60:])
        for text in ("\r\n\r\n", "GET\r\n\r\n", "\0" * 100):
            with socket.create_connection(self.address, timeout=20) as connection:
                connection.sendall(text.encode())
        self.assertEqual(self.ask("GET", "/healthz", key=False)[0].status, 200)

    def test_who_asks_first_whether_to_send_a_body_hears_at_once(self):
        refused = self.chat("Content-Length: 99999999\r\nExpect: 100-continue\r\n", "")
        answer = self.raw(refused)
        self.assertTrue(answer.startswith("HTTP/1.1 413"), answer[:200])
        self.assertIn("x-request-id: req_", answer)
        body = json.dumps({"model": "temper/mini-instruct", "messages": HELLO, "max_tokens": 1})
        with socket.create_connection(self.address, timeout=20) as connection:
            connection.sendall(self.chat(f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n", "").encode())
            self.assertTrue(connection.recv(1 << 16).startswith(b"HTTP/1.1 100"))
            connection.sendall(body.encode())
            self.assertTrue(connection.recv(1 << 16).startswith(b"HTTP/1.1 200"))

    def test_requests_in_one_piece_are_answered_in_order(self):
        one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = self.raw(one * 3 + last)
        self.assertEqual(re.findall(r"HTTP/1\.1 (\d+)", answer), ["200", "200", "200", "404"])

    def test_many_connections_may_be_open_at_once(self):
        held = [socket.create_connection(self.address, timeout=20) for _ in range(600)]
        try:
            for connection in held[::50]:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(connection.recv(1 << 16).startswith(b"HTTP/1.1 200"))
            open_now = wait_for(lambda: (lambda count: count if count >= 600 else None)(
                self.metrics()["temper_http_connections_open"]), 10, "all connections")
            self.assertLess(open_now, 700)
        finally:
            for connection in held:
                connection.close()


class TestFewPlaces(Operated):
    """Few connections, the log in JSON, and pages of other origins that may ask."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(options=[
            "--connections", "40", "--log-format", "json", "--allow-origin", "https://a.example, https://b.example"]))

    def test_pages_of_named_origins_may_ask(self):
        wanted = "authorization,content-type,x-stainless-os"
        answer, content = self.ask("OPTIONS", "/v1/chat/completions", key=False, Origin="https://b.example",
                                   Access_Control_Request_Method="POST", Access_Control_Request_Headers=wanted)
        self.assertEqual((answer.status, content), (204, b""))
        self.assertEqual(answer.headers["access-control-allow-origin"], "https://b.example")
        self.assertIn("POST", answer.headers["access-control-allow-methods"])
        self.assertEqual(answer.headers["access-control-allow-headers"], wanted)
        answer, _ = self.ask("GET", "/v1/models", Origin="https://a.example")
        self.assertEqual((answer.status, answer.headers["access-control-allow-origin"]), (200, "https://a.example"))
        self.assertIn("x-request-id", answer.headers["access-control-expose-headers"])

    def test_pages_of_other_origins_may_not(self):
        for origin in ("https://c.example", "https://a.example.evil", "null", "*", ","):
            answer, _ = self.ask("OPTIONS", "/v1/models", key=False, Origin=origin, Access_Control_Request_Method="GET")
            self.assertEqual(answer.status, 405)
            self.assertNotIn("access-control-allow-origin", answer.headers)
            answer, _ = self.ask("GET", "/v1/models", Origin=origin)
            self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_idle_connections_give_way_to_others(self):
        where = urllib.parse.urlsplit(self.server.url)
        held = []
        try:
            for _ in range(120):
                held.append(socket.create_connection((where.hostname, where.port), timeout=20))
            self.assertEqual(self.ask("GET", "/v1/models")[0].status, 200)
        finally:
            for connection in held:
                connection.close()

    def test_the_log_can_be_json(self):
        answer, _ = self.ask("GET", "/v1/models/no-such")
        identity = answer.headers["x-request-id"]
        line = wait_for(lambda: next((line for line in self.log_lines() if identity in line), None), 10, "the line")
        entry = json.loads(line)
        self.assertEqual(
            {name: entry[name] for name in ("request_id", "account", "method", "path", "status", "cut_off")},
            {"request_id": identity, "account": "personal", "method": "GET", "path": "/v1/models/no-such",
             "status": 404, "cut_off": False})


class TestTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.certificate, cls.key = cls.folder / "certificate.pem", cls.folder / "key.pem"
        cls.make_certificate("first")
        cls.options = ["--tls-certificate", str(cls.certificate), "--tls-key", str(cls.key)]
        cls.server = cls.enterClassContext(Server(options=cls.options))

    @classmethod
    def make_certificate(cls, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", str(cls.key), "-out", str(cls.certificate), "-days", "2", "-subj", f"/CN={name}",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)

    def client(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        return openai.OpenAI(base_url=self.server.url, api_key=self.server.key, max_retries=0,
                             http_client=httpx.Client(verify=context))

    def shown(self):
        where = urllib.parse.urlsplit(self.server.url)
        return ssl.get_server_certificate((where.hostname, where.port)).strip()

    def test_the_official_client_speaks_tls(self):
        with self.client() as client:
            self.assertIn("temper/mini-instruct", [model.id for model in client.models.list()])
            chunks = list(client.chat.completions.create(model="temper/mini-instruct", messages=HELLO, max_tokens=5,
                                                         stream=True))
            self.assertEqual(chunks[-1].choices[0].finish_reason, "length")
            body = b"\n".join(json.dumps({"messages": HELLO + [{"role": "assistant", "content": f"Hi {i}"}]}).encode()
                              for i in range(5000))
            file = client.files.create(file=("a.jsonl", body), purpose="fine-tune")
            self.assertEqual(client.files.content(file.id).read(), body)

    def test_who_does_not_trust_the_certificate_is_told(self):
        client = openai.OpenAI(base_url=self.server.url, api_key=self.server.key, max_retries=0)
        with self.assertRaises(openai.APIConnectionError):
            client.models.list()

    def test_a_renewed_certificate_is_shown_after_sighup(self):
        self.assertEqual(self.shown(), self.certificate.read_text().strip())
        self.make_certificate("second")
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.shown() == self.certificate.read_text().strip(), 10, "the new certificate")
        with self.client() as client:
            client.models.list()
        self.key.write_text("nothing")
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "cannot use the certificate" in (self.server.data / "server.log").read_text(), 10, "the error")
        with self.client() as client:
            client.models.list()
        self.make_certificate("third")
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.shown() == self.certificate.read_text().strip(), 10, "the third certificate")

    def test_files_that_do_not_fit_are_refused_at_the_start(self):
        for options, said in ((self.options[:2], "only the certificate was given"),
                              (["--tls-certificate", "/nowhere", "--tls-key", str(self.key)], "/nowhere"),
                              (["--tls-certificate", str(self.key), "--tls-key", str(self.key)], "cannot use")):
            with self.assertRaises(AssertionError) as refused, Server(options=options):
                pass
            self.assertIn(said, str(refused.exception))


class TestEnd(Operated):
    def start(self, **given):
        type(self).server = self.enterContext(Server(**given))
        where = urllib.parse.urlsplit(self.server.url)
        self.address = (where.hostname, where.port)

    def begin_stream(self, tokens):
        """A stream that has begun, and what it has said so far."""
        body = json.dumps({"model": "temper/mini-instruct", "messages": HELLO, "max_tokens": tokens, "stream": True,
                           "temperature": 2, "n": 8})
        stream = socket.create_connection(self.address, timeout=60)
        stream.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n"
                        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        return stream, stream.recv(1 << 16)

    def read_to_the_end(self, stream, so_far):
        while b"[DONE]" not in so_far and (block := stream.recv(1 << 16)):
            so_far += block
        return so_far

    def test_a_request_in_progress_ends_as_it_should_while_the_server_drains(self):
        self.start(options=["--drain-seconds", "60"])
        form = (b'--X\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--X\r\nContent-Disposition: '
                b'form-data; name="file"; filename="a.jsonl"\r\n\r\n{"messages": []}\r\n--X--\r\n')
        kept = http.client.HTTPConnection(*self.address, timeout=30)
        self.assertEqual(self.ready(kept), 200)
        with socket.create_connection(self.address, timeout=30) as upload:
            upload.sendall((f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n"
                            f"Content-Type: multipart/form-data; boundary=X\r\nContent-Length: {len(form)}\r\n\r\n"
                            ).encode() + form[:50])
            wait_for(lambda: self.metrics()["temper_http_requests_open"] == 2, 10, "the upload to have begun")
            self.server.process.send_signal(signal.SIGTERM)
            self.assertTrue(wait_for(self.refuses, 10, "new connections to be refused"))
            self.assertEqual(self.ready(kept), 503)
            kept.close()
            upload.sendall(form[50:])
            answer = upload.recv(1 << 16)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
        self.assertIn(b"Connection: close", answer)
        self.assertEqual(self.server.process.wait(30), 0)

    def test_a_stream_ends_as_it_should_while_the_server_drains(self):
        self.start(options=["--drain-seconds", "60"])
        stream, so_far = self.begin_stream(400)
        self.server.process.send_signal(signal.SIGTERM)
        whole = self.read_to_the_end(stream, so_far)
        self.assertTrue(whole.rstrip().rstrip(b"0").rstrip().endswith(b"[DONE]"), whole[-200:])
        stream.close()
        self.assertEqual(self.server.process.wait(30), 0)

    def ready(self, connection):
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def refuses(self):
        try:
            socket.create_connection(self.address, timeout=5).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it had reached the queue of a socket that was just closed
            return False
        return False

    def test_streams_that_take_too_long_are_ended(self):
        self.start(options=["--drain-seconds", "0"])
        streams = [self.begin_stream(2000) for _ in range(3)]
        self.server.process.send_signal(signal.SIGTERM)
        for stream, so_far in streams:
            whole = self.read_to_the_end(stream, so_far)
            stream.close()
            self.assertTrue(b"[DONE]" in whole or b'"code":"server_ending"' in whole.replace(b'": "', b'":"'), whole[-300:])
        self.assertEqual(self.server.process.wait(30), 0)


if __name__ == "__main__":
    unittest.main()
