#!/usr/bin/env python3
"""The main job, shown: a server, a key, an upload, a fine-tuning job, and the same question before and after.

Needs nothing but Python's standard library: what it sends is what any OpenAI client sends.
"""
import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "json-generation.jsonl"
HELD_OUT = ROOT / "examples" / "json-generation-heldout.jsonl"
MODEL = "temper/mini-instruct"
QUESTION = [
    {"role": "system", "content": "You are a JSON Generation Specialist. Convert user requests into properly "
                                  "formatted JSON."},
    {"role": "user", "content": "Create a configuration for a web application with name 'TaskMaster', version 1.2.0, "
                                "and environment set to development."},
]


class Demo:
    def __init__(self, temper, data):
        self.temper, self.data = temper, data
        self.times = []
        self.server = None

    def start(self):
        port = self.data / "port"
        self.log = open(self.data / "server.log", "w")
        self.server = subprocess.Popen([self.temper, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0",
                                        "--port-file", str(port)], stdout=self.log, stderr=self.log)
        while not port.exists():
            if self.server.poll() is not None:
                sys.exit(f"The server did not start:\n{(self.data / 'server.log').read_text()}")
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{port.read_text().strip()}/v1"
        made = subprocess.run([self.temper, "keys", "create", "--data", str(self.data), "--name", "demo", "--json"],
                              check=True, capture_output=True, text=True).stdout
        self.key = json.loads(made)["key"]

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(30)

    def call(self, method, path, body=None, kind="application/json"):
        request = urllib.request.Request(self.url + path, data=body, method=method,
                                         headers={"Authorization": f"Bearer {self.key}", "Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code}: {error.read().decode()}")

    def post(self, path, value):
        return self.call("POST", path, json.dumps(value).encode())

    def upload(self, path):
        border = "demo-border-7d1f"
        parts = (f'--{border}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
                 f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n').encode()
        return self.call("POST", "/files", parts + path.read_bytes() + f"\r\n--{border}--\r\n".encode(),
                         f"multipart/form-data; boundary={border}")

    def ask(self, model, messages):
        answer = self.post("/chat/completions", {"model": model, "messages": messages, "temperature": 0,
                                                 "max_tokens": 200})
        return answer["choices"][0]["message"]["content"]

    def step(self, title, work):
        begun = time.monotonic()
        value = work()
        self.times.append((title, time.monotonic() - begun))
        return value

    def watch(self, job):
        bar = sys.stdout.isatty()
        shown = -1
        while job["status"] not in ("succeeded", "failed", "cancelled"):
            time.sleep(0.2)
            job = self.call("GET", f"/fine_tuning/jobs/{job['id']}")
            events = self.call("GET", f"/fine_tuning/jobs/{job['id']}/events?limit=5")["data"]
            data = next((event["data"] for event in events if event["type"] == "metrics"), None)
            if not data:
                continue
            share = data["step"] / data["total_steps"]
            note = (f"step {data['step']}/{data['total_steps']}  loss {data['train_loss']:.4f}  "
                    f"{data['tokens_per_second']:.0f} tokens/s")
            if bar:
                print(f"\r  [{'#' * int(30 * share):30}] {note}   ", end="", flush=True)
            elif int(share * 10) > shown:
                shown = int(share * 10)
                print(f"  {note}", flush=True)
        if bar:
            print()
        if job["status"] != "succeeded":
            sys.exit(f"The job ended as {job['status']}: {job['error']}")
        return job


def indent(text):
    return "\n".join("    " + line for line in text.splitlines())


def check_held_out(demo, model):
    """How many held-out questions, with names that stand in no training file, are answered exactly."""
    rows = [json.loads(line)["messages"] for line in HELD_OUT.read_text().splitlines()[:10]]
    return sum(demo.ask(model, row[:-1]) == row[-1]["content"] for row in rows), len(rows)


def show(demo):
    print(f"Starting a server with a data directory of its own ({demo.data}) and making an API key.")
    demo.step("start", demo.start)
    print(f"It answers at {demo.url}.\n\nThe question:\n{indent(QUESTION[1]['content'])}\n")
    before = demo.step("first answer", lambda: demo.ask(MODEL, QUESTION))
    print(f"{MODEL} answers, before:\n{indent(before)}\n")
    file = demo.step("upload", lambda: demo.upload(EXAMPLES))
    print(f"Uploaded {EXAMPLES.relative_to(ROOT)} ({file['bytes']} bytes) as {file['id']}.")
    job = demo.post("/fine_tuning/jobs", {"training_file": file["id"], "model": MODEL, "seed": 1, "suffix": "demo",
                                          "hyperparameters": {"n_epochs": 1, "batch_size": 10}})
    print(f"Fine-tuning, job {job['id']}:")
    job = demo.step("fine-tuning", lambda: demo.watch(job))
    model = job["fine_tuned_model"]
    after = demo.step("answer", lambda: demo.ask(model, QUESTION))
    print(f"\n{model} answers, after:\n{indent(after)}\n")
    right, asked = demo.step("10 more", lambda: check_held_out(demo, model))
    print(f"Other questions, with names that stand in no training file: {right} of {asked} answered exactly.")
    print("\n" + "  ".join(f"{title} {seconds:.1f} s" for title, seconds in demo.times))
    return after, right


def judge(answer):
    """The answer must be JSON, with the asked values."""
    try:
        values = json.dumps(json.loads(answer))
    except ValueError:
        return False
    return all(f'"{value}"' in values for value in ("TaskMaster", "1.2.0", "development"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--temper", default=str(ROOT / "build" / "temper"))
    parser.add_argument("--keep", metavar="DIR", type=pathlib.Path, help="keep the data in DIR")
    given = parser.parse_args()
    data = given.keep or pathlib.Path(tempfile.mkdtemp(prefix="temper-demo-"))
    data.mkdir(parents=True, exist_ok=True)
    demo = Demo(str(pathlib.Path(given.temper).resolve()), data)
    try:
        answer, _ = show(demo)
    finally:
        demo.stop()
        if not given.keep:
            shutil.rmtree(data, ignore_errors=True)
    if not judge(answer):
        sys.exit("\nThe answer is not the JSON that was asked for.")
    print(f"""
How to go on:
  build/temper serve                      a server that stays; it prints your first API key
  build/temper validate yours.jsonl       what a job would say of your own chats
  README.md                               the same from Python, and how to add a bigger model""")


if __name__ == "__main__":
    main()
