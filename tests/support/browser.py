"""A real browser (Chromium, driven by Playwright) at a real server, which notes whatever a page should not do."""
import os
import pathlib
import shutil
import time

from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOLERATED = ("the server responded with a status of",  # such answers are noted by themselves, with their addresses
             "net::ERR_CONNECTION_REFUSED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_EMPTY_RESPONSE",
             "net::ERR_CONNECTION_RESET", "net::ERR_FAILED")  # of servers that a test has stopped, and requests that it aborted
WATCH_POLICY = """document.addEventListener("securitypolicyviolation",
    (event) => console.error("policy: " + event.violatedDirective + " " + event.blockedURI));"""


class Browser:
    """`with Browser() as browser:`; page() gives a page in a profile of its own."""

    def __enter__(self):
        if not CHROMIUM:
            raise AssertionError("there is no Chromium: tools/install_dependencies.sh chromium:chromium installs it")
        self.playwright = sync_playwright().start()
        args = [] if os.getuid() else ["--no-sandbox"]  # Chromium refuses its sandbox to root
        self.browser = self.playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        self.faults = []  # what pages did that they should not
        self.expected = []  # (status, method, part of the address) of refusals that a test asks for
        self.hosts = set()  # that they asked
        return self

    def __exit__(self, *_):
        self.browser.close()
        self.playwright.stop()

    def page(self, server=None, key=None, width=1280, height=860, dark=False, path="/"):
        """A new page; with a server, signed in there by the API key (the server's own, if none is given)."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce",
                                           color_scheme="dark" if dark else "light",
                                           permissions=["clipboard-read", "clipboard-write"])
        context.set_default_timeout(30_000)
        context.add_init_script(WATCH_POLICY)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._note)
        page.on("response", self._note_refusal)
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
        if server:
            root = server.url.removesuffix("/v1")
            answer = context.request.post(f"{server.url}/session", data={"api_key": key or server.key})
            assert answer.ok, answer.text()
            page.goto(root + path)
        return page

    def expect_refusal(self, status, method, address):
        """From now on, answers of that status to requests whose address contains `address` are as they should be."""
        self.expected.append((status, method, address))

    def _note_refusal(self, response):
        request = response.request
        asked_who = (401, "GET") == (response.status, request.method) and request.url.endswith("/v1/session")  # is signed in
        if response.status < 400 or asked_who or any(
                status == response.status and method == request.method and address in request.url
                for status, method, address in self.expected):
            return
        self.faults.append(f"refused: {response.status} of {request.method} {request.url}")

    def _note(self, message):
        if message.type == "error" and not any(text in message.text for text in TOLERATED):
            self.faults.append(f"console: {message.text}")


def until(page, expression, seconds=30):
    """Waits until the expression is true. (Playwright's own wait_for_function would evaluate it within the page, which the
    page's policy forbids.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} seconds for {expression}")
        page.wait_for_timeout(50)


def settle(page):
    """Waits until what the page shows at first has come."""
    page.locator("main").first.wait_for()
    until(page, "!document.querySelector('.loading, .starting') && document.fonts.status === 'loaded'")
    page.wait_for_timeout(250)


def axe(page, source):
    """The names of accessibility rules that the page breaks, with where."""
    page.evaluate(pathlib.Path(source).read_text() + "; undefined") if not page.evaluate("!!window.axe") else None
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{found['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for found in result["violations"] for node in found["nodes"]]
