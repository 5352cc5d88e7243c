"""Name the case that a question belongs to, by what a few draws say."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from ..compiler import fitted
from ..compiler.answers import Answer, AnswerKind
from ..compiler.op import All, Amount, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate, Origin

__all__ = ["Table", "key"]


class Table(All):
    """Name the case that a question belongs to, by what a few draws say.

    For the `by:` of a route. Reads all candidates and yields one, whose text is the case that
    answered such questions best, as `polyarch fit --what table` found: by how many of the draws
    agree, which tells how hard the question is, or by what their answers are. Nothing says that
    more agreement is better: the table was counted. What was seen too seldom goes to the case that
    was best altogether. Adds the score `agreement`, the share of the most frequent answer. Asks
    nobody.

    By difficulty: Scaling LLM Test-Time Compute Optimally (Snell et al., 2024).
    """

    by: fitted.Table
    """What was fitted: `{file: table.json}`."""

    def flow(self, given: Flow) -> Flow:
        if given.count.high != self.by.draws:
            told = f"it was fitted to {self.by.draws} draws, not {given.count}"
            raise Mismatch(told, "by")
        words = max(len(case) for case in self.by.cases)
        scores = frozenset({"agreement"})
        return Flow(Amount(1, 1), scores, tokens=Amount(1, words), question=given.question)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        read = await given.all()
        answers = _in_place(read, self.by.draws)
        found = key(ctx.answer, answers, self.by.by)
        case = self.by.table.get(found, self.by.otherwise)
        ctx.note("looked up", key=found, case=case, known=found in self.by.table)
        made = Candidate(case, ctx.answer.read(case), Origin(ctx.step, 0))
        yield made.scored("agreement", _agreeing(ctx.answer, answers) / len(answers))


def _in_place(read: Sequence[Candidate], draws: int) -> list[Answer | None]:
    """The answers; none where a draw of one step was lost, or at the end of several steps."""
    steps = {one.origin.step for one in read}
    places = [one.origin.index if len(steps) == 1 else at for at, one in enumerate(read)]
    known = dict(zip(places, (one.answer for one in read), strict=True))
    return [known.get(place) for place in range(draws)]


def key(kind: AnswerKind, answers: Sequence[Answer | None], by: str) -> str:
    """What a table looks up for some answers."""
    if by == "agreement":
        return f"{_agreeing(kind, answers)}/{len(answers)}"
    return "|".join("" if answer is None else answer.text for answer in answers)


def _agreeing(kind: AnswerKind, answers: Sequence[Answer | None]) -> int:
    """How many give the most frequent answer."""
    groups = Counter(kind.group([answer for answer in answers if answer is not None]))
    return max(groups.values(), default=0)
