"""The page in a real browser: what a person sees and does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import Unreachable
from polyarch.runtime.trace.read import read

from .hosting import QUESTION, VOTE, Site, browsing, right, scripted, served

EVIL = '<img src=x onerror="window.hacked = true"><script>window.hacked = true</script>'
KEY = "a-key-of-the-server"

Scheme: TypeAlias = Literal["light", "dark"]


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture(name="page")
def _page(browser: Browser) -> Iterator[Page]:
    """A page on which nothing may go wrong unnoticed."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(10_000)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        yield page
        # A refused request is told in the console, too.
        assert [one for one in faults if "Failed to load resource" not in one] == []


def asked(page: Page, site: Site, question: str = QUESTION) -> None:
    """Open the page, and ask."""
    page.goto(site.url)
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask").click()


def card(page: Page, key: str) -> Locator:
    return page.get_by_role("article", name=key, exact=True)


def sums(page: Page) -> dict[str, str]:
    """What the page says was spent."""
    pairs = page.locator("#sums > div").evaluate_all(
        "all => all.map(p => [...p.children].map(e => e.innerText))"
    )
    return dict(pairs)


def test_candidates_are_shown_as_they_come(page: Page) -> None:
    def slowly(request: Request, draw: Draw) -> Script:
        last = draw.index == 3 and request.purpose.role == "solve"
        return Script(str(right(request, draw)), latency=2.5 if last else 0.05)

    with served(scripted(VOTE, Scripted(slowly))) as site:
        asked(page, site)
        expect(card(page, "drafts[0]")).to_contain_text("I find it right.")
        expect(card(page, "drafts[0]")).to_contain_text("verify 1")
        expect(card(page, "drafts[3]")).to_have_class(re.compile("writing"))
        expect(page.locator("#badge")).to_have_text("running")
        expect(page.locator("#sums")).to_contain_text("under way1")
        step = page.get_by_role("button", name=re.compile("^drafts, generate"))
        expect(step).to_have_class(re.compile("works"))
        assert "3 of 4" in (step.get_attribute("aria-label") or "")
        expect(page.locator("#badge")).to_have_text("done")
        expect(page.locator("#answer")).to_have_text("4")
        expect(card(page, "drafts[0]")).to_contain_text("result")
        expect(card(page, "drafts[3]")).to_contain_text("I find it wrong.")
        expect(page.get_by_role("group", name="Votes")).to_have_text("431 other answer: 0")
        expect(page.get_by_role("status")).to_contain_text("Answer: 4. 8 calls")
        (trace,) = site.hosted.traces
        usage = trace.usage
        shown = sums(page)
        assert shown["calls"] == "8"
        assert shown["prompt tokens"] == str(usage.prompt_tokens)
        assert shown["completion tokens"] == str(usage.completion_tokens)
        assert float(shown["spent"].removeprefix("$")) == pytest.approx(usage.usd, rel=0.05)


def test_texts_are_shown_while_they_are_written(page: Page) -> None:
    def halting(request: Request, draw: Draw) -> Script:
        if request.purpose.role == "verify":
            return Script(str(right(request, draw)))
        return Script(
            parts=((0.05, "First this, "), (1.5, f"then that. The answer is {draw.index}."))
        )

    with served(scripted(VOTE, Scripted(halting))) as site:
        asked(page, site)
        expect(card(page, "drafts[2]").locator(".text")).to_have_text("First this,")
        expect(card(page, "drafts[2]")).to_have_class(re.compile("writing"))
        whole = "First this, then that. The answer is 2."
        expect(card(page, "drafts[2]").locator(".text")).to_have_text(whole)
        expect(page.locator("#badge")).to_have_text("done")


def test_everything_can_be_done_from_the_keyboard(page: Page) -> None:
    def latency(request: Request, draw: Draw) -> float:
        return 30.0 if request.purpose.role == "solve" and draw.index == 3 else 0.01

    backend = Scripted(right, latency=latency)
    first, second = scripted(VOTE, backend), scripted(VOTE.replace("checked_vote", "b"), backend)
    with served(first, second) as site:
        page.goto(site.url)
        expect(page.get_by_role("radio", name="checked_vote")).to_be_checked()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the question")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#name")).to_have_text("b")
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "question":
                break
        page.keyboard.type(QUESTION)
        page.keyboard.press("Control+Enter")
        expect(card(page, "drafts[2]")).to_contain_text("4")
        expect(page.get_by_role("button", name="Ask")).to_be_disabled()
        page.keyboard.press("Escape")
        expect(page.locator("#badge")).to_have_text("stopped")
        expect(card(page, "drafts[3]")).to_contain_text("cancelled")
        expect(page.get_by_role("button", name="Ask")).to_be_enabled()
        page.wait_for_timeout(200)
        assert backend.log.under_way == 0
        assert backend.log.cancelled == 1
        page.get_by_role("button", name=re.compile("^drafts, generate")).focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.innerText").startswith("drafts")


