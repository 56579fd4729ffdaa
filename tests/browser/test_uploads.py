"""Large files on a bad way: parts that are refused, answers that are lost, pages that are left."""
import contextlib
import json
import pathlib
import tempfile
import unittest

from playwright.sync_api import Error, expect

from support.browser import Browser, settle
from support.server import Server

PART = 8 << 20
NAME = "large.jsonl"


class Uploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())
        cls.large = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / NAME
        line = (json.dumps({"messages": [{"role": "user", "content": "x" * 50_000}, {"role": "assistant", "content": "y"}]}) + "\n").encode()
        cls.large.write_bytes(line * (4 * PART // len(line)))

    def setUp(self):
        self.server = self.enterContext(Server(threads=1))
        self.browser.faults.clear()
        self.browser.expected.clear()
        self.page = self.browser.page(self.server, path="/files")
        settle(self.page)
        self.parts = []
        self.page.on("request", lambda request: self.parts.append(request.url) if request.url.endswith("/parts") else None)

    def tearDown(self):
        for context in self.browser.browser.contexts:
            context.close()
        self.assertEqual(self.browser.faults, [])

    def choose(self):
        if not self.page.get_by_role("dialog").count():
            self.page.get_by_role("button", name="Upload", exact=True).first.click()
        self.page.set_input_files("input[type=file]", self.large)

    def stop_after_one_part(self):
        """One part arrives, the others hang; then the page is loaded anew."""
        stuck, first = [], []

        def bad_way(route):
            if first:
                return stuck.append(route)
            first.append(route)
            route.continue_()
        self.page.route("**/parts", bad_way)
        self.choose()
        expect(self.page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
        self.page.reload()
        self.page.unroute("**/parts")
        settle(self.page)
        del self.parts[:]

    def test_it_goes_on_where_it_stopped(self):
        self.stop_after_one_part()
        self.choose()
        expect(self.page.get_by_role("heading", name=NAME)).to_be_visible(timeout=60_000)
        self.assertEqual(len(self.parts), 3)
        self.assertEqual(self.server.request(f"/files?search={NAME}")["data"][0]["bytes"], self.large.stat().st_size)

    def test_a_page_says_that_an_upload_has_begun(self):
        self.stop_after_one_part()
        expect(self.page.get_by_text("An upload has begun and not ended")).to_be_visible()
        expect(self.page.locator("main")).to_contain_text(f"{NAME} 25 % of")
        self.page.get_by_role("button", name=f"Go on with {NAME}").click()
        expect(self.page.get_by_role("dialog")).to_contain_text(f"{NAME} 25 % of")
        self.page.get_by_role("dialog").get_by_role("button", name=f"Give up the upload of {NAME}").click()
        expect(self.page.get_by_text("An upload has begun and not ended")).to_have_count(0)
        self.choose()
        expect(self.page.get_by_role("heading", name=NAME)).to_be_visible(timeout=60_000)
        self.assertEqual(len(self.parts), 4)

    def test_one_refused_part_ends_all_of_it(self):
        self.browser.expect_refusal(400, "POST", "/parts")
        routes = []

        def refuse(route):
            routes.append(route)
            if len(routes) == 2:
                route.fulfill(status=400, content_type="application/json", body='{"error": {"message": "That part is spoilt."}}')
        self.page.route("**/parts", refuse)  # the first one takes its time
        self.choose()
        expect(self.page.get_by_role("alert")).to_contain_text("That part is spoilt.")
        with contextlib.suppress(Error):  # it is given up
            routes[0].fulfill(content_type="application/json", body='{"id": "part_late"}')
        expect(self.page.get_by_role("progressbar")).to_have_count(0)
        self.page.wait_for_timeout(300)
        self.assertEqual(len(routes), 2)

    def test_a_lost_answer_to_the_last_request_costs_nothing(self):
        lost = []

        def lose(route):
            lost.append(route.fetch().json())
            route.abort()
        self.page.route("**/complete", lose)
        self.choose()
        expect(self.page.get_by_role("heading", name=NAME)).to_be_visible(timeout=60_000)
        self.assertEqual((len(lost), len(self.parts)), (1, 4))
        self.assertIn(lost[0]["file"]["id"], self.page.url)

    def test_a_file_that_was_made_while_the_page_was_gone_is_found(self):
        def lose(route):
            route.fetch()
            self.page.evaluate("setTimeout(() => location.reload(), 1)")
        self.page.route("**/complete", lose)
        self.choose()
        expect(self.page.get_by_text("An upload has begun and not ended")).to_be_visible(timeout=60_000)
        del self.parts[:]
        self.choose()
        expect(self.page.get_by_role("heading", name=NAME)).to_be_visible(timeout=60_000)
        self.assertEqual(self.parts, [])
        self.assertEqual(len(self.server.request(f"/files?search={NAME}")["data"]), 1)

    def test_leaving_the_page_stops_an_upload_and_says_so(self):
        self.page.route("**/parts", lambda route: None)
        self.choose()
        expect(self.page.get_by_role("progressbar")).to_be_visible()
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_text(f"The upload of {NAME} was stopped.")).to_be_visible()
        expect(self.page.get_by_text("An upload has begun and not ended")).to_be_visible()


if __name__ == "__main__":
    unittest.main()
