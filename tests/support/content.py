"""A server that has been used: models, jobs of every fate, files, batches, webhooks, keys. For the browser's tests and for
screenshots."""
import http.server
import json
import threading
import urllib.request

from support.server import ROOT, wait_for

MODEL = "temper/mini-instruct"
FAULTY = b'{"messages": [{"role": "user", "content": "no answer"}]}\nthis is no JSON\n'
EXAMPLES = ROOT / "examples" / "json-generation.jsonl"


def upload(server, name, content, purpose="fine-tune"):
    boundary = "-----part"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n--{boundary}\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n').encode() + content
    asked = urllib.request.Request(f"{server.url}/files", data=body + f"\r\n--{boundary}--\r\n".encode(), headers={
        "Authorization": f"Bearer {server.key}", "Content-Type": f"multipart/form-data; boundary={boundary}"})
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)["id"]


def make_job(server, file, suffix, status, **more):
    """Creates a job and waits until it has that status. Returns it."""
    job = server.request("/fine_tuning/jobs", {"training_file": file, "model": MODEL, "suffix": suffix, **more})
    def there():
        now = server.request(f"/fine_tuning/jobs/{job['id']}")
        return now if now["status"] == status else None
    return wait_for(there, 120, f"{suffix} to be {status}")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Of webhooks: takes everything."""

    received = []

    def do_POST(self):
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"thank you")

    def log_message(self, *_):
        pass


class Content:
    """Fills a server that was started with --allow-private-webhooks. close() ends what it has begun."""

    def __init__(self, server):
        self.receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        hook = f"http://127.0.0.1:{self.receiver.server_address[1]}/hooks/temper"
        self.endpoint = server.request("/webhook_endpoints", {"url": hook, "description": "the bot of our team", "events": [
            "fine_tuning.job.succeeded", "fine_tuning.job.failed", "batch.completed"]})["id"]
        lines = EXAMPLES.read_bytes().splitlines(keepends=True)
        self.file = upload(server, "json-generation.jsonl", b"".join(lines[:240]))
        validation = upload(server, "json-validation.jsonl", b"".join(lines[240:270]))
        self.faulty_file = upload(server, "support-tickets.jsonl", FAULTY)
        self.job = make_job(server, self.file, "json-writer", "succeeded", validation_file=validation,
                            hyperparameters={"n_epochs": 2, "batch_size": 2})
        self.model = self.job["fine_tuned_model"]
        self.second = make_job(server, self.file, "gentler", "succeeded", validation_file=validation, lora={"rank": 4},
                               hyperparameters={"n_epochs": 1, "learning_rate_multiplier": 0.3})
        self.failed = make_job(server, self.faulty_file, "tickets", "failed")
        requests = [{"custom_id": f"request-{i}", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": self.model, "max_tokens": 40, "messages": [{"role": "user", "content": f"Add a product with price {i}."}]}}
            for i in range(8)]
        self.requests = upload(server, "products.jsonl", "".join(json.dumps(line) + "\n" for line in requests).encode(), "batch")
        self.batch = server.request("/batches", {"input_file_id": self.requests, "endpoint": "/v1/chat/completions",
                                                 "completion_window": "24h", "metadata": {"note": "nightly"}})["id"]
        wait_for(lambda: server.request(f"/batches/{self.batch}")["status"] == "completed", 120, "the batch")
        server.request("/api_keys", {"name": "the bot", "scope": "inference", "expires_in": 86400 * 30})
        server.request(f"/webhook_endpoints/{self.endpoint}/test", method="POST")
        wait_for(lambda: any(one["status"] == "delivered" for one in
                             server.request(f"/webhook_endpoints/{self.endpoint}/deliveries")["data"]), 30, "a delivery")

    def pages(self):
        """Every page, by name."""
        return {
            "home": "/", "playground": f"/playground?model={self.model}", "models": "/models",
            "model": f"/models/{self.model}", "fine-tuning": "/fine-tuning", "new-job": f"/fine-tuning/new?training_file={self.file}",
            "job": f"/fine-tuning/{self.job['id']}", "failed-job": f"/fine-tuning/{self.failed['id']}",
            "compare": f"/fine-tuning/compare?jobs={self.job['id']},{self.second['id']}", "batches": "/batches",
            "batch": f"/batches/{self.batch}", "files": "/files", "file": f"/files/{self.file}", "webhooks": "/webhooks",
            "webhook": f"/webhooks/{self.endpoint}", "api-keys": "/api-keys", "usage": "/usage",
        }

    def close(self):
        self.receiver.shutdown()
        self.receiver.server_close()