def test_no_text_of_a_model_or_a_user_is_markup(page: Page) -> None:
    def evil(request: Request, draw: Draw) -> str:
        if request.purpose.role == "verify":
            return json.dumps({"reason": EVIL, "verdict": "right"})
        return f"{EVIL} The answer is {draw.index}."

    with served(scripted(VOTE.replace("A paper", "<b>A</b> paper"), Scripted(evil))) as site:
        asked(page, site, EVIL)
        expect(page.locator("#badge")).to_have_text("done")
        expect(card(page, "drafts[1]").locator(".text")).to_have_text(f"{EVIL} The answer is 1.")
        expect(card(page, "drafts[1]").locator(".note")).to_have_text(EVIL)
        expect(page.locator("#asked")).to_have_text(EVIL)
        page.get_by_role("list").get_by_role("button", name=re.compile("img")).click()
        expect(page.locator("#badge")).to_have_text("done")
        assert page.evaluate("[document.images.length, window.hacked]") == [0, None]
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Timeline and every event").click()
        timeline = opened.value
        expect(timeline.locator("td").filter(has_text="onerror").first).to_be_visible()
        assert timeline.evaluate("[document.images.length, window.hacked]") == [0, None]


_CONTRAST = """() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = colour => {
    const [r, g, b] = parts(colour).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    const own = getComputedStyle(e).backgroundColor;
    return (parts(own)[3] ?? 1) === 1 ? own : behind(e.parentElement);
  };
  let least = 99;
  for (const e of document.querySelectorAll('main *, nav *, header *')) {
    const said = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!said || !e.checkVisibility() || e.closest('svg, .waste, :disabled, .hide')) continue;
    const both = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    least = Math.min(least, (both[0] + 0.05) / (both[1] + 0.05));
  }
  return least;
}"""


