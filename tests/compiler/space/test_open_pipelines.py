"""The spaces that ship: how many points they have, and why."""

from __future__ import annotations

from itertools import product
from random import Random

from polyarch.compiler.plan import plan
from polyarch.compiler.space import open_space
from polyarch.pipelines import path


def test_archon_has_the_points_that_its_paper_counts() -> None:
    space = open_space(path("open/archon"))
    assert space.size == 9_576
    drawing = [(k, s) for k, s in product(range(1, 11), range(1, 6)) if k * s <= 24]
    layers = [w for n in (1, 2, 3) for w in product((2, 4, 6, 8), repeat=n)]
    assert (len(drawing), len(layers)) == (38, 84)
    assert len(drawing) * len(layers) * 3 == space.size
    assert sum(1 for _ in space.points()) == space.size


def test_archon_asks_as_its_paper_says() -> None:
    space = open_space(path("open/archon"))
    rng = Random(2)
    for _ in range(20):
        choice = space.random(rng)
        graph = space.close(choice).graph
        names = [name for name in graph.nodes if "fusers" in name]
        assert len(names) == choice["steps.layer.times"] + 1
        generations = (choice["steps.drafts.members"] + 1) * choice["steps.drafts.n"]
        assert plan(graph).flows["drafts"].count.high == generations
        assert ("ranker" in graph.nodes) == (generations > 8)
        assert ("few" in graph.nodes) == (1 < generations <= 8)
        assert plan(graph).flows["answer"].count.high == 1


def test_the_first_point_of_the_quick_start_is_self_consistency() -> None:
    space = open_space(path("open/quickstart"))
    assert space.size == 2_079
    text = space.close(space.first).text
    assert text.endswith(
        "steps:\n"
        "  drafts: {op: generate, model: solver, n: 16, temperature: 0.8}\n"
        "  answer: {op: vote}\n"
    )
