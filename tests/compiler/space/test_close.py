"""A space and a choice in, a pipeline without holes out."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from textwrap import dedent, indent
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.build import build
from polyarch.compiler.errors import InputError, SpecError
from polyarch.compiler.source import parse
from polyarch.compiler.space import Space, parse_space
from polyarch.compiler.space.text import yaml_text

HEAD = """\
name: case
models: {small: scripted/small, large: {model: scripted/large, temperature: 0.2}}
answer: number
"""


def space(steps: str, rest: str = "") -> Space:
    text = f"{HEAD}steps:\n{indent(dedent(steps).strip(), '  ')}\n{dedent(rest)}"
    return parse_space(text, Path())


def steps_of(text: str) -> str:
    """The steps of a closed text, without the indent."""
    return dedent(text.split("steps:\n", 1)[1])


DRAFTS = "drafts: {op: generate, model: small, n: 4}\n"
VOTE = "answer: {op: vote}\n"

CASES = [
    pytest.param(
        "drafts: {op: generate, model: {choose: [small, large]}, n: {choose: [4, 8]}}\n" + VOTE,
        {"drafts.model": 1, "drafts.n": 0},
        "drafts: {op: generate, model: large, n: 4}\n" + VOTE,
        id="values",
    ),
    pytest.param(
        "drafts: {op: generate, model: small, n: {between: [2, 9]}, temperature: "
        "{between: [0.0, 1.2]}, top_p: {between: [0.1, 0.3], step: 0.1}}\n" + VOTE,
        {"drafts.n": 7, "drafts.temperature": 0.625, "drafts.top_p": 2},
        "drafts: {op: generate, model: small, n: 7, temperature: 0.625, top_p: 0.3}\n" + VOTE,
        id="numbers",
    ),
    pytest.param(
        DRAFTS + "checked: {optional: {op: verify, model: large}}\n" + VOTE,
        {"checked": 1},
        DRAFTS + "checked: {op: verify, model: large}\n" + VOTE,
        id="present",
    ),
    pytest.param(
        DRAFTS + "checked: {optional: {op: verify, model: large}}\n" + VOTE,
        {"checked": 0},
        DRAFTS + VOTE,
        id="absent",
    ),
    pytest.param(
        DRAFTS
        + "more: {op: generate, model: large}\n"
        + "checked: {optional: {op: verify, model: large, from: [drafts, more]}}\n"
        + VOTE,
        {"checked": 0},
        DRAFTS
        + "more: {op: generate, model: large}\n"
        + "answer: {op: vote, from: [drafts, more]}\n",
        id="absent, and the next reads what it would have read",
    ),
    pytest.param(
        DRAFTS
        + "checked: {optional: {op: verify, model: large}}\n"
        + "again: {optional: {op: verify, model: large, from: checked}}\n"
        + "last: {op: generate, model: small}\n"
        + "answer: {op: vote, from: [again, last]}\n",
        {"checked": 0, "again": 0},
        DRAFTS
        + "last: {op: generate, model: small}\n"
        + "answer: {op: vote, from: [drafts, last]}\n",
        id="absent one after the other",
    ),
    pytest.param(
        DRAFTS
        + "more: {optional: {op: generate, model: large}}\n"
        + "answer: {op: vote, from: [drafts, more]}\n",
        {"more": 0},
        DRAFTS + "answer: {op: vote, from: drafts}\n",
        id="an absent source",
    ),
    pytest.param(
        DRAFTS + "more: {optional: {op: generate, model: large}}\n" + VOTE,
        {"more": 0},
        DRAFTS + VOTE,
        id="an absent source hides nothing",
    ),
    pytest.param(
        DRAFTS + "answer: {choose: [{op: vote, stop_at: {choose: [exact, 0.9]}}, "
        "{op: rank, model: large}]}",
        {"answer": 0, "answer.vote.stop_at": 1},
        DRAFTS + "answer: {op: vote, stop_at: 0.9}\n",
        id="a step among steps",
    ),
    pytest.param(
        DRAFTS + "answer: {choose: {by_vote: {op: vote}, by_rank: {op: rank, model: large}}}",
        {"answer": 1},
        DRAFTS + "answer: {op: rank, model: large}\n",
        id="options with names",
    ),
    pytest.param(
        DRAFTS
        + "better: {repeat: {times: {between: [0, 2]}, steps: {told: {op: critique, model: large}, "
        "new: {op: refine, model: {choose: [small, large]}}}}}\n" + VOTE,
        {"better.times": 2, "better_1.new.model": 0, "better_2.new.model": 1},
        DRAFTS
        + "better_1_told: {op: critique, model: large}\n"
        + "better_1_new: {op: refine, model: small}\n"
        + "better_2_told: {op: critique, model: large}\n"
        + "better_2_new: {op: refine, model: large}\n"
        + VOTE,
        id="repeated",
    ),
    pytest.param(
        DRAFTS + "better: {repeat: {times: {choose: [0, 2]}, same: true, steps: {new: "
        "{op: refine, model: {choose: [small, large]}, from: [input, drafts]}}}}\n"
        + "answer: {op: vote, from: [better, drafts]}\n",
        {"better.times": 1, "better.new.model": 1},
        DRAFTS
        + "better_1_new: {op: refine, model: large, from: drafts}\n"
        + "better_2_new: {op: refine, model: large, from: [better_1_new, drafts]}\n"
        + "answer: {op: vote, from: [better_2_new, drafts]}\n",
        id="repeated alike, reading input",
    ),
    pytest.param(
        DRAFTS
        + "better: {repeat: {times: {between: [0, 2]}, steps: {new: {op: refine, model: small}}}}\n"
        + "answer: {op: vote, from: better}\n",
        {"better.times": 0},
        DRAFTS + "answer: {op: vote, from: drafts}\n",
        id="repeated no time passes through",
    ),
    pytest.param(
        "drafts: {op: ensemble, members: {take: {between: [1, 3]}, of: [small, large, "
        "{model: large, n: {choose: [2, 4]}}]}}\n" + VOTE,
        {"drafts.members": 2, "drafts.members.2.n": 1},
        "drafts: {op: ensemble, members: [small, large, {model: large, n: 4}]}\n" + VOTE,
        id="the first of a list",
    ),
    pytest.param(
        "drafts: {op: ensemble, n: 2, members: {subset: [small, large, scripted/other], size: 2}}\n"
        + VOTE,
        {"drafts.members.small": 1, "drafts.members.large": 0, "drafts.members.scripted_other": 1},
        "drafts: {op: ensemble, n: 2, members: [small, scripted/other]}\n" + VOTE,
        id="some of a list",
    ),
    pytest.param(
        DRAFTS + "answer: {op: vote, weight: {optional: verify}, stop_at: {choose: [null, 0.9]}}\n",
        {"answer.weight": 0, "answer.stop_at": 0},
        DRAFTS + "answer: {op: vote, stop_at: null}\n",
        id="an absent argument",
    ),
    pytest.param(
        "drafts: {op: generate, model: small, n: {choose: [4, 1]}}\n"
        "ranker: {optional: {op: rank, model: large, keep: all}, if: drafts.n > 1}\n"
        "answer: {op: select, by: first}\n",
        {"drafts.n": 1},
        "drafts: {op: generate, model: small, n: 1}\nanswer: {op: select, by: first}\n",
        id="there only if",
    ),
    pytest.param(
        DRAFTS
        + "better:\n  op: loop\n  times: {between: [1, 3]}\n"
        + "  steps: {checked: {optional: {op: verify, model: large}}, "
        "new: {op: refine, model: small}}\n" + VOTE,
        {"better.times": 2, "better.steps.checked": 0},
        DRAFTS + "better: {op: loop, times: 2, steps: {new: {op: refine, model: small}}}\n" + VOTE,
        id="inside a region",
    ),
]


def named(made: Space, choice: dict[str, float]) -> dict[str, float]:
    """A choice by short names as one by the names of holes."""
    full = {short: name for name, short in made.shorts.items()}
    return {full[short]: chosen for short, chosen in choice.items()}


@pytest.mark.parametrize(("open_", "choice", "expected"), CASES)
def test_a_space_and_a_choice_in_a_pipeline_out(
    open_: str, choice: dict[str, float], expected: str
) -> None:
    made = space(open_)
    closed = made.close(named(made, choice))
    assert steps_of(closed.text) == dedent(expected)
    again = build(parse(closed.text), Path())
    assert str(again) == str(closed.graph)


@pytest.mark.parametrize(("open_", "choice", "expected"), CASES)
def test_every_point_reads_back_as_it_was_built(
    open_: str, choice: dict[str, float], expected: str
) -> None:
    made = space(open_)
    rng = Random(7)
    for point in (named(made, choice), *(made.random(rng) for _ in range(6))):
        try:
            closed = made.close(point)
        except SpecError:
            assert point != named(made, choice)
            continue
        assert closed.text == made.close(point).text
        assert str(build(parse(closed.text), Path())) == str(closed.graph)
        assert {h.name for h in made.active(point)} == set(point)


def test_holes_stand_anywhere() -> None:
    text = """\
