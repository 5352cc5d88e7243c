"""Closed pipelines are found again in the space that they are points of, under whatever names."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from polyarch.compiler.alike import likeness
from polyarch.compiler.build import build, build_file
from polyarch.compiler.errors import InputError
from polyarch.compiler.source import parse
from polyarch.compiler.space import open_space, parse_space
from polyarch.compiler.space.locate import locate

LIBRARY = Path(__file__).parent.parent.parent.parent / "pipelines"


@pytest.mark.parametrize("name", ["quickstart", "archon"])
def test_every_point_is_found_again(name: str) -> None:
    space, dice = open_space(LIBRARY / f"open/{name}.yaml"), Random(7)
    for _ in range(12):
        graph = build(parse(space.close(space.random(dice)).text), Path())
        found = locate(space, graph)
        assert likeness(space.close(found).graph) == likeness(graph)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("self_consistency", {"drafts.n": "16", "better.times": "0", "checked": "absent"}),
        ("verified_vote", {"drafts.n": "16", "checked": "present", "checked.votes": "1"}),
    ],
)
def test_pipelines_of_the_library_are_points_under_other_names(
    name: str, chosen: dict[str, str]
) -> None:
    space = open_space(LIBRARY / "open/quickstart.yaml")
    told = dict(space.told(locate(space, build_file(LIBRARY / f"{name}.yaml"))))
    assert told.items() >= chosen.items()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "early_stopping_self_consistency",
            "'drafts' (generate): n is 20, and the space has 16",
        ),
        ("llm_blender", "step 'candidates' (ensemble): generate stands there"),
        ("revision_chains", "they read other steps"),
    ],
)
def test_what_is_no_point_is_refused_with_the_step_that_does_not_fit(name: str, why: str) -> None:
    space = open_space(LIBRARY / "open/quickstart.yaml")
    with pytest.raises(InputError) as caught:
        locate(space, build_file(LIBRARY / f"{name}.yaml"))
    assert why in str(caught.value)


SPACE = """\
name: open
models: {a: {model: embedded/abacus, temperature: {between: [0.0, 1.0]}}, b: embedded/abacus}
answer: number
steps:
  drafts: {op: generate, model: {choose: [a, b]}, n: {between: [2, 50]}}
  answer: {op: vote}
"""


def test_numbers_of_ranges_are_taken_from_the_pipeline() -> None:
    text = """\
name: closed
models: {only: {model: embedded/abacus, temperature: 0.3}}
answer: number
steps:
  many: {op: generate, n: 17}
  most: {op: vote}
"""
    space = parse_space(SPACE, Path())
    found = locate(space, build(parse(text), Path()))
    assert found == {
        "models.a.temperature": 0.3,
        "steps.drafts.model": 0,
        "steps.drafts.n": 17,
    }
