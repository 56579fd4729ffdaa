"""/openapi.json: that it is an OpenAPI document, that docs/ holds the same one, and that the server does what it says
when requests come that were made from it (schemathesis)."""
import json
import subprocess
import sys
import unittest
import urllib.request

import jsonschema
from support.server import ROOT, Server


class TestOpenapi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.address = cls.server.url.removesuffix("/v1")
        with urllib.request.urlopen(cls.address + "/openapi.json") as answer:
            cls.document = json.load(answer)

    def test_docs_hold_the_document_of_the_server(self):
        kept = json.loads((ROOT / "docs" / "openapi.json").read_text())
        self.assertEqual(kept, self.document, "run `make docs` and commit docs/openapi.json")

    def test_schemas_are_schemas_and_nothing_is_left_open(self):
        for name, schema in self.document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assertIs(schema["additionalProperties"], False, name)

    def test_each_operation_has_a_sentence_and_an_answer(self):
        names = []
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                names.append(operation["operationId"])
                self.assertRegex(operation["summary"], r"^[A-Z].*\.$", f"{method} {path}")
                content = [answer.get("content") for code, answer in operation["responses"].items() if code != "default"]
                self.assertTrue(content and content[0], f"{method} {path}")
        self.assertEqual(len(names), len(set(names)))

    def test_every_request_made_of_the_document_is_answered_as_it_says(self):
        run = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", self.address + "/openapi.json", "-H",
             f"Authorization: Bearer {self.server.key}", "--phases", "coverage,fuzzing", "--max-examples", "10",
             "--generation-deterministic", "--no-color", "--suppress-health-check", "all", "--exclude-checks",
             "positive_data_acceptance"],  # an id that the schema allows need not be one that exists
            cwd=self.server.data, capture_output=True, text=True, timeout=300)
        self.assertEqual(run.returncode, 0, run.stdout[-6000:] + run.stderr[-2000:])


if __name__ == "__main__":
    unittest.main()