name: anywhere
models:
  solver: {model: scripted/a, temperature: {choose: [0.2, 0.9]}}
  judge: {choose: [scripted/b, {model: scripted/c, top_p: {choose: [0.5, 0.9]}}]}
answer: {choose: [number, {choice: [A, B]}]}
budget: {calls: {between: [20, 60], step: 20}, on_budget: {choose: [best, fail]}}
budgets: {judging: {share: {choose: [0.5, 0.25]}}}
steps:
  drafts:
    {op: generate, model: solver, n: 4, prompt: {choose: ["Answer {question}", "{question}?"]}}
  checked: {optional: {op: verify, model: judge, budget: judging}}
  answer: {op: vote}
output: {from: answer, keep: {choose: [1]}}
"""
    made = parse_space(text, Path())
    assert made.size == 2 * (1 + 2) * 2 * 3 * 2 * 2 * 2 * 2 * 1
    choice = dict(made.first)
    closed = yaml.safe_load(made.close(choice).text)
    assert closed["models"] == {
        "solver": {"model": "scripted/a", "temperature": 0.2},
        "judge": "scripted/b",
    }
    assert closed["budget"] == {"calls": 20, "on_budget": "best"}
    assert "budgets" not in closed
    assert closed["steps"]["drafts"]["prompt"] == "Answer {question}"
    choice["steps.checked"] = 1
    assert yaml.safe_load(made.close(choice).text)["budgets"] == {"judging": {"share": 0.5}}


def test_the_result_is_what_the_last_step_would_have_read() -> None:
    open_ = DRAFTS + "first: {op: vote}\nother: {op: vote, from: drafts}\n"
    made = space(open_ + "last: {optional: {op: refine, model: large, from: first}}\n")
    assert "output: first\n" in made.close({"steps.last": 0}).text
    assert "output" not in made.close({"steps.last": 1}).text
    told = space(open_ + "last: {optional: {op: refine, model: large}}\n", "output: last\n")
    assert "output: other\n" in told.close({"steps.last": 0}).text
    assert "output: last\n" in told.close({"steps.last": 1}).text


def test_a_literal_is_no_hole() -> None:
    text = """\
