"""Trials tell of one another: who was lucky on few questions does not lead."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np

from polyarch.compiler.space import Hole
from polyarch.search.aim import Aim
from polyarch.search.encoding import Encoding
from polyarch.search.history import History
from polyarch.search.mark import Mark
from polyarch.search.trial import Trial

HOLES = tuple(Hole(name, ("x", "y", "z")) for name in "abc")


def likely(choice: tuple[int, ...]) -> float:
    """How often a point is right: best at 2, 2, 2."""
    return 0.3 + 0.1 * sum(choice)


def tried(seed: int, questions: int, *, holes: tuple[Hole, ...]) -> History:
    dice = Random(seed)
    history = History((Aim(),), holes=holes)
    for number, values in enumerate(itertools.product(range(3), repeat=3), start=1):
        scores = [float(dice.random() < likely(values)) for _ in range(questions)]
        choice = dict(zip("abc", values, strict=True))
        history.add(Trial(number, choice, tuple(map(Mark, scores)), "done"))
    return history


def led(seed: int, holes: tuple[Hole, ...]) -> float:
    leader = tried(seed, 8, holes=holes).leader
    assert leader is not None
    return likely(tuple(int(leader.choice[name]) for name in "abc"))


def test_the_leader_is_better_where_points_share_what_they_tell() -> None:
    alone = [led(seed, ()) for seed in range(20)]
    together = [led(seed, HOLES) for seed in range(20)]
    assert sum(together) / 20 > sum(alone) / 20 + 0.04


def test_a_point_that_was_not_tried_is_expected_to_be_like_its_neighbours() -> None:
    history = tried(1, 40, holes=HOLES)
    belief = history.belief(Aim())
    assert belief is not None
    mean, deviation = belief([{"a": 2, "b": 2, "c": 2}, {"a": 0, "b": 0, "c": 0}])
    assert mean[0] > 0.7 > 0.5 > mean[1]
    assert (deviation > 0).all()


def test_trials_alone_tell_nothing_before_there_are_several() -> None:
    history = History((Aim(),), [Trial(1, {"a": 0, "b": 0, "c": 0}, (Mark(1.0),))], HOLES)
    assert history.belief(Aim()) is None
    assert history.leader is not None


def test_numbers_are_the_more_alike_the_nearer_they_are() -> None:
    encode = Encoding((Hole("n", (8, 1, 2, 4)), Hole("how", ("x", "y", "z"))))
    rows = encode([{"n": n, "how": 0} for n in (1, 2, 3, 0)])
    apart = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    assert np.allclose(apart[0], [0, 2 / 3, 4 / 3, 2])
    other = encode([{"n": 1, "how": 0}, {"n": 1, "how": 1}, {"n": 1}])
    assert np.allclose(((other[0] - other[1]) ** 2).sum(), 2)
    assert not other[2, 4:].any()
