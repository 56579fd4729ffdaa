#!/usr/bin/env python3
"""Takes a picture of every page: light and dark, on a desk and on a phone, and some as narrow and as wide as they go.

usage: make screenshots      (tools/make_screenshots.py --build build [--only NAME] [--to DIRECTORY])

A server is started on data of its own, and filled as if it had been used (tests/support/content.py).
"""
import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = {"desk": (1280, 860, False), "desk-dark": (1280, 860, True), "phone": (390, 844, False), "phone-dark": (390, 844, True)}
EXTREMES = {"narrow": (360, 740, False), "wide": (2560, 1300, False)}
EXTREME_PAGES = ("home", "playground", "fine-tuning", "job", "new-job")
SYSTEM = "You are a JSON Generation Specialist. Convert user requests into properly formatted JSON."
QUESTION = "Add a product with name 'Lantern', price 19.95, and quantity 7."


def talk(page, content):
    """A conversation for the playground's picture."""
    if page.get_by_label("System prompt").first.is_visible():
        page.get_by_label("System prompt").first.fill(SYSTEM)
        page.get_by_role("slider", name="Temperature").first.fill("0")
    page.get_by_role("textbox", name="Your message").fill(QUESTION)
    page.keyboard.press("Enter")
    page.get_by_text("tokens a second").last.wait_for()


def take(given):
    sys.path.insert(0, str(ROOT / "tests"))
    from support.browser import Browser, settle
    from support.content import Content, make_job
    from support.server import Server
    folder = given.to.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with Server(threads=os.cpu_count(), options=["--allow-private-webhooks"]) as server, Browser() as browser:
        print("filling a server", flush=True)
        content = Content(server)
        pages = content.pages()
        running = make_job(server, content.file, "support-bot", "running", hyperparameters={"n_epochs": 40, "batch_size": 2})
        pages["running-job"] = f"/fine-tuning/{running['id']}"
        pages["playground"] += "&compare=temper/mini-instruct"
        for size, (width, height, dark) in {**SIZES, **EXTREMES}.items():
            page = browser.page(server, width=width, height=height, dark=dark)
            for name, path in pages.items():
                if (given.only and name not in given.only) or (size in EXTREMES and name not in EXTREME_PAGES):
                    continue
                page.goto(server.url.removesuffix("/v1") + path)
                settle(page)
                if name == "playground":
                    talk(page, content)
                if name == "new-job":
                    page.get_by_test_id("estimate").wait_for()
                # As high as the page, so that what keeps the window's height is as high, too.
                whole = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": height if name == "playground" else max(height, whole)})
                page.wait_for_timeout(700)
                page.screenshot(path=folder / f"{name}-{size}.png")
                page.set_viewport_size({"width": width, "height": height})
            page.context.close()
            print(f"{size}: {folder}", flush=True)
        server.request(f"/fine_tuning/jobs/{running['id']}/cancel", method="POST")
        content.close()
        if browser.faults:
            print("the pages complained:", *browser.faults, sep="\n  ")
            return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--only", action="append", help="a page, by name")
    parser.add_argument("--to", type=pathlib.Path, help="where the pictures go (BUILD/screenshots)")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)  # the environment is there
    given = parser.parse_args()
    given.to = given.to or given.build / "screenshots"
    os.environ["TEMPER"] = str(given.build.resolve() / "temper")
    if given.within:
        return take(given)
    sys.path.insert(0, str(ROOT / "tests"))
    import run
    python = run.environment(given.build.resolve() / "venv-browser", [f"playwright=={run.PLAYWRIGHT}"])
    return subprocess.run([str(python), __file__, "--within", *sys.argv[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
