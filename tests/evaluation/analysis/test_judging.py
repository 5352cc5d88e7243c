"""Audits of judges: order, length, agreement."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

import numpy as np
import pytest

from polyarch.evaluation.analysis.judges import Pair, Verdict, agreement, judge
from polyarch.evaluation.analysis.kappa import cohen_kappa, fleiss_kappa


def both(name: str, item: str, forth: int | None, back: int | None) -> list[Verdict]:
    return [Verdict(name, item, 1, forth), Verdict(name, item, 2, back)]


def test_a_judge_that_goes_by_order_is_found_out() -> None:
    pairs = {f"p{n}": Pair(1) for n in range(10)}
    verdicts = [v for n in range(8) for v in both("j", f"p{n}", 1, 2)]
    verdicts += both("j", "p8", 2, 1) + both("j", "p9", 1, 1)
    told = judge(verdicts, pairs)
    assert told.accuracy.estimate == pytest.approx((9 * 0.5 + 1) / 10)
    assert told.consistent is not None
    assert told.consistent.estimate == 0.1
    assert told.first is not None
    assert told.first.estimate == pytest.approx(8 / 9)
    assert told.order_p == pytest.approx(20 / 512)
    assert told.longer is None


def test_length_bias_is_nothing_for_the_perfect_and_for_coins_and_all_for_the_longer() -> None:
    pairs = {f"p{n}": Pair(1 + n % 2, 1 + n // 2 % 2) for n in range(8)}

    def bias(winner: Callable[[Pair], tuple[int, int]]) -> float:
        told = judge([v for item in pairs for v in both("j", item, *winner(pairs[item]))], pairs)
        assert told.length_bias is not None
        assert told.length_bias.low <= told.length_bias.estimate <= told.length_bias.high
        return told.length_bias.estimate

    assert bias(lambda pair: (pair.better, pair.better)) == 0
    assert bias(lambda pair: (1, 2)) == 0
    assert bias(lambda pair: (pair.longer, pair.longer)) == 1


def test_outputs_of_equal_length_say_nothing_of_length() -> None:
    pairs = {"a": Pair(1, 1), "b": Pair(2, 1), "c": Pair(1, 0)}
    told = judge([v for item in pairs for v in both("j", item, 1, 1)], pairs)
    assert told.longer is not None
    assert told.longer.estimate == 1.0
    assert told.accuracy.estimate == pytest.approx(2 / 3)


def test_no_verdict_is_wrong_and_in_no_other_figure() -> None:
    told = judge(both("j", "a", 1, None), {"a": Pair(1, 2)})
    assert (told.accuracy.estimate, told.silent, told.consistent) == (0.5, 1, None)
    assert told.longer is not None
    assert told.longer.estimate == 0.0


def test_cohen_of_a_known_table() -> None:
    # 20 and 15 agreements, 5 and 10 disagreements: 0.7 seen, 0.5 by chance.
    one = ["y"] * 25 + ["n"] * 25
    other = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(one, one) == 1.0
    assert isnan(cohen_kappa("aa", "aa"))


def test_fleiss_of_the_published_example() -> None:
    counts = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    rows = [[kind for kind, count in enumerate(own) for _ in range(count)] for own in counts]
    assert fleiss_kappa(rows) == pytest.approx(0.20993, abs=1e-4)


def test_judges_that_toss_coins_agree_by_chance_alone() -> None:
    rng = np.random.default_rng(0)
    assert abs(fleiss_kappa(rng.integers(2, size=(5000, 3)).tolist())) < 0.03


def test_agreement_settles_both_orders_and_keeps_to_shared_items() -> None:
    verdicts = [*both("x", "a", 1, 1), *both("x", "b", 2, 2), *both("x", "c", 1, 2)]
    verdicts += [*both("y", "a", 1, 1), *both("y", "b", 1, 2), *both("y", "d", 1, 1)]
    told = agreement(verdicts)
    assert told.cohen == {("x", "y"): pytest.approx(cohen_kappa([1, 2], [1, 0]))}
    with pytest.raises(ValueError, match="two judges"):
        agreement(both("x", "a", 1, 1))
