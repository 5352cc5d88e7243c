"""The budget of a search, over processes that come, go and are killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from polyarch.compiler.errors import BudgetExhausted, InputError
from polyarch.compiler.values import Json, Usage
from polyarch.runtime.ledger import Reservation
from polyarch.search.account import Account
from polyarch.search.database import Database, database
from polyarch.search.guard import Answer
from polyarch.search.mark import Mark
from polyarch.search.record import Amounts, Limits, Record
from polyarch.search.trial import Trial

FACTS: dict[str, Json] = {"space": "s"}


Records = Callable[..., Record]


@pytest.fixture
def record(where: str) -> Iterator[Records]:
    """Makes records of studies; they are closed in the end."""
    opened: list[Database] = []

    def make(name: str, facts: dict[str, Json] = FACTS, **named: Any) -> Record:
        opened.append(database(where))
        return Record(opened[-1], name, facts, **named)

    yield make
    for one in opened:
        one.close()


def test_two_processes_together_never_spend_more_than_there_is(record: Records) -> None:
    async def main() -> int:
        accounts = [Account(record("two"), Limits(calls=500)) for _ in range(2)]
        dice, spent = Random(1), 0
        while accounts:
            account = dice.choice(accounts)
            wanted = Reservation(dice.randint(1, 9), 0, 0.0)
            try:
                await account.reserve(wanted)
            except BudgetExhausted:
                accounts.remove(account)
                continue
            used = dice.randint(0, wanted.calls)
            account.settle(wanted, Usage(calls=used))
            spent += used
            if dice.random() < 0.1:
                account._record.settle(account.settle_up())
        return spent

    assert 470 <= asyncio.run(main()) <= 500


def test_what_a_killed_process_had_leased_counts_as_spent(record: Records) -> None:
    async def main() -> None:
        killed = Account(record("killed"), Limits(calls=200))
        await killed.reserve(Reservation(30, 0, 0.0))
        assert record("killed").used().calls == 30
        after = Account(record("killed"), Limits(calls=200))
        await after.reserve(Reservation(170, 0, 0.0))
        with pytest.raises(BudgetExhausted, match="0 are left"):
            await Account(record("killed"), Limits(calls=200)).reserve(Reservation(1, 0, 0))

    asyncio.run(main())


def test_settling_up_gives_leases_back(record: Records) -> None:
    async def main() -> None:
        told = record("settled")
        account = Account(told, Limits(calls=1000))
        wanted = Reservation(40, 0, 0.0)
        await account.reserve(wanted)
        account.settle(wanted, Usage(calls=3, prompt_tokens=5))
        told.settle(account.settle_up())
        assert told.used() == Amounts(3, 5)
        account.allow(0.5)
        with pytest.raises(BudgetExhausted):
            await account.reserve(Reservation(498, 0, 0.0))
        await account.reserve(Reservation(497, 0, 0.0))

    asyncio.run(main())


def test_the_time_is_that_of_all_who_worked(record: Records) -> None:
    clock = [100.0]
    for began, ended in ((100.0, 110.0), (105.0, 120.0), (300.0, 301.0)):
        clock[0] = began
        one = record("s", now=lambda: clock[0])
        clock[0] = ended
        one.settle(Amounts())
    assert record("s").seconds() == pytest.approx(21.0)


def test_a_trial_is_one_process_s_until_it_is_gone(record: Records) -> None:
    one, other = record("claims"), record("claims")
    trial = one.claim({"n": 1})
    assert trial is not None
    assert trial.number == 1
    assert other.claim({"n": 1}) is None
    marks = (Mark(0.5, 3, error="why"), Mark(None))
    one.save(trial.with_marks(marks))
    assert [t.marks for t in other.news()] == [marks]
    assert other.news() == []
    assert other.abandoned() == []
    gone = one.owner.rsplit(":", 2)
    one._db.rows(
        "UPDATE polyarch_trial SET owner = ? WHERE study = ?", (f"{gone[0]}:4194305:x", "claims")
    )
    assert [t.marks for t in other.abandoned()] == [marks]
    again = other.claim({"n": 1})
    assert again is not None
    assert again.marks == marks
    other.save(again.ended("done"))
    assert one.claim({"n": 1}) is None


def test_a_study_of_another_space_is_refused(record: Records) -> None:
    record("named")
    with pytest.raises(InputError, match="one of another space"):
        record("named", {"space": "other"})


def test_marks_come_back_as_they_were() -> None:
    marks = (Mark(1.0, 2, 30, 0.25, 1.5, 1), Mark(None, error="é"))
    trial = Trial(3, {"a": 1, "b": 0.5}, marks)
    assert Trial.marks_of(trial.record()) == marks
    assert json.loads(trial.key) == trial.choice


def test_a_line_of_a_journal_that_was_cut_off_never_was(tmp_path: Path) -> None:
    where = tmp_path / "study.journal"
    one = Record(database(f"journal:{where}"), "s", FACTS)
    whole = where.read_bytes()
    with where.open("ab") as file:
        file.write(b'[["DELETE FROM polyarch_tr')
    other = Record(database(f"journal:{where}"), "s", FACTS)
    told = one.claim({"n": 1})
    assert told is not None
    assert [trial.key for trial in other.news()] == [told.key]
    assert where.read_bytes().startswith(whole)
    assert b"DELETE" not in where.read_bytes()
    one.close()
    other.close()


def test_the_guard_s_answers_are_counted_over_all_who_ask(record: Records) -> None:
    one, other = record("guarded"), record("guarded")
    fitted, plain = (lambda: Answer(0.5, True)), (lambda: Answer(0.7, False))
    assert one.answered("a", fitted, 2) == Answer(0.5, True)
    assert other.answered("a", plain, 2) == Answer(0.5, True)
    assert other.answered("b", fitted, 2) == Answer(0.5, True)
    assert one.answered("c", fitted, 2) is None
    assert one.answered("d", plain, 2) == Answer(0.7, False)
    assert other.told() == 2
