"""A whole search: what it pays for, what it finds, and how it ends."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import mean

import pytest
from searched import SPACE, VOTES, Counting, asked, said, search, space, voted

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.answers import Answer
from polyarch.compiler.errors import InputError, PlanRefused, Unreachable
from polyarch.evaluation.data import Dataset, Item, dataset
from polyarch.evaluation.metrics import Score
from polyarch.evaluation.metrics.numeric import Numeric
from polyarch.runtime.session import Session
from polyarch.search.aim import Aim
from polyarch.search.found import Found
from polyarch.search.questions import questions
from polyarch.search.record import Limits


@pytest.mark.parametrize("workers", [1, 4])
def test_no_draw_is_paid_for_twice(tmp_path: Path, workers: int) -> None:
    model = Counting()
    found = search(tmp_path, model.backend, workers=workers)
    assert len(model.drawn) == len(set(model.drawn)) == found.calls
    assert sum(len(trial.marks) for trial in found.trials) > 100
    assert found.best.choice["steps.drafts.temperature"] == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_all_trials_are_compared_on_the_same_draws(tmp_path: Path, workers: int) -> None:
    found = search(tmp_path, Counting().backend, seed=4, workers=workers)
    for trial in found.trials:
        n = (3, 2, 5)[int(trial.choice["steps.drafts.n"])]
        warm = (0.5, 0.9)[int(trial.choice["steps.drafts.temperature"])]
        for item, mark in zip(asked().dev, trial.marks, strict=False):
            assert mark.calls == n
            assert mark.score == voted(item, warm, n)


def test_what_a_race_gives_up_is_part_of_what_a_question_costs(tmp_path: Path) -> None:
    text = SPACE % "" + "  first: {op: race}\n"
    text = text.replace("  answer: {op: vote}\n", "").replace("choose: [3, 1, 5]", "choose: [3, 5]")
    # The first draw is there at once, and the others are given up.
    model = Counting(lambda request, draw: Script(said(request, draw), latency=0.2 * draw.number))
    found = search(tmp_path, model.backend, text=text)
    seen = {trial.choice["steps.drafts.n"]: trial for trial in found.trials}
    assert [seen[n].cost("calls") for n in (0, 1)] == [3, 5]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("calls", [50, 333, 700])
def test_the_budget_is_kept_to_the_call(tmp_path: Path, workers: int, calls: int) -> None:
    model = Counting()
    found = search(
        tmp_path, model.backend, limits=Limits(calls=calls), workers=workers, trials=None
    )
    assert len(model.drawn) == found.calls <= calls


def test_a_search_that_is_taken_up_again_pays_for_nothing_twice(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    search(tmp_path, first.backend, limits=Limits(calls=400), trials=None)
    found = search(tmp_path, second.backend, limits=Limits(calls=900), trials=None)
    both = first.drawn + second.drawn
    assert len(both) == len(set(both)) == found.calls <= 900
    assert found.opened == 2


def test_the_test_is_on_questions_that_nothing_was_chosen_by(tmp_path: Path) -> None:
    given = asked()
    dev = {item.id for item in given.dev}
    assert not dev & {item.id for item in given.test}
    found = search(tmp_path, Counting().backend)
    assert [one.name for one in found.test][:2] == ["winner", "default"]
    assert {len(one.marks) for one in found.test} == {len(given.test)}
    assert found.gap == pytest.approx(found.dev.estimate - found.test[0].score.estimate)
    assert found.opened == 1


def test_where_every_point_is_over_budget_nothing_is_asked(tmp_path: Path) -> None:
    model = Counting()
    text = VOTES.replace("steps:", "budget: {calls: 1}\nsteps:", 1)
    with pytest.raises(PlanRefused, match=r"none of 6 points tried can run.*its budget is 1"):
        search(tmp_path, model.backend, text=text)
    assert model.drawn == []


def test_what_a_question_may_cost_holds_for_the_winner(tmp_path: Path) -> None:
    model = Counting()
    found = search(tmp_path, model.backend, caps=(("calls", 3),))
    assert found.best.cost("calls") <= 3
    refused = [trial for trial in found.trials if trial.state == "refused"]
    assert {trial.choice["steps.drafts.n"] for trial in refused} == {2}


def wordy(request: Request, draw: Draw) -> str:
    """As `said`, in more words where it is warm."""
    return ("so " * 20 if request.temperature > 0.7 else "") + said(request, draw)


@pytest.mark.parametrize("workers", [1, 4])
def test_no_dearer_than_the_default_holds_for_the_winner(tmp_path: Path, workers: int) -> None:
    # The default is the slowest, so that others are asked while it is not known what it costs.
    backend = Scripted(
        wordy, repeatable=True, latency=lambda r, _: 0.2 if r.temperature < 0.7 else 0
    )
    found = search(tmp_path, backend, no_dearer=True, workers=workers)
    default = next(t for t in found.trials if not any(t.choice.values()))
    within = [t for t in found.trials if t.state not in ("refused", "costly")]
    left = [t.choice for t in found.trials if t not in within]
    assert {"steps.drafts.n": 0, "steps.drafts.temperature": 1} in [dict(c) for c in left]
    assert 2 in {choice["steps.drafts.n"] for choice in left}
    for trial in within:
        both = list(zip(trial.marks, default.marks, strict=False))
        assert both
        assert sum(own.calls for own, _ in both) <= sum(other.calls for _, other in both)
        assert sum(own.tokens for own, _ in both) <= sum(other.tokens for _, other in both)
    assert found.best in within


def test_a_space_may_say_what_a_question_may_cost(tmp_path: Path) -> None:
    told = VOTES.replace("scripted/x, max_draws: 1", "embedded/abacus").replace(
        "steps:", "search: {at_most: %s, trials: 6}\nsteps:", 1
    )
    refused = []
    for limit in ("default", "{calls: 2}"):
        opened = space(told % limit)
        out = tmp_path / limit
        found = polyarch.search(opened, "embedded:20", out=out, questions_each=2, test=0)
        left = [t for t in found.trials if t.state in ("refused", "costly")]
        refused.append({t.choice["steps.drafts.n"] for t in left})
    assert 2 in refused[0]
    assert refused[1] == {0, 2}


class Raising(Numeric):
    """Cannot score one item, or any."""

    only: str = ""

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        if item.id == (self.only or item.id):
            raise ValueError("a broken reference")
        return await super().score(item, answer, text)


def test_an_item_that_the_metric_cannot_score_counts_for_nobody(tmp_path: Path) -> None:
    import asyncio

    from searched import space

    from polyarch.search.search import search_space
    from polyarch.search.wanted import Wanted

    wanted, metric = Wanted(tmp_path, trials=3), Raising()
    object.__setattr__(metric, "only", asked().dev[0].id)
    found = asyncio.run(
        search_space(space(), asked(), wanted, metric=metric, backends={"m": Counting().backend})
    )
    for trial in found.trials:
        assert trial.marks[0].score is None
        assert "a broken reference" in trial.marks[0].error
        assert all(mark.score is not None for mark in trial.marks[1:])


def test_a_model_that_is_gone_for_a_while_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyarch.search.examiner._FIRST_WAIT", 0.02)
    monkeypatch.setattr("polyarch.runtime.retry.Retry.wait", lambda *given: None)
    began = time.monotonic()

    def flaky(request: Request, draw: Draw) -> str | Script:
        if 0.3 < time.monotonic() - began < 0.6:
            return Script(fault=Unreachable("no connection"))
        time.sleep(0.001)
        return said(request, draw)

    found = search(tmp_path, Counting(flaky).backend)
    assert all(not mark.error for trial in found.trials for mark in trial.marks)


def test_a_data_set_with_nothing_to_choose_by_is_refused() -> None:
    with pytest.raises(InputError, match="no questions"):
        questions(Dataset("none", (), "numeric", "0"))


def test_a_study_of_another_space_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    search(tmp_path, Counting().backend, trials=1)
    other = VOTES.replace("0.9", "0.95")
    with pytest.raises(InputError, match="one of another space"):
        search(tmp_path, Counting().backend, text=other, trials=1)


def test_two_objectives_give_a_front(tmp_path: Path) -> None:
    found = search(tmp_path, Counting().backend, aims=(Aim(), Aim(least="calls")))
    costs = [trial.cost("calls") for trial in found.front]
    assert min(costs) == 2
    assert len(found.front) >= 2


def test_a_step_that_is_worth_nothing_is_dropped(tmp_path: Path) -> None:
    def right(request: Request, draw: Draw) -> str:
        return f"answer: {request.purpose.question.split()[-1]}"

    text = VOTES.replace("[3, 2, 5]", "[8, 2, 5]")
    found = search(tmp_path, Counting(right).backend, text=text, trials=1)
    assert found.dropped == ("drafts: n 8 → 4", "drafts: n 4 → 2")
    assert found.test[0].cost("calls") < 3
    assert found.test[0].score.estimate == 1.0


def test_a_space_that_has_one_point_is_tried_and_reported(tmp_path: Path) -> None:
    text = SPACE.replace("{choose: [3, 1, 5]}", "3").replace("{choose: [0.5, 0.9]}", "0.5") % ""
    found = search(tmp_path, Counting().backend, text=text, trials=None)
    assert len(found.trials) == 1
    assert found.why == "no point is left to try"


def test_a_metric_that_can_score_nothing_is_told_as_that(tmp_path: Path) -> None:
    import asyncio

    from searched import space

    from polyarch.search.search import search_space
    from polyarch.search.wanted import Wanted

    made = search_space(
        space(),
        asked(),
        Wanted(tmp_path, trials=2),
        metric=Raising(),
        backends={"m": Counting().backend},
    )
    with pytest.raises(InputError, match=r"not one of 16 answers could be scored.*a broken"):
        asyncio.run(made)


def test_a_search_that_is_stopped_gives_the_best_so_far(tmp_path: Path) -> None:
    import asyncio

    from searched import space

    from polyarch.search.search import Work, search_space
    from polyarch.search.trial import Trial
    from polyarch.search.wanted import Wanted

    async def main() -> Found:
        def watch(trial: Trial, work: Work) -> None:
            if sum(one.state == "done" for one in work.history) == 3:
                searching.cancel()

        wanted = Wanted(tmp_path, strategy="random")
        given = (space(), asked(), wanted)
        backends = {"m": Counting().backend}
        searching = asyncio.ensure_future(search_space(*given, watch=watch, backends=backends))
        return await searching

    found = asyncio.run(main())
    assert found.why == "stopped"
    assert found.best.value(Aim()) == max(t.value(Aim()) for t in found.trials if t.state == "done")
    assert found.text.startswith("# small, with")
    assert found.test == ()


def test_a_guard_holds_questions_back_and_says_how_good_the_winner_is(tmp_path: Path) -> None:
    given = questions(dataset("numbers", asked().dev + asked().test), guard=True)
    assert not {i.id for i in given.dev} & {i.id for i in given.held}
    assert {i.id for i in given.dev + given.held} == {i.id for i in asked().dev}
    found = search(tmp_path, Counting().backend, given=given, guard=True)
    assert all(len(trial.marks) <= len(given.dev) for trial in found.trials)
    assert found.guarded is not None
    assert found.guarded.questions == len(given.held)
    n = (3, 2, 5)[int(found.choice["steps.drafts.n"])]
    held = mean(voted(item, 0.5, n) for item in given.held)
    dev = found.dev.estimate
    if found.guarded.fitted:
        assert found.guarded.value == pytest.approx(held, abs=0.1)
    else:
        assert found.guarded.value == dev == pytest.approx(held, abs=1.5 / len(given.held) ** 0.5)
    assert len(found.test[0].marks) == len(given.test)
    with pytest.raises(InputError, match="one of another guard"):
        search(tmp_path, Counting().backend, given=given)


def test_what_a_judge_said_is_not_asked_again(tmp_path: Path) -> None:
    """Points whose answers are the same texts are judged once, and the judge is charged."""
    import asyncio

    from searched import space

    from polyarch.evaluation.metrics.judged import Judged
    from polyarch.search.search import search_space
    from polyarch.search.wanted import Wanted

    judging = Counting(lambda request, draw: "Answer: tie")
    metric = Judged(judge="scripted/judge")

    def right(request: Request, draw: Draw) -> str:
        return f"answer: {request.purpose.question.split()[-1]}"

    model = Counting(right)
    wanted = Wanted(tmp_path, trials=4, test=0)
    from polyarch.evaluation.metrics import judged

    def opened(*given: object, **named: object) -> Session:
        return Session(*given, **named, backends={"judge": judging.backend})  # type: ignore[arg-type]

    patch = pytest.MonkeyPatch()
    patch.setattr(judged, "Session", opened)
    with patch.context():
        made = search_space(space(), asked(), wanted, metric=metric, backends={"m": model.backend})
        found = asyncio.run(made)
    patch.undo()
    scored = sum(len(trial.marks) for trial in found.trials)
    answered = max(len(trial.marks) for trial in found.trials)
    assert scored > answered
    assert len(judging.drawn) == len(set(judging.drawn)) == 2 * answered
    assert found.calls == len(model.drawn) + len(judging.drawn)
