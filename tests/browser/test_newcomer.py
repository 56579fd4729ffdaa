"""The whole way that a newcomer goes, in a browser: from the printed address to a model that is compared with its base."""
import pathlib
import re
import tempfile
import unittest

from playwright.sync_api import expect

from support.browser import Browser
from support.content import EXAMPLES, FAULTY
from support.server import Server, wait_for


class Newcomer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2))
        cls.root = cls.server.url.removesuffix("/v1")
        cls.browser = cls.enterClassContext(Browser())
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (folder / "faulty.jsonl").write_bytes(FAULTY)
        (folder / "chats.jsonl").write_bytes(b"".join(EXAMPLES.read_bytes().splitlines(keepends=True)[:200]))
        cls.folder = folder

    def setUp(self):
        self.browser.faults.clear()
        self.browser.expected.clear()

    def tearDown(self):
        self.assertEqual(self.browser.faults, [])
        self.assertEqual(self.browser.hosts - {self.root.split("/")[2], ""}, set())

    def test_the_way_from_the_printed_address_to_a_model_compared_with_its_base(self):
        page = self.browser.page()
        token = re.findall(r"\S+/sign-in#\S+", (self.server.data / "server.log").read_text())[-1]
        page.goto(token)
        expect(page.get_by_role("heading", name="Home")).to_be_visible()
        self.assertNotIn("#", page.url)
        cookie = page.context.cookies()[0]
        self.assertTrue(cookie["httpOnly"] and cookie["sameSite"] == "Strict")

        page.get_by_role("link", name="New fine-tuning job").click()
        page.set_input_files("input[type=file]", self.folder / "faulty.jsonl")
        report = page.get_by_role("alert")
        expect(report).to_contain_text("Line 1")
        expect(report).to_contain_text("Line 2")
        expect(page.get_by_role("button", name="Create job")).to_be_disabled()

        page.get_by_role("button", name="Another file").click()
        page.set_input_files("input[type=file]", self.folder / "chats.jsonl")
        expect(page.get_by_test_id("report")).to_contain_text("200examples")
        expect(page.locator("mark.trained").nth(1)).to_contain_text("{")
        expect(page.get_by_test_id("estimate")).to_contain_text("at work")
        page.get_by_label("Nickname").fill("newcomer")
        page.get_by_label("Epochs").fill("3")
        page.get_by_role("button", name="Create job").click()

        expect(page.get_by_role("heading", name="newcomer")).to_be_visible()
        chart = page.locator("figure.chart table")
        expect(chart.first).to_be_attached(timeout=60_000)
        step = lambda: int(page.locator("main").inner_text().split("step ")[1].split(" of")[0].replace(",", ""))
        expect(page.locator(".progress-head")).to_contain_text("step", timeout=30_000)
        before = step()
        wait_for(lambda: page.wait_for_timeout(100) or step() > before, 60, "the next step")
        expect(page.locator(".progress-head .status")).to_have_text("succeeded", timeout=120_000)
        expect(page.get_by_role("list", name="Events")).to_contain_text("successfully completed")
        self.assertEqual(step(), 600)

        page.get_by_role("button", name="Actions of newcomer").click()
        page.get_by_role("menuitem", name="Compare with its base").click()
        expect(page.get_by_label("Model", exact=True)).to_have_count(2)
        page.get_by_role("textbox", name="System prompt").first.fill(
            "You are a JSON Generation Specialist. Convert user requests into properly formatted JSON.")
        page.get_by_role("slider", name="Temperature").fill("0")
        page.get_by_role("textbox", name="Your message").fill("Add a product with name 'Lantern', price 19.95, and quantity 7.")
        page.keyboard.press("Enter")
        answers = page.get_by_role("article")
        expect(answers).to_have_count(2)
        for index in range(2):
            expect(answers.nth(index)).to_contain_text("tokens a second", timeout=60_000)
        tuned, base = answers.nth(0).inner_text(), answers.nth(1).inner_text()
        self.assertIn("Lantern", tuned)
        self.assertIn('"price"', tuned)
        self.assertNotEqual(tuned.split("\n")[1:4], base.split("\n")[1:4])

    def test_wrong_keys_are_refused_and_right_ones_lead_to_the_page_that_was_asked_for(self):
        self.browser.expect_refusal(401, "POST", "/v1/session")
        page = self.browser.page()
        page.goto(f"{self.root}/files")
        page.get_by_label("API key").fill("sk-temper-wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Incorrect API key")
        page.get_by_label("API key").fill(self.server.key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Files")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in to temper")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Sign in to temper")).to_be_visible()

    def test_a_printed_address_works_once(self):
        self.browser.expect_refusal(401, "POST", "/v1/session")
        with Server() as server:
            address = re.findall(r"\S+/sign-in#\S+", (server.data / "server.log").read_text())[-1]
            first, second = self.browser.page(), self.browser.page()
            first.goto(address)
            expect(first.get_by_role("heading", name="Home")).to_be_visible()
            second.goto(address)
            expect(second.get_by_role("alert")).to_contain_text("used already")
            first.context.close()
            second.context.close()
            self.browser.hosts.discard(address.split("/")[2])


if __name__ == "__main__":
    unittest.main()
