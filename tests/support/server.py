"""A real server with a data directory of its own, for tests. Standard library only."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TEMPER = os.environ.get("TEMPER", str(ROOT / "build" / "temper"))


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} seconds for {what}")


class Server:
    """`with Server() as server:` has url, key and data; start and stop may be called again."""

    def __init__(self, threads=1, options=()):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="temper-test-"))
        self.threads = threads
        self.options = list(options)  # of `temper serve`, beside the usual ones
        self.process = None
        self.key = None
        self.url = None

    def __enter__(self):
        self.start()
        self.key = self.make_key()
        return self

    def __exit__(self, *_):
        self.stop()
        self.end_trainers()
        shutil.rmtree(self.data, ignore_errors=True)

    def start(self):
        port_file = self.data / "port"
        port_file.unlink(missing_ok=True)
        self.log = open(self.data / "server.log", "ab")
        self.process = subprocess.Popen(
            [TEMPER, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", "--port-file", str(port_file),
             "--threads", str(self.threads), *self.options], stdout=self.log, stderr=self.log)
        wait_for(lambda: port_file.exists() or self.process.poll() is not None, 30, "the server's port")
        if self.process.poll() is not None:
            raise AssertionError((self.data / "server.log").read_text(errors="replace"))
        scheme = "https" if "--tls-certificate" in self.options else "http"
        self.url = f"{scheme}://127.0.0.1:{port_file.read_text().strip()}/v1"

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            status = self.process.wait(30)
        else:
            status = self.process.returncode if self.process else 0
        self.log.close()
        return status

    def end_trainers(self):
        """Trainers outlive their server: a test that failed must not leave one behind."""
        for lock in self.data.glob("jobs/*/lock"):
            text = lock.read_text().strip()
            command = pathlib.Path(f"/proc/{text}/cmdline")
            if text and command.exists() and str(self.data) in command.read_text():
                os.kill(int(text), signal.SIGKILL)

    def make_key(self, account="personal"):
        output = subprocess.run([TEMPER, "keys", "create", "--data", str(self.data), "--account", account, "--json"],
                                check=True, capture_output=True, text=True).stdout
        return json.loads(output)["key"]

    def request(self, path, body=None, method=None):
        """The JSON of the answer, of whatever status."""
        asked = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body else None,
                                       headers={"Authorization": f"Bearer {self.key}",
                                                "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def environment(self):
        return {**os.environ, "OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": self.key,
                "TEMPER_BASE_URL": self.url, "TEMPER_API_KEY": self.key}
