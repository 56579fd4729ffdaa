"""What OpenAI's API would refuse is refused in its shape, whatever the path: driven by the server's own list of
operations, with raw requests that no client library would send."""
import http.client
import json
import unittest
import urllib.parse

from support.server import Server

DEPTH = 100_000
WRONG = {"string": 7, "integer": "seven", "number": "seven", "boolean": "yes", "array": "none", "object": [1]}


class TestErrors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.host = urllib.parse.urlsplit(cls.server.url).netloc
        cls.document = json.loads(cls.ask("GET", "/openapi.json")[1])
        cls.operations = [(method.upper(), path, operation) for path, methods in cls.document["paths"].items()
                          for method, operation in methods.items()]

    @classmethod
    def ask(cls, method, path, body=None, key=None, **headers):
        connection = http.client.HTTPConnection(cls.host, timeout=30)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def refused(self, status, method, path, body=None, *, param=None, code=None, with_key=True, **headers):
        answer, content = self.ask(method, path, body, self.server.key if with_key else None, **headers)
        told = f"{method} {path} {str(body)[:200]}: {answer.status} {content[:300]}"
        self.assertEqual(answer.status, status, told)
        error = json.loads(content)["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"}, told)
        self.assertEqual(error["type"], "invalid_request_error", told)
        self.assertTrue(error["message"], told)
        self.assertTrue(answer.headers["x-request-id"].startswith("req_"), told)
        if param:
            self.assertEqual(error["param"], param, told)
        if code:
            self.assertEqual(error["code"], code, told)
        return answer, error

    def plain(self, path):
        return path.replace("{", "no-").replace("}", "")

    def json_operations(self):
        for method, path, operation in self.operations:
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                yield method, self.plain(path), self.document["components"]["schemas"][name]

    def test_each_path_wants_a_key(self):
        for method, path, operation in self.operations:
            if "security" in operation:
                continue
            with self.subTest(method=method, path=path):
                answer, _ = self.refused(401, method, self.plain(path), with_key=False, code="invalid_api_key")
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
                self.refused(401, method, self.plain(path), with_key=False, code="invalid_api_key",
                             Authorization="Bearer sk-temper-wrong")

    def test_each_path_names_the_methods_that_it_takes(self):
        for path, methods in self.document["paths"].items():
            with self.subTest(path=path):
                answer, _ = self.refused(405, "PUT", self.plain(path))
                allowed = {one.strip() for one in answer.headers["Allow"].split(",")}
                self.assertLessEqual({method.upper() for method in methods}, allowed)

    def test_unknown_paths_are_not_found(self):
        for path in ("/v1", "/v2/models", "/v1/fine_tuning", "/v1/files/a/b/c", "/v1/embeddings", "/nothing"):
            with self.subTest(path=path):
                self.refused(404, "GET", path, code="unknown_url")
        self.refused(404, "GET", "/v1/nothing", code="unknown_url", Accept="text/html")  # a page is for other addresses
        self.refused(400, "GET", "/v1/files/%zz")
        self.refused(400, "GET", "/v1/files/a%00b")

    def test_unknown_objects_are_not_found(self):
        for method, path, operation in self.operations:
            if "{" not in path or operation.get("requestBody") or "security" in operation:
                continue
            with self.subTest(method=method, path=path):
                self.refused(404, method, self.plain(path))
                self.refused(404, method, path.replace("{", "%22%27%3B--").replace("}", "%F0%9F%98%80"))
                self.refused(404, method, path.replace("{", "a" * 3000).replace("}", ""))

    def test_each_query_refuses_what_it_does_not_know(self):
        for method, path, operation in self.operations:
            if "security" in operation:
                continue
            with self.subTest(method=method, path=path):
                self.refused(400, method, self.plain(path) + "?colour=red", param="colour", code="unknown_parameter")

    def test_each_list_refuses_a_wrong_page(self):
        for method, path, operation in self.operations:
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "query" or parameter["schema"].get("type") != "integer":
                    continue
                above = str(parameter["schema"]["maximum"] + 1).removesuffix(".0")
                for value in ("x", "0", "-1", above, "99999999999999999999999", "1.5", ""):
                    with self.subTest(path=path, name=parameter["name"], value=value):
                        self.refused(400, method, f"{self.plain(path)}?{parameter['name']}={value}",
                                     param=parameter["name"])

    def test_each_body_must_be_one_json_object_in_utf8(self):
        bodies = [b"", b"{", b"[]", b"null", b'"text"', b"{} {}", b'{"a": NaN}', b'{"model": "\xff\xfe"}', b"\x00",
                  b'{"model": "\\ud800"}', b'{"seed": 1, "seed": 2}', b'{"seed": 1e999}', b'{"seed": 123456789012345678901}',
                  b'{"a": ' + b"[" * DEPTH + b"]" * DEPTH + b"}"]
        for method, path, _ in self.json_operations():
            for body in bodies:
                with self.subTest(path=path, body=body[:40]):
                    self.refused(400, method, path, body, Content_Type="application/json")

    def test_each_body_refuses_unknown_fields_wrong_types_and_what_is_not_supported(self):
        for method, path, schema in self.json_operations():
            whole = {name: None for name in schema["properties"]}
            with self.subTest(path=path):
                self.refused(400, method, path, json.dumps({"colour": "red"}), param="colour", code="unknown_parameter")
                self.refused(400, method, path, json.dumps({"colour": {}, **whole}), param="colour")
            for name, field in schema["properties"].items():
                kinds = field.get("type", [])
                kinds = [kinds] if isinstance(kinds, str) else kinds
                for kind in (kind for kind in kinds if kind != "null"):
                    with self.subTest(path=path, field=name, kind=kind):
                        self.refused(400, method, path, json.dumps({name: WRONG[kind]}), param=name)
                if "enum" in field:
                    with self.subTest(path=path, field=name):
                        self.refused(400, method, path, json.dumps({name: "no such value"}), param=name)

    def test_a_body_that_is_too_large_is_refused(self):
        for method, path, _ in self.json_operations():
            with self.subTest(path=path):
                self.refused(413, method, path, b'{"a": "' + b"a" * (9 << 20) + b'"}')

    def test_a_refused_request_with_a_deep_value_is_quoted_safely(self):
        for text in ('"\\u0000"', '"\\u001b[31m"', '"' + "\\ud83d\\ude00" * 400 + '"', '"%n%s"'):
            with self.subTest(text=text[:20]):
                self.refused(400, "POST", "/v1/chat/completions", '{"messages": [], %s: 1, "model": "x"}' % text)


if __name__ == "__main__":
    unittest.main()
