"""The form of a new job: what it refuses and where it says so, and that it makes one job of one wish."""
import unittest

from playwright.sync_api import expect

from support.browser import Browser, settle
from support.content import EXAMPLES, FAULTY, make_job, upload
from support.server import Server


class Create(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2))
        cls.browser = cls.enterClassContext(Browser())
        lines = EXAMPLES.read_bytes().splitlines(keepends=True)
        cls.file = upload(cls.server, "good.jsonl", b"".join(lines[:60]))
        cls.faulty = upload(cls.server, "faulty.jsonl", FAULTY)
        cls.job = make_job(cls.server, cls.file, "first", "succeeded", hyperparameters={"n_epochs": 2, "batch_size": 4})

    def setUp(self):
        self.browser.faults.clear()
        self.browser.expected.clear()

    def tearDown(self):
        for context in self.browser.browser.contexts:
            context.close()
        self.assertEqual(self.browser.faults, [])

    def open(self, query):
        page = self.browser.page(self.server, path=f"/fine-tuning/new?{query}")
        settle(page)
        self.create = page.get_by_role("button", name="Create job")
        return page

    def jobs(self):
        return self.server.request("/fine_tuning/jobs?limit=100")["data"]

    def test_a_double_click_makes_one_job(self):
        page = self.open(f"training_file={self.file}")
        page.get_by_label("Nickname").fill("twice")
        expect(self.create).to_be_enabled()
        before = len(self.jobs())
        self.create.dblclick()
        expect(page.get_by_role("heading", name="twice")).to_be_visible()
        page.wait_for_timeout(500)
        self.assertEqual(len(self.jobs()), before + 1)
        self.server.request(f"/fine_tuning/jobs/{self.jobs()[0]['id']}/cancel", method="POST")

    def test_a_file_that_was_not_looked_at_yet_makes_no_job(self):
        page = self.open(f"training_file={self.file}")
        expect(self.create).to_be_enabled()
        held = []
        page.route("**/v1/fine_tuning/checks", lambda route: held.append(route))
        page.get_by_label("Training file", exact=True).select_option(self.faulty)
        expect(self.create).to_be_disabled()
        expect(page.get_by_test_id("report")).to_have_count(0)
        page.unroute("**/v1/fine_tuning/checks")
        page.get_by_label("Training file", exact=True).select_option(self.file)
        expect(self.create).to_be_enabled()
        page.get_by_label("Training file", exact=True).select_option(self.faulty)
        expect(page.get_by_role("alert")).to_contain_text("Line 1")
        expect(self.create).to_be_disabled()

    def test_a_number_that_is_none_is_refused_at_its_field(self):
        page = self.open(f"training_file={self.file}")
        expect(self.create).to_be_enabled()
        for name, text in (("Epochs", "1e999"), ("Batch size", "1,000"), ("Learning-rate multiplier", "fast")):
            with self.subTest(field=name):
                field = page.get_by_role("textbox", name=name)
                field.fill(text)
                expect(page.locator(".field", has=field)).to_contain_text(f"“{text}” is no number")
                expect(self.create).to_be_disabled()
                field.fill("")
                expect(self.create).to_be_enabled()

    def test_a_refused_setting_is_marked_and_hides_nothing_of_the_file(self):
        self.browser.expect_refusal(400, "POST", "/v1/fine_tuning/checks")
        page = self.open(f"training_file={self.file}")
        epochs = page.get_by_role("textbox", name="Epochs")
        epochs.fill("51")
        expect(page.locator(".field", has=epochs).get_by_role("alert")).to_have_text("N_epochs must be at most 50, but is 51.")
        expect(page.get_by_test_id("report")).to_contain_text("60examples")
        expect(self.create).to_be_disabled()
        expect(page.get_by_role("status").filter(has_text="Mend what is marked above")).to_be_visible()
        epochs.fill("5")
        expect(self.create).to_be_enabled()

    def test_a_fault_behind_advanced_opens_it(self):
        self.browser.expect_refusal(400, "POST", "/v1/fine_tuning/checks")
        page = self.open(f"training_file={self.file}")
        page.get_by_text("Advanced").click()
        page.get_by_label("LoRA rank").fill("999")
        page.get_by_text("Advanced").click()
        alert = page.get_by_role("alert").filter(has_text="rank must be at most 256")
        expect(alert).to_be_visible()
        page.get_by_text("Advanced").click()
        expect(alert).to_be_hidden()
        expect(page.get_by_text("something in here is refused")).to_be_visible()

    def test_no_modules_are_refused_where_they_are_chosen(self):
        page = self.open(f"training_file={self.file}")
        page.get_by_text("Advanced").click()
        for box in page.get_by_role("group", name="LoRA modules").get_by_role("checkbox").all():
            box.uncheck()
        expect(page.get_by_role("alert").filter(has_text="Choose at least one")).to_be_visible()
        expect(page.get_by_role("group", name="LoRA modules")).to_have_accessible_description("Choose at least one: these are what is trained.")
        expect(self.create).to_be_disabled()
        expect(page.get_by_test_id("report")).to_be_visible()

    def test_a_job_goes_on_from_a_checkpoint(self):
        name = self.server.request(f"/fine_tuning/jobs/{self.job['id']}/checkpoints")["data"][-1]["fine_tuned_model_checkpoint"]
        page = self.open(f"training_file={self.file}&model={name.replace(':', '%3A')}")
        base = page.get_by_label("Base model")
        expect(base).to_have_value(name)
        expect(base.locator("option:checked")).to_contain_text("step 15")
        expect(self.create).to_be_enabled()
        base.select_option("temper/mini-instruct")
        expect(base.locator(f"option[value='{name}']")).to_have_count(0)
        base.select_option(self.job["fine_tuned_model"])
        expect(base.locator(f"option[value='{name}']")).to_have_count(1)
        base.select_option(name)
        page.get_by_label("Nickname").fill("from-checkpoint")
        self.create.click()
        expect(page.get_by_role("heading", name="from-checkpoint")).to_be_visible()
        made = self.jobs()[0]
        self.assertEqual(made["model"], name)
        self.server.request(f"/fine_tuning/jobs/{made['id']}/cancel", method="POST")

    def test_a_job_that_is_not_there_cannot_be_tuned_again(self):
        self.browser.expect_refusal(404, "GET", "/v1/fine_tuning/jobs/ftjob-none")
        page = self.open("from=ftjob-none")
        expect(page.get_by_role("alert")).to_contain_text("The earlier job's settings could not be had")

    def test_a_server_that_was_away_is_asked_again(self):
        page = self.open("")
        page.route("**/v1/fine_tuning/checks", lambda route: route.abort())
        page.get_by_label("Training file", exact=True).select_option(self.file)
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
        page.unroute("**/v1/fine_tuning/checks")
        expect(self.create).to_be_enabled(timeout=40_000)


if __name__ == "__main__":
    unittest.main()
