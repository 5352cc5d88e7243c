"""Programs scored by their tests, in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

from sandboxed import within

from polyarch.compiler.answers import Answer
from polyarch.evaluation.data import Item, load_data
from polyarch.evaluation.metrics import Given, metric
from polyarch.evaluation.metrics.code import Code, program_of
from polyarch.evaluation.metrics.score import Score
from polyarch.runtime.sandbox.box import Sandbox

FOLDER = Path(__file__).parents[1] / "data" / "recordings" / "humaneval-codet"


def scores(spec: object, item: Item, texts: list[str]) -> list[Score]:
    given = [Given(Answer(text, "text"), text) for text in texts]
    code = metric(spec)  # type: ignore[arg-type]
    assert isinstance(code, Code)

    async def work(box: Sandbox) -> list[Score]:
        code._opened.append(box)
        return await code.score_together(item, given)

    return within(work)


def test_recorded_programs_pass_as_recorded() -> None:
    item = load_data(FOLDER).items[0]
    rows = map(json.loads, (FOLDER / "samples.jsonl").read_text().splitlines())
    own = [row for row in rows if row["item"] == item.id]
    found = scores("code", item, [row["answer"] for row in own])
    assert [score.value for score in found] == [float(row["correct"]) for row in own]


def test_each_test_has_its_verdict() -> None:
    item = Item("i", "?", "", fields={"tests": ["assert f(1) == 1", "assert f(2) == 4", "f(0)"]})
    program = "def f(n):\n    return n * n if n else 1 / n\n"
    (found,) = scores({"code": {"partial": True}}, item, [program])
    assert found.detail["verdicts"] == ["pass", "pass", "error"]
    assert found.value == 2 / 3


def test_programs_that_read_and_write() -> None:
    fields = {"inputs": ["1 2\n", "5 5\n"], "outputs": ["3", "10\n"]}
    item = Item("i", "?", "", fields=fields)
    right = "print(sum(map(int, input().split())))"
    found = scores("code", item, [right, "print(3)", f"```python\n{right}\n```"])
    assert [score.value for score in found] == [1.0, 0.0, 1.0]
    assert found[1].detail["why"] == "it wrote something else"


def test_a_program_cannot_say_that_it_passed() -> None:
    item = Item("i", "?", "", fields={"tests": ["assert f() == 1"]})
    equal = "class A(int):\n  __eq__ = lambda *_: True\nf = lambda: A()"
    found = scores("code", item, ["import os\nos._exit(0)", equal])
    assert [score.value for score in found] == [0.0, 0.0]


def test_a_completion_goes_behind_its_function() -> None:
    question = 'def f(n):\n    """Double."""'
    item = Item("i", question, "", fields={"entry_point": "f"})
    wanted = f"{question}\n    return 2 * n"
    for text in ("    return 2 * n", "return 2 * n", "```python\nreturn 2 * n\n```"):
        assert program_of(item, Answer(text, "text"), text) == wanted
    whole = "def f(n):\n    return 2 * n"
    assert program_of(item, Answer(whole, "code"), whole) == whole
    assert program_of(item, None, whole) is None