def contrast(page: Page) -> float:
    """The least contrast of a text with what is behind it."""
    return float(page.evaluate(_CONTRAST))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_the_light_and_in_the_dark(page: Page, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    with served(scripted(VOTE, Scripted(right))) as site:
        asked(page, site)
        expect(page.locator("#badge")).to_have_text("done")
        expect(page.locator("#requests button")).to_have_count(1)
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
        assert contrast(page) >= 4.5
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.response["violations"] == []


def test_past_requests_are_listed_and_each_opens_its_trace(page: Page, tmp_path: Path) -> None:
    with served(scripted(VOTE, Scripted(right))) as site:
        for number in range(2):
            page.request.post(
                f"{site.url}/v1/chat/completions",
                data={
                    "model": "checked_vote",
                    "messages": [{"role": "user", "content": f"Question {number}?"}],
                },
            )
        page.goto(site.url)
        entries = page.locator("#requests button")
        expect(entries).to_have_count(2)
        expect(entries.first).to_contain_text("Question 1?")
        entries.nth(1).click()
        expect(page.locator("#asked")).to_have_text("Question 0?")
        expect(entries.nth(1)).to_have_attribute("aria-current", "true")
        expect(page.get_by_role("article")).to_have_count(4)
        expect(page.locator("#answer")).to_have_text("4")
        page.reload()
        expect(page.locator("#asked")).to_have_text("Question 0?")
        page.goto(f"{site.url}#request/chatcmpl-gone")
        expect(page.get_by_role("alert")).to_have_text("That request is not kept any more.")
        expect(page.locator("#name")).to_have_text("checked_vote")
        page.go_back()
        expect(page.locator("#asked")).to_have_text("Question 0?")
        with page.expect_download() as saved:
            page.get_by_role("link", name="Trace file").click()
        saved.value.save_as(tmp_path / "t.jsonl")
        trace = read(tmp_path / "t.jsonl")
        kept = list(site.hosted.traces)[1]
        assert saved.value.suggested_filename == f"{kept.id}.jsonl"
        assert [event.what for event in trace.events] == [event.what for event in kept.events]
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Timeline and every event").click()
        expect(opened.value).to_have_title("checked_vote · polyarch trace")
        expect(opened.value.locator("#range")).to_contain_text("requests, at most")


def test_a_request_that_is_under_way_elsewhere_is_followed(page: Page) -> None:
    def latency(request: Request, draw: Draw) -> float:
        return 2.0 if request.purpose.role == "solve" and draw.index == 3 else 0.01

    with served(scripted(VOTE, Scripted(right, latency=latency))) as site:
        body = {
            "model": "checked_vote",
            "messages": [{"role": "user", "content": "Of another?"}],
        }
        with ThreadPoolExecutor() as threads:
            other = threads.submit(httpx.post, f"{site.url}/v1/chat/completions", json=body)
            while not len(site.hosted.traces):
                page.wait_for_timeout(20)
            page.goto(site.url)
            page.locator("#requests button").click()
            expect(page.locator("#badge")).to_have_text("running")
            expect(card(page, "drafts[0]")).to_contain_text("I find it right.")
            expect(card(page, "drafts[3]")).to_have_class(re.compile("writing"))
            expect(page.locator("#badge")).to_have_text("done")
            expect(page.locator("#answer")).to_have_text("4")
            expect(page.get_by_role("article")).to_have_count(4)
            assert other.result().status_code == 200


def test_a_key_is_asked_for_once(page: Page) -> None:
    with served(scripted(VOTE, Scripted(right)), keys=[KEY]) as site:
        page.goto(site.url)
        field = page.get_by_label("API key")
        expect(field).to_be_focused()
        page.keyboard.type("another")
        page.keyboard.press("Enter")
        expect(page.get_by_text("does not know this key")).to_be_visible()
        field.fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_label("Question").fill(QUESTION)
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#answer")).to_have_text("4")
        page.reload()
        expect(page.locator("#requests button")).to_have_count(1)
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        page.get_by_role("button", name="Forget key").click()
        expect(field).to_be_visible()


def test_what_goes_wrong_is_told(page: Page) -> None:
    dead = scripted(
        VOTE.replace("price:", "retries: 0, price:"),
        Scripted(lambda *_: Script(fault=Unreachable("nobody listens at http://10.0.0.1"))),
    )

    def vague(request: Request, draw: Draw) -> str:
        return "Hm." if request.purpose.role == "verify" else str(right(request, draw))

    poor = scripted(
        VOTE.replace("checked_vote", "poor").replace("steps:", "budget: {calls: 8}\nsteps:"),
        Scripted(vague),
    )
    with served(dead, poor) as site:
        asked(page, site)
        expect(page.locator("#badge")).to_have_text("failed")
        expect(page.locator("#why")).to_contain_text("nobody listens")
        expect(page.locator("#requests .bad")).to_contain_text("nobody listens")
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Timeline and every event").click()
        expect(opened.value.locator("#warn")).to_contain_text("nobody listens")
        page.get_by_role("radio", name="poor").check()
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#why")).to_contain_text("calls")
        expect(page.get_by_role("button", name="Ask")).to_be_enabled()
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#why")).to_contain_text("The server does not answer")


def test_a_record_has_a_field_for_each_of_its_names(page: Page) -> None:
    seen: list[str] = []

    def reply(request: Request, draw: Draw) -> str:
        seen.append(request.purpose.question)
        return "yes"

    text = """\
name: fits
question: {kind: record, fields: [claim, source], text: "{claim} / {source}"}
models: {m: scripted/x}
steps: {answer: {op: generate}}
"""
    with served(scripted(text, Scripted(reply))) as site:
        page.goto(site.url)
        page.get_by_label("claim").fill("It rains")
        page.get_by_label("source").fill("The window")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#answer")).to_have_text("yes")
        assert seen == ["It rains / The window"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_notebooks_show_pipelines_and_results_in_their_own_colours(
    page: Page, scheme: Scheme
) -> None:
    pipeline = scripted(VOTE, Scripted(right))
    # Playwright's own event loop is under way on this thread.
    with ThreadPoolExecutor() as threads:
        result = threads.submit(pipeline, QUESTION).result()
        threads.submit(pipeline.close).result()
    page.emulate_media(color_scheme=scheme)
    page.set_content(
        "<!doctype html><html lang=en><title>n</title><style>:root { color-scheme: light dark }"
        f"</style><main>{pipeline._repr_html_()}{result._repr_html_()}</main>"
    )
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink == ("rgb(0, 0, 0)" if scheme == "light" else "rgb(255, 255, 255)")
    box = page.locator("svg .step .name").first
    assert box.evaluate("e => getComputedStyle(e).fill") == ink
    page.get_by_text("2 + 2 is what it is.").first.click()
    expect(page.locator("details[open] pre")).to_be_visible()
