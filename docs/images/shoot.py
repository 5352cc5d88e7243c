"""Make the pictures of the page that the documentation shows, of a real run in a real browser.

python docs/images/shoot.py        needs Chromium, and playwright from the development packages
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
PIPELINES = ["verified_vote", "refine_until_verified", "critique_rank_fuse", "agreement_cascade"]
QUESTIONS = [
    "Eva has 30 pens. Eva loses 12. How many pens does Eva have?",
    "Max has 9 cups. Max loses 2. Max buys 6 more. How many cups does Max have?",
    "Mia has 40 shells. Sam has half as many as Mia. Sam finds 7 more. "
    "How many shells does Sam have?",
]
SIZE = {"width": 1180, "height": 940}


def main() -> None:
    """Ask, and take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        for question in QUESTIONS[:2]:
            ask(page, f"{url}#pipeline/refine_until_verified", question)
        ask(page, f"{url}#pipeline/verified_vote", QUESTIONS[2])
        take(page, "page-light.png")
        page.emulate_media(color_scheme="dark")
        take(page, "page-dark.png")
        browser.close()


@contextmanager
def serving() -> Iterator[str]:
    """`polyarch serve` on a free port."""
    code = "from polyarch.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", *PIPELINES, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().rsplit(" ", 1)[-1].strip().removesuffix("v1")
        process.send_signal(signal.SIGTERM)


def ask(page: Page, url: str, question: str) -> None:
    """Ask one question, and wait for its answer."""
    page.goto(url)
    page.get_by_label("Question").fill(question)
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Ask").click()
    page.locator(".badge.done").wait_for(timeout=120_000)
    page.locator("#requests [aria-current=true]").wait_for()


def take(page: Page, name: str) -> None:
    """Take a picture of what can be seen."""
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=HERE / name)


if __name__ == "__main__":
    main()
