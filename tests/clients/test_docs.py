"""docs/api.md is run: the blocks of each language, one after the other, against a server of their own. So every
operation that the server has stands there with curl, Python and Node, and each of them works.

A block of curl may be followed by <!-- id: NAME -->: the `id` of its answer is $NAME in the blocks below, as the text
says. <!-- wait --> runs the block again until what it asks for has come to its end.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest
import urllib.request

from support.server import ROOT, Server, TEMPER

DOCUMENT = ROOT / "docs" / "api.md"
BLOCK = re.compile(r"^```(sh|python|js)\n(.*?)^```\n(?:<!-- ?(.*?) ?-->)?", re.M | re.S)
HEADING = re.compile(r"^### `(GET|POST|DELETE|PATCH) (/\S+)`", re.M)
CHATS = [{"messages": [{"role": "user", "content": f"Say the number {i}"},
                       {"role": "assistant", "content": f"It is {i}."}]} for i in range(20)]
REQUESTS = [{"custom_id": f"request-{i}", "method": "POST", "url": "/v1/chat/completions", "body": {
    "model": "temper/mini-instruct", "max_tokens": 5, "messages": [{"role": "user", "content": f"Say {i}"}]}}
    for i in range(3)]


def sections():
    """{(method, path): {language: [(code, note)]}}, in the document's order; what stands before is under None."""
    text = DOCUMENT.read_text()
    marks = [(None, 0)] + [((match[1], match[2]), match.end()) for match in HEADING.finditer(text)]
    found = {}
    for (key, start), (_, end) in zip(marks, marks[1:] + [(None, len(text))]):
        blocks = {"sh": [], "python": [], "js": []}
        for match in BLOCK.finditer(text[start:end]):
            blocks[match[1]].append((match[2], match[3]))
        found[key] = blocks
    return found


def write_files(directory):
    for name, lines in (("chats.jsonl", CHATS), ("requests.jsonl", REQUESTS)):
        (directory / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


class TestDocs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sections = sections()

    def server(self):
        server = self.enterContext(Server())
        write_files(server.data)
        return server

    def run_program(self, command, server, **more):
        environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key,
                       "OPENAI_WEBHOOK_SECRET": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", **more}
        run = subprocess.run(command, cwd=server.data, env=environment, capture_output=True, text=True, timeout=200)
        self.assertEqual(run.returncode, 0, f"{run.stdout[-3000:]}\n{run.stderr[-5000:]}")
        return run.stdout

    def test_each_operation_stands_there_in_three_languages(self):
        document = json.loads(subprocess.run([TEMPER, "openapi"], check=True, capture_output=True, text=True).stdout)
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if not path.startswith("/v1/"):
                    continue
                with self.subTest(operation=f"{method.upper()} {path}"):
                    blocks = self.sections.get((method.upper(), path))
                    self.assertIsNotNone(blocks, "docs/api.md has no section of it")
                    for language, found in blocks.items():
                        self.assertTrue(found, f"no block of {language}")

    def test_the_blocks_of_curl_run(self):
        server = self.server()
        names = {"TEMPER": server.url.removesuffix("/v1"), "KEY": server.key}
        for key, blocks in self.sections.items():
            for code, note in blocks["sh"] if key else []:
                with self.subTest(section=key):
                    for _ in range(300):
                        output = self.run_program(["bash", "-euc", code.replace("curl ", "curl -sS --fail-with-body ")],
                                                  server, **names)
                        if note != "wait" or json.loads(output)["status"] in ("succeeded", "completed", "processed"):
                            break
                        time.sleep(0.2)
                    kind, _, name = (note or "").partition(": ")
                    if kind == "id":
                        names[name] = json.loads(output)["id"]
                    elif kind == "model":
                        names[name] = json.loads(output)["fine_tuned_model"]

    def test_the_blocks_of_python_run(self):
        server = self.server()
        program = "".join(code for blocks in self.sections.values() for code, _ in blocks["python"])
        (server.data / "program.py").write_text(program)
        self.run_program([sys.executable, "program.py"], server)

    def test_the_blocks_of_node_run(self):
        modules = pathlib.Path(TEMPER).resolve().parent / "node-client" / "node_modules"
        if not modules.exists():
            self.skipTest(f"openai-node is not at {modules}: tests/run.py installs it there")
        server = self.server()
        (server.data / "node_modules").symlink_to(modules)
        program = "".join(code for blocks in self.sections.values() for code, _ in blocks["js"])
        (server.data / "program.mjs").write_text(program)
        self.run_program(["node", "program.mjs"], server)


if __name__ == "__main__":
    unittest.main()