name: literal
models:
  solver:
    model: openai/a
    options: {extra: {literal: {choose: [1, {between: [0, 1]}]}}}
steps:
  drafts: {op: generate, n: {choose: [1, 2]}}
  answer: {op: select, by: first}
"""
    made = parse_space(text, Path())
    assert [hole.name for hole in made.holes] == ["steps.drafts.n"]
    closed = made.close({"steps.drafts.n": 0})
    assert "extra: {literal: {choose: [1, {between: [0, 1]}]}}" in closed.text
    options = closed.graph.models["solver"].options
    assert options == {"extra": {"choose": [1, {"between": [0, 1]}]}}
    assert build(parse(closed.text), Path()).models["solver"].options == options


def test_names_are_no_holes() -> None:
    text = """\
name: names
models: {choose: scripted/a}
steps:
  optional: {op: generate, model: choose, n: 2}
  choose: {op: vote}
"""
    assert build(parse(text), Path()).order == ("optional", "choose")


def test_the_header_says_what_was_chosen() -> None:
    made = space(
        DRAFTS
        + "checked: {optional: {op: verify, model: large, votes: {between: [1, 3]}}}\n"
        + VOTE
    )
    text = made.close({"steps.checked": 1, "steps.checked.votes": 2}).text
    assert text.startswith(
        "# case, with\n#   checked: present\n#   checked.votes: 2\n\nname: case\n"
    )


def test_the_header_stays_a_comment() -> None:
    written = json.dumps("A prompt\nof two lines {question} \u2028" + "x" * 99)
    made = space(
        f"drafts: {{op: generate, model: small, n: 4, prompt: {{choose: [{written}]}}}}\n" + VOTE
    )
    text = made.close(made.first).text
    header = text.split("\n\n")[0].splitlines()
    cut = "A prompt of two lines {question} ".ljust(59, "x")
    assert header[1] == f"#   drafts.prompt: {cut}…"
    assert len(header) == 2


def test_equal_choices_give_equal_texts() -> None:
    made = space(
        "drafts: {op: generate, model: small, n: {choose: [2, 4]}, "
        "temperature: {between: [0.5, 1.5]}}\n" + VOTE
    )
    one = made.close({"steps.drafts.n": 1, "steps.drafts.temperature": 1})
    other = made.close({"steps.drafts.temperature": 1.0, "steps.drafts.n": True + 0.0})
    assert one.text == other.text
    assert "temperature: 1.0}" in one.text
    assert list(other.choice) == ["steps.drafts.n", "steps.drafts.temperature"]


def test_what_cannot_be_closed_says_why() -> None:
    made = space("drafts: {op: generate, model: small, n: {choose: [1, 4]}}\n" + VOTE)
    with pytest.raises(InputError, match=r"nothing is chosen for drafts\.n"):
        made.close({})
    with pytest.raises(InputError, match="no option 2: there are 2"):
        made.close({"steps.drafts.n": 2})
    with pytest.raises(InputError, match="no hole 'n'"):
        made.close({"n": 1})
    with pytest.raises(SpecError) as caught:
        made.close({"steps.drafts.n": 0})
    (fault,) = caught.value.faults
    assert fault.span.line == 6
    assert fault.hint == "with drafts.n: 1"
    assert "over one candidate" in fault.message


TEXTS = ["1e3", "0o17", "1_000", "yes", "no", "null", "~", " x", "a: b", "#", "2024-01-01", ".5"]
ODD = ["é\u2028x", "a\nb\n", "+1", "TRUE", "'", "a, b", "{x}", "-", "? x", "  a\n b", "x" * 200]


def test_texts_that_look_like_numbers_keep_their_quotes() -> None:
    texts = [*TEXTS, *ODD]
    written = json.dumps(texts)
    text = f"name: t\nmodels: {{m: {{model: scripted/a, stop: {written}}}}}\n"
    made = parse_space(f"{text}steps: {{a: {{op: generate, n: {{choose: [1]}}}}}}\n", Path())
    stop = parse(made.close(made.first).text).node(("models", "m", "stop"))
    assert stop is not None
    assert stop.plain() == texts


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["steps", "a", "models", "1", "x y"]), _JSON, min_size=1))
def test_what_is_written_is_read_back(value: Any) -> None:
    try:
        read = parse(yaml_text(value)).plain()
    except SpecError as error:
        assert {f.code for f in error.faults} <= {"yaml-key", "yaml-size", "yaml-character"}
        return
    assert repr(read) == repr(value)
