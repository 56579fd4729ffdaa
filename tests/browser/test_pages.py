"""Each page's main action, how pages look to whoever cannot see them, and what they never do."""
import json
import os
import pathlib
import re
import tempfile
import unittest
import urllib.request

from playwright.sync_api import expect

from support.browser import Browser, axe, settle
from support.content import Content, Receiver, make_job, upload
from support.server import Server, wait_for

AXE = os.environ.get("AXE", "node_modules/axe-core/axe.min.js")
HOSTILE_NAME = "<img src=x onerror=alert(1)>.jsonl"
CHAT = '{"messages": [{"role": "user", "content": "Say %d"}, {"role": "assistant", "content": "%d"}]}\n'
LOOKS = {"on a desk": (1280, False), "dark, on a narrow phone": (360, True), "on a wide screen": (2560, False)}
WATCH_SHIFTS = """window.shifted = 0; new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});"""


def events(*chunks):
    """The body of a streamed answer."""
    made = [{"choices": [{"index": 0, "delta": {"content": chunk}, "finish_reason": None}]} for chunk in chunks]
    made.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    made.append({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": len(chunks), "total_tokens": 5 + len(chunks)}})
    return "".join(f"data: {json.dumps(one)}\n\n" for one in made) + "data: [DONE]\n\n"


class Pages(unittest.TestCase):
    found = {}  # by seen()

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2, options=["--allow-private-webhooks"]))
        cls.content = Content(cls.server)
        cls.addClassCleanup(cls.content.close)
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.browser.faults.clear()
        self.browser.expected.clear()

    def tearDown(self):
        for context in self.browser.browser.contexts:
            context.close()
        self.assertEqual(self.browser.faults, [])
        self.assertEqual(self.browser.hosts - {self.server.url.split("/")[2], ""}, set(), "another host was asked")

    def open(self, path, **more):
        page = self.browser.page(self.server, path=path, **more)
        settle(page)
        return page

    def say(self, page, text):
        page.get_by_role("textbox", name="Your message").fill(text)
        page.keyboard.press("Enter")

    # ---- what each page is for ----

    def test_home_shows_code_that_works_as_it_stands(self):
        page = self.open("/")
        page.get_by_role("button", name="curl").first.click()
        page.get_by_role("button", name="Copy").first.click()
        code = page.evaluate("navigator.clipboard.readText()")
        self.assertIn(f"{self.server.url}/chat/completions", code)
        self.assertIn(self.content.second["fine_tuned_model"], code)

    def test_a_key_is_shown_once_and_can_be_revoked(self):
        page = self.open("/api-keys")
        page.get_by_role("button", name="New key").click()
        page.get_by_label("Name").fill("from the page")
        page.get_by_label("May do").select_option("read-only")
        page.get_by_role("button", name="Create key").click()
        key = page.get_by_test_id("secret").inner_text()
        self.assertEqual(urllib.request.urlopen(urllib.request.Request(
            f"{self.server.url}/models", headers={"Authorization": f"Bearer {key}"})).status, 200)
        page.get_by_role("button", name="I have kept it").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        self.assertNotIn(key, page.content())
        page.get_by_role("button", name="Actions of from the page").click()
        page.get_by_role("menuitem", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("from the page", exact=True)).to_have_count(0)

    def test_a_delivery_is_seen_and_sent_again(self):
        page = self.open(f"/webhooks/{self.content.endpoint}")
        before = len(Receiver.received)
        page.get_by_role("button", name="webhook_endpoint.test").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text('"type": "webhook_endpoint.test"')
        expect(dialog).to_contain_text("thank you")
        dialog.get_by_role("button", name="Redeliver").click()
        expect(page.get_by_text("It is sent again.")).to_be_visible()
        wait_for(lambda: len(Receiver.received) > before, 20, "the delivery")
        self.assertIn(b"webhook_endpoint.test", Receiver.received[-1])

    def test_an_endpoint_is_added_and_its_secret_shown_once(self):
        self.browser.expect_refusal(400, "POST", "/v1/webhook_endpoints")
        page = self.open("/webhooks")
        page.get_by_role("button", name="Add endpoint").first.click()
        page.get_by_label("Address").fill("no address")
        page.get_by_role("dialog").get_by_role("button", name="Add endpoint").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        page.get_by_label("Address").fill("http://127.0.0.1:9/other")
        page.get_by_role("dialog").get_by_role("button", name="Add endpoint").click()
        self.assertTrue(page.get_by_test_id("secret").inner_text().startswith("whsec_"))
        page.get_by_role("button", name="I have kept it").click()
        page.get_by_role("button", name="Actions of http://127.0.0.1:9/other").click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("link", name="http://127.0.0.1:9/other")).to_have_count(0)

    def test_files_are_searched_read_and_deleted(self):
        upload(self.server, "to-go.jsonl", (CHAT % (1, 1) * 3).encode())
        page = self.open("/files")
        page.get_by_role("searchbox", name="Search files").fill("TO-GO")
        expect(page.get_by_role("row")).to_have_count(2)
        page.get_by_role("link", name="to-go.jsonl").click()
        expect(page.get_by_text("assistant").first).to_be_visible()
        page.get_by_role("button", name="Actions of to-go.jsonl").click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Keep").click()
        page.get_by_role("button", name="Actions of to-go.jsonl").click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Files")).to_be_visible()
        expect(page.get_by_role("link", name="to-go.jsonl")).to_have_count(0)

    def test_a_batch_is_made_and_followed(self):
        page = self.open(f"/batches?input_file={self.content.requests}")
        page.get_by_role("button", name="Create batch").click()
        expect(page.get_by_text("8 of 8 answered")).to_be_visible(timeout=60_000)
        with page.expect_download() as download:
            page.get_by_role("link", name="Answers").click()
        self.assertEqual(len(pathlib.Path(download.value.path()).read_text().splitlines()), 8)

    def test_a_model_leads_to_its_job_and_its_adapter(self):
        page = self.open(f"/models/{self.content.model}")
        expect(page.get_by_role("link", name=self.content.job["id"])).to_be_visible()
        page.get_by_role("button", name=f"Actions of {self.content.model}").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name="Download the adapter").click()
        self.assertGreater(pathlib.Path(download.value.path()).stat().st_size, 1000)

    def test_a_job_is_paused_resumed_and_cancelled(self):
        job = make_job(self.server, self.content.file, "long", "running", hyperparameters={"n_epochs": 50, "batch_size": 1})
        page = self.open(f"/fine-tuning/{job['id']}")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".progress-head .status")).to_have_text("paused", timeout=30_000)
        page.get_by_role("button", name="Resume").click()
        expect(page.locator(".progress-head .status")).to_have_text("running", timeout=30_000)
        page.get_by_role("button", name="Actions of long").click()
        page.get_by_role("menuitem", name="Cancel").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
        expect(page.locator(".progress-head .status")).to_have_text("cancelled", timeout=30_000)

    def test_events_come_without_a_stream_too(self):
        job = make_job(self.server, self.content.file, "streamless", "running", hyperparameters={"n_epochs": 50, "batch_size": 1})
        page = self.browser.page(self.server)
        page.route("**/events?stream=true", lambda route: route.abort())
        page.goto(f"{self.server.url.removesuffix('/v1')}/fine-tuning/{job['id']}")
        expect(page.get_by_role("list", name="Events")).to_contain_text("started", timeout=15_000)
        self.server.request(f"/fine_tuning/jobs/{job['id']}/cancel", method="POST")

    def test_a_conversation_is_its_accounts_alone(self):
        page = self.open("/playground?model=temper/mini-instruct")
        page.route("**/v1/chat/completions", lambda route: route.fulfill(content_type="text/event-stream", body=events("fine")))
        self.say(page, "A secret")
        expect(page.get_by_role("article")).to_contain_text("fine")
        other = self.server.make_key("neighbour")
        page.context.request.post(f"{self.server.url}/session", data={"api_key": other})
        page.reload()
        settle(page)
        page.get_by_role("button", name="History").click()
        expect(page.get_by_role("dialog")).to_contain_text("No conversations yet")

    def test_a_failed_job_names_its_lines(self):
        page = self.open(f"/fine-tuning/{self.content.failed['id']}")
        expect(page.get_by_role("alert")).to_contain_text("line 1")
        expect(page.get_by_role("alert")).to_contain_text("line 2")

    def test_jobs_are_compared_on_one_chart(self):
        page = self.open(f"/fine-tuning/compare?jobs={self.content.job['id']}")
        page.get_by_label("gentler").check()
        expect(page.get_by_role("columnheader", name="gentler").last).to_be_attached()
        self.assertIn(self.content.second["id"], page.url)
        differing = page.locator("tr.differs th").all_inner_texts()
        self.assertIn("LoRA rank", differing)
        self.assertNotIn("Training file", differing)

    def curves(self, job, steps, losses):
        nothing = [None] * len(steps)
        columns = {name: nothing for name in ("epochs", "tokens", "train_mean_token_accuracy", "valid_loss", "full_valid_loss",
                                              "learning_rate", "grad_norm", "tokens_per_second")}
        return {"job_id": job["id"], "total_steps": steps[-1], "steps": steps, "train_loss": losses, **columns}

    def test_compared_jobs_show_what_was_measured_where_their_steps_differ(self):
        jobs = self.content.job, self.content.second
        page = self.browser.page(self.server)
        page.route("**/v1/fine_tuning/metrics?*", lambda route: route.fulfill(json={"data": [
            self.curves(jobs[0], [0, 10, 20], [4, 2, 0.5]), self.curves(jobs[1], [0, 12, 20], [5, 1, 0.25])]}))
        page.goto(f"{self.server.url.removesuffix('/v1')}/fine-tuning/compare?jobs={jobs[0]['id']},{jobs[1]['id']}")
        page.get_by_role("slider", name="Smoothing").fill("0")
        rows = page.locator("figure.chart").first.locator(".unseen tbody tr")
        expect(rows).to_have_text(["045", "1021", "1221", "200.50.25"])  # 10 and 12: each other's nearest
        box = page.locator(".u-over").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator(".u-legend").first.locator(".u-value")).to_have_text(["10", "2", "1"])

    def test_any_job_is_compared_however_old(self):
        self.browser.expect_refusal(404, "GET", "/v1/fine_tuning/jobs/ftjob-none")
        page = self.browser.page(self.server)
        page.route("**/v1/fine_tuning/jobs?limit=*", lambda route: route.fulfill(json={"data": [], "has_more": False}))
        page.goto(f"{self.server.url.removesuffix('/v1')}/fine-tuning/compare?jobs={self.content.job['id']},ftjob-none")
        expect(page.get_by_role("columnheader", name="json-writer").last).to_be_attached()
        expect(page.get_by_text("There is no job ftjob-none")).to_be_visible()
        page.get_by_role("searchbox", name="Search jobs").fill("gentler")
        page.get_by_label("gentler").check()
        expect(page.get_by_role("columnheader", name="gentler").last).to_be_attached()

    def test_a_sparkline_moves_again_once_its_job_goes_on(self):
        job = make_job(self.server, self.content.file, "rests", "running", hyperparameters={"n_epochs": 50, "batch_size": 1})
        wait_for(lambda: (self.server.request(f"/fine_tuning/jobs/{job['id']}").get("metrics") or {}).get("temper"), 30, "a step")
        self.server.request(f"/fine_tuning/jobs/{job['id']}/pause", method="POST")
        wait_for(lambda: self.server.request(f"/fine_tuning/jobs/{job['id']}")["status"] == "paused", 30, "the pause")
        page = self.open("/fine-tuning")
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "/fine_tuning/metrics" in request.url else None)
        page.get_by_role("button", name="Actions of rests").click()
        page.get_by_role("menuitem", name="Resume").click()
        wait_for(lambda: page.wait_for_timeout(100) or len(asked) >= 2, 20, "the curves to be asked for again and again")
        self.server.request(f"/fine_tuning/jobs/{job['id']}/cancel", method="POST")

    def test_a_search_that_the_address_ends_is_gone_from_its_field(self):
        page = self.open("/files")
        field = page.get_by_role("searchbox", name="Search files")
        field.fill("no such name")
        expect(page.get_by_text("No such files")).to_be_visible()
        page.get_by_role("link", name="Files", exact=True).click()
        expect(field).to_have_value("")
        expect(page.get_by_role("link", name="json-generation.jsonl")).to_be_visible()

    def test_addresses_that_name_nothing_say_so(self):
        self.browser.expect_refusal(404, "GET", "/v1/")
        self.browser.expect_refusal(404, "GET", "/nothing/here")
        for path, words in {"/nothing/here": "There is no such page", "/fine-tuning/ftjob-none": "There is no such job",
                            "/files/file-none": "No such File", "/models/no/model": "does not exist",
                            "/batches/batch-none": "No such", "/webhooks/we-none": "No such"}.items():
            with self.subTest(path=path):
                page = self.open(path)
                expect(page.locator("main")).to_contain_text(words)

    def test_each_page_has_a_title_of_its_own(self):
        titles = {}
        page = self.browser.page(self.server)
        for name, path in self.content.pages().items():
            page.goto(self.server.url.removesuffix("/v1") + path)
            settle(page)
            titles[name] = page.title()
        self.assertEqual(len(set(titles.values())), len(titles), titles)
        self.assertTrue(titles["job"].startswith("json-writer"), titles)

    def test_usage_counts_answers(self):
        page = self.open("/usage")
        expect(page.get_by_role("table", name="Usage by model").or_(page.get_by_label("Usage by model"))).to_contain_text("json-writer")

    def test_a_conversation_is_edited_kept_and_saved_as_an_example(self):
        page = self.open(f"/playground?model={self.content.model}")
        page.get_by_role("slider", name="Temperature").fill("0")  # for an answer that is not empty by chance
        self.say(page, "Add a product with price 3.")
        expect(page.get_by_role("article")).to_contain_text("tokens a second", timeout=30_000)
        page.get_by_role("button", name="Edit your message").click()
        page.locator(".question textarea").fill("Add a product with price 4.")
        page.get_by_role("button", name="Send anew").click()
        expect(page.get_by_role("article")).to_contain_text("tokens a second", timeout=30_000)
        expect(page.locator(".question")).to_have_text("Add a product with price 4.")
        page.get_by_role("button", name="Save as a training example").click()
        page.get_by_label("Answer, as it should be").fill('{"price": 4}')
        page.get_by_role("button", name="Save example").click()
        page.reload()
        settle(page)
        page.get_by_role("button", name="Examples (1)").click()
        expect(page.get_by_role("dialog")).to_contain_text('{"price": 4}')
        page.keyboard.press("Escape")
        page.get_by_role("button", name="History").click()
        page.get_by_role("button", name=re.compile("Add a product with price 4")).first.click()
        expect(page.locator(".question")).to_have_text("Add a product with price 4.")

    def test_probabilities_of_tokens_are_shown(self):
        page = self.open(f"/playground?model={self.content.model}")
        page.get_by_label("Show probabilities").check()
        page.get_by_role("slider", name="Temperature").fill("0")
        self.say(page, "Add a product with price 5.")
        expect(page.get_by_role("article")).to_contain_text("tokens a second", timeout=30_000)
        tokens, shown = page.locator(".token"), re.compile(r"\bshown\b")
        self.assertGreater(tokens.count(), 2)
        tokens.first.hover()
        expect(page.locator(".likeliest tr")).to_have_count(5)
        expect(tokens.first).to_have_class(shown)
        page.get_by_role("group", name="Tokens").focus()
        for key, token in (("End", tokens.last), ("Home", tokens.first), ("ArrowRight", tokens.nth(1))):
            page.keyboard.press(key)
            expect(page.locator(".token.shown")).to_have_count(1)
            expect(token).to_have_class(shown)
            text, percent = token.inner_text(), r"\d+(\.\d)? %$"
            expect(page.locator(".likeliest caption")).to_have_text(re.compile((re.escape(text) if text.isalnum() else ".*") + " " + percent))

    def test_an_answer_is_stopped(self):
        page = self.open("/playground?model=temper/mini-instruct")
        never = []
        page.route("**/v1/chat/completions", lambda route: never.append(route))
        self.say(page, "Hello")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("article")).to_contain_text("stopped")
        never[0].abort()

    def test_the_back_button_and_deep_links_lead_where_they_say(self):
        page = self.open(f"/files/{self.content.file}")
        page.get_by_role("link", name="Models").click()
        page.get_by_role("link", name="Batches").click()
        page.go_back()
        expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="json-generation.jsonl")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="json-generation.jsonl")).to_be_visible()

    def test_all_of_it_goes_by_keyboard(self):
        page = self.open("/")
        page.keyboard.press("Tab")
        self.assertEqual(page.evaluate("document.activeElement.textContent"), "Skip to the page")
        page.keyboard.press("Enter")
        self.assertEqual(page.evaluate("document.activeElement.id"), "main")
        page.goto(self.server.url.removesuffix("/v1") + "/api-keys")
        settle(page)
        page.get_by_role("button", name="New key").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("button", name="New key")).to_be_focused()

    # ---- what is never done ----

    def test_what_models_write_is_never_more_than_text(self):
        page = self.open("/playground?model=temper/mini-instruct")
        hostile = ["<script>window.hacked = 1</script>", "<img src=x onerror='window.hacked = 2'>", "[x](javascript:alert(1)) ",
                   "![pixel](https://evil.example/pixel.png) ", "\n\n**bold** <b onclick=alert(1)>raw</b>\n\n"]
        page.route("**/v1/chat/completions", lambda route: route.fulfill(
            content_type="text/event-stream", body=events(*hostile)))
        self.say(page, "<script>window.hacked = 3</script>")
        answer = page.get_by_role("article")
        expect(answer.first).to_contain_text("<script>window.hacked = 1</script>")
        expect(answer.first).to_contain_text("<b onclick=alert(1)>")
        self.assertIsNone(page.evaluate("window.hacked ?? null"))
        self.assertEqual(page.locator("article script, article img, article [onclick], article a[href^='javascript']").count(), 0)
        self.assertEqual(page.locator("article strong").inner_text(), "bold")
        page.unroute("**/v1/chat/completions")
        page.route("**/v1/chat/completions", lambda route: route.fulfill(
            content_type="text/event-stream", body=events("> " * 5000 + "deep")))
        self.say(page, "Deeper")
        expect(answer.last).to_contain_text("deep")

    def test_a_line_of_ten_thousand_tokens_neither_freezes_nor_widens_the_page(self):
        page = self.open("/playground?model=temper/mini-instruct", width=390)
        page.route("**/v1/chat/completions", lambda route: route.fulfill(
            content_type="text/event-stream", body=events(*["wörd" if i % 3 else "x" for i in range(10_000)])))
        self.say(page, "On and on")
        expect(page.get_by_role("article")).to_contain_text("10,000 tokens", timeout=60_000)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 390)
        page.get_by_role("textbox", name="Your message").fill("still alive")
        expect(page.get_by_role("textbox", name="Your message")).to_have_value("still alive")

    def test_names_of_files_are_never_more_than_text(self):
        upload(self.server, HOSTILE_NAME, (CHAT % (1, 1) * 12).encode())
        page = self.open("/files")
        expect(page.get_by_role("link", name=HOSTILE_NAME)).to_be_visible()
        page.get_by_role("link", name=HOSTILE_NAME).click()
        expect(page.get_by_role("heading", name=HOSTILE_NAME)).to_be_visible()
        self.assertEqual(page.locator("img[src='x']").count(), 0)

    def test_no_other_page_may_frame_this_one(self):
        page = self.browser.page()
        with tempfile.TemporaryDirectory() as folder:
            outer = pathlib.Path(folder) / "outer.html"
            outer.write_text(f'<iframe id="inner" src="{self.server.url.removesuffix("/v1")}/"></iframe>')
            page.goto(outer.as_uri())
            page.wait_for_timeout(500)
            self.assertTrue(page.frames[1].url.startswith("chrome-error:"), page.frames[1].url)
        self.browser.faults = [fault for fault in self.browser.faults if "frame" not in fault.lower()]

    # ---- how it looks ----

    @classmethod
    def seen(cls):
        """Every page as it was found in every look. They are walked through once, for all tests of how pages look."""
        if not cls.found:
            for look, (width, dark) in LOOKS.items():
                page = cls.browser.page(cls.server, width=width, dark=dark)
                page.add_init_script(WATCH_SHIFTS)
                for name, path in cls.content.pages().items():
                    page.goto(cls.server.url.removesuffix("/v1") + path)
                    settle(page)
                    if name == "new-job":
                        expect(page.get_by_test_id("estimate")).to_be_visible()
                    cls.found[look, name] = {
                        "width": page.evaluate("document.documentElement.scrollWidth"),
                        "shift": page.evaluate("window.shifted"),
                        "paint": page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"),
                        "faults": axe(page, AXE)}
                page.context.close()
        return [(look, name, found) for (look, name), found in cls.found.items()]

    def test_every_page_is_accessible_in_light_and_dark(self):
        for look, name, found in self.seen():
            with self.subTest(page=name, look=look):
                self.assertEqual(found["faults"], [])

    def test_no_page_is_wider_than_its_screen(self):
        for look, name, found in self.seen():
            with self.subTest(page=name, look=look):
                self.assertLessEqual(found["width"], LOOKS[look][0])

    def test_pages_do_not_jump_while_they_come(self):
        for look, name, found in self.seen():
            print(f"  {name}, {look}: first paint after {found['paint']:.0f} ms, shift {found['shift']:.3f}")
            with self.subTest(page=name, look=look):
                self.assertLess(found["shift"], 0.05)  # the web calls 0.1 good

    def test_dialogs_and_sign_in_are_accessible(self):
        page = self.browser.page()
        page.goto(self.server.url.removesuffix("/v1") + "/")
        page.get_by_label("API key").wait_for()
        self.assertEqual(axe(page, AXE), [])
        for path, button in (("/api-keys", "New key"), ("/webhooks", "Add endpoint"), ("/batches", "New batch"), ("/files", "Upload")):
            page = self.open(path)
            page.get_by_role("button", name=button).first.click()
            page.get_by_role("dialog").wait_for()
            with self.subTest(dialog=button):
                self.assertEqual(axe(page, AXE), [])


class Restart(unittest.TestCase):
    def test_pages_outlast_a_restart_of_the_server(self):
        with Server() as server, Browser() as browser:
            port = server.url.split(":")[2].split("/")[0]
            page = browser.page(server, path="/files")
            settle(page)
            server.stop()
            expect(page.get_by_text("The server does not answer")).to_be_visible(timeout=40_000)
            server.options += ["--listen", f"127.0.0.1:{port}"]
            server.start()
            upload(server, "after.jsonl", (CHAT % (1, 1)).encode())
            expect(page.get_by_text("The server does not answer")).to_have_count(0, timeout=40_000)
            expect(page.get_by_role("link", name="after.jsonl")).to_be_visible(timeout=40_000)
            self.assertEqual(browser.faults, [])


if __name__ == "__main__":
    unittest.main()
