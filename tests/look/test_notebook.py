"""What a notebook shows of pipelines and results."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import ServerFailed
from polyarch.pipeline import Pipeline
from polyarch.runtime.result import Result

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)> & \"'"

TEXT = """\
name: checked
about: "Draw <b>and</b> vote."
answer: number
models: {m: {model: scripted/x, price: {prompt: 1, completion: 4}}}
steps:
  drafts: {op: generate, n: 3}
  checked: {op: verify}
  answer: {op: vote}
"""


class Seen(HTMLParser):
    """Elements and text of a page; elements that are never closed are an error."""

    VOID = frozenset({"path", "rect", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def answered(question: str = f"What is 2 + 2? {EVIL}") -> tuple[Pipeline, Result]:
    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role == "verify":
            return '{"reason": "fine ' + EVIL.replace('"', "") + '", "verdict": "right"}'
        return f"{EVIL} so the answer is {4 if draw.index else 5}"

    made = polyarch.loads(TEXT).plan
    with Pipeline(made, backends={"m": Scripted(reply)}) as pipeline:
        return pipeline, pipeline(question)


def test_a_pipeline_shows_its_graph_and_what_it_costs() -> None:
    pipeline, _ = answered()
    seen = Seen(pipeline._repr_html_())
    assert "svg" in seen.tags
    assert "b" not in seen.tags
    assert "Draw <b>and</b> vote." in seen.text
    for told in ("drafts", "generate", "3 candidates · m", "checked", "answer", "calls"):
        assert told in seen.text


def test_a_result_shows_every_candidate_with_scores_notes_and_votes() -> None:
    _, result = answered()
    seen = Seen(result._repr_html_())
    rows = re.findall(r"drafts\[\d\](?: \(result\))?", seen.text)
    assert sorted(rows) == ["drafts[0]", "drafts[1] (result)", "drafts[2]"]
    assert seen.text.count("verify 1") == 3
    assert "vote 0.667" in seen.text
    assert "fine" in seen.text
    assert f"${result.usage.usd:.4g}" in seen.text
    assert re.search(r"4\s*2\s*5\s*1", seen.text), "the tally"


def test_no_text_is_markup() -> None:
    pipeline, result = answered()
    for html in (pipeline._repr_html_(), result._repr_html_()):
        tags = Seen(html).tags
        assert not {"script", "img", "style", "link"} & set(tags)
    assert EVIL in Seen(result._repr_html_()).text


def test_nothing_is_fetched_and_nothing_says_which_colour_text_has() -> None:
    pipeline, result = answered()
    for html in (pipeline._repr_html_(), result._repr_html_()):
        assert not re.search(r"https?://|url\(|src=|href=", html.replace("src=x", ""))
        assert not re.search(r"[;\"]color:", html)


def test_an_answer_that_failed_says_why() -> None:
    made = polyarch.loads(TEXT.replace("price:", "retries: 0, price:")).plan
    failing = Scripted(lambda request, draw: Script(fault=ServerFailed(f"broken {EVIL}")))
    with Pipeline(made, backends={"m": failing}) as pipeline:
        (result,) = pipeline.map(["What is 2 + 2?"], on_error="skip")
    seen = Seen(result._repr_html_())
    assert f"broken {EVIL}" in seen.text
    assert "failed" in seen.text


def test_many_candidates_are_cut() -> None:
    made = polyarch.loads(TEXT.replace("n: 3", "n: 200")).plan
    with Pipeline(made, backends={"m": Scripted(lambda *_: "answer: 4")}) as pipeline:
        html = pipeline("What is 2 + 2?")._repr_html_()
    assert len(re.findall(r"drafts\[\d+\]", Seen(html).text)) == 64
    assert "and 136 more" in html


@pytest.mark.parametrize("name", ["verified_vote", "refine_until_verified", "agreement_cascade"])
def test_the_librarys_pipelines_are_shown(name: str) -> None:
    from polyarch import pipelines

    Seen(getattr(pipelines, name)._repr_html_())
