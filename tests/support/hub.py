"""A server on this machine that speaks as much of the Hugging Face hub's API as `temper models pull` asks for, and can be
told to fail in the ways that networks do. Large files are redirected to a second server, as the hub does."""
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

SMALL = 40000  # bytes up to which a file is git's own, beyond it LFS's


class Fault:
    """What the server does in place of a good answer; the first of a file's faults is used up by its next request."""

    def __init__(self, kind, value=None):
        self.kind, self.value = kind, value


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that goes away is what these tests are about


class Hub:
    """`with Hub() as hub:` hub.add("org/name", folder); hub.endpoint; hub.requests lists (method, path, headers)."""

    def __init__(self):
        self.models = {}
        self.faults = {}     # file name -> list of Fault
        self.token = None    # asked of all, once set
        self.status = {}     # model -> (status, X-Error-Code) of its files
        self.requests = []
        self.redirect = True
        self.lock = threading.Lock()

    def __enter__(self):
        self.server, self.endpoint = self.serve(Front)
        self.store, self.store_address = self.serve(Store)
        return self

    def __exit__(self, *_):
        for server in (self.server, self.store):
            server.shutdown()
            server.server_close()

    def serve(self, handler):
        server = QuietServer(("127.0.0.1", 0), handler)
        server.hub = self
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server, f"http://127.0.0.1:{server.server_address[1]}"

    def add(self, model, folder, revision="main"):
        files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
                 if path.is_file()}
        commit = hashlib.sha1(b"".join(name.encode() + data for name, data in files.items())).hexdigest()
        self.models.setdefault(model, {})[revision] = (commit, files)
        return commit

    def fail(self, name, *faults):
        self.faults.setdefault(name, []).extend(faults)

    def next_fault(self, name):
        with self.lock:
            waiting = self.faults.get(name)
            return waiting.pop(0) if waiting else None

    def asked(self, part):
        """The requests whose path has this in it."""
        return [request for request in self.requests if part in request[1]]


def describe(name, data):
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    sibling = {"rfilename": name, "size": len(data), "blobId": blob}
    if len(data) > SMALL:
        sibling["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return sibling


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def begin(self):
        self.hub = self.server.hub
        with self.hub.lock:
            self.hub.requests.append((self.server.server_address[1], self.path, dict(self.headers)))

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, name, data):
        fault = self.hub.next_fault(name)
        if fault and fault.kind == "status":
            status, headers = fault.value
            return self.reply(status, b"no", **headers)
        if fault and fault.kind == "drop":
            return self.close_now()
        first, status, headers = 0, 200, {}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and not (fault and fault.kind == "no ranges"):
            first, status = int(asked.group(1)), 206
            if first >= len(data):
                return self.reply(416, b"", Content_Range=f"bytes */{len(data)}")
            headers = {"Content_Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}
        if fault and fault.kind == "wrong":
            data = data[:fault.value] + bytes([data[fault.value] ^ 1]) + data[fault.value + 1:]
        if fault and fault.kind == "longer":
            data += b"x" * fault.value
        if fault and fault.kind == "shorter":
            data = data[:fault.value]
        if fault and fault.kind in ("cut", "no ranges") and fault.value is not None:
            return self.cut(status, data[first:], fault.value, headers)
        if fault and fault.kind == "wrong range":
            headers = {"Content_Range": f"bytes 1-{len(data) - 1}/{len(data)}"}
        return self.reply(status, data[first:], **headers)

    def cut(self, status, body, length, headers):
        """Announces all and sends a part."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:length])
        self.close_now()

    def close_now(self):
        self.wfile.flush()
        self.close_connection = True


class Front(Handler):
    """What the hub itself answers."""

    def do_GET(self):
        self.begin()
        path = urllib.parse.urlsplit(self.path).path
        listing = re.fullmatch(r"/api/models/([^/]+/[^/]+|[^/]+)/revision/(.+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)", path)
        if listing:
            return self.list(listing.group(1), urllib.parse.unquote(listing.group(2)))
        if file:
            return self.file(file.group(1), file.group(2), urllib.parse.unquote(file.group(3)))
        return self.reply(404)

    def refused(self, model):
        status, code = self.hub.status.get(model, (None, None))
        if status:
            self.reply(status, b"{}", X_Error_Code=code)
            return True
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self.reply(401, b"{}", X_Error_Code="GatedRepo")
            return True
        return False

    def list(self, model, revision):
        fault = self.hub.next_fault("the list")
        if fault and fault.kind == "status":
            return self.reply(fault.value[0], b"busy", **fault.value[1])
        if fault and fault.kind == "moved":
            return self.reply(307, b"", Location=f"/api/models/{fault.value}/revision/{revision}?blobs=true")
        if fault and fault.kind == "answer":
            return self.reply(200, fault.value)
        if model not in self.hub.models:
            return self.reply(404, b"{}", X_Error_Code="RepoNotFound")
        if revision not in self.hub.models[model]:
            return self.reply(404, b"{}", X_Error_Code="RevisionNotFound")
        commit, files = self.hub.models[model][revision]
        siblings = [describe(name, data) for name, data in files.items()]
        return self.reply(200, json.dumps({"id": model, "sha": commit, "siblings": siblings}).encode())

    def file(self, model, commit, name):
        if self.refused(model):
            return None
        for found, files in self.hub.models.get(model, {}).values():
            if found == commit and name in files:
                if self.hub.redirect and len(files[name]) > SMALL:
                    return self.reply(302, b"over there", Location=f"{self.hub.store_address}/{model}/{commit}/{name}")
                return self.send_file(name, files[name])
        return self.reply(404, b"{}", X_Error_Code="EntryNotFound")


class Store(Handler):
    """Where large files are: another host, which is to see no token."""

    def do_GET(self):
        self.begin()
        _, owner, name, commit, file = self.path.split("/", 4)
        for found, files in self.hub.models[f"{owner}/{name}"].values():
            if found == commit:
                return self.send_file(urllib.parse.unquote(file), files[urllib.parse.unquote(file)])
        return self.reply(404)
