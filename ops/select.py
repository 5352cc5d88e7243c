"""Keep the candidates with the best score."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..compiler.answers import AnswerKind
from ..compiler.fitted import Stopping
from ..compiler.op import All, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate
from ._scores import finite, must_carry

__all__ = ["Select"]

_FIRST = "first"

_ROUNDING = 1e-9
"""A share of 3 in 10 meets a bound written 0.3."""


class Select(All):
    """Keep the candidates with the best score.

    Reads everything and yields the `keep` candidates with the highest score `by`, best first; of
    equals the earlier in index order. `by: first` keeps the first ones as they come. Asks nobody,
    adds nothing. A score that is missing or not a finite number cannot win: such candidates are
    counted in the trace and left out, as are those below `at_least`. If none is left, `otherwise`
    says what happens: `none` yields nothing, `first` the first candidate with the note `fallback`.

    With `stop_at`, it reads `ahead` candidates at a time and closes its input once `keep` of them
    score so much: what was not needed is not drawn. The best of those read come out, so that
    nothing is lost where none is good enough. `{file: …}` is the value that `polyarch fit` found
    for this score: above it one more draw costs more than it can be hoped to bring.

    With `support`, an answer must be that of so large a share of all candidates read for those that
    give it to be kept; *no answer* has no support. If no answer has enough, the most frequent ones
    do. Many draws find the few texts that a reward model is wrong about; their answers are rare.

    Best-of-n of Large Language Monkeys (Brown et al., 2024) and Let's Verify Step by Step (Lightman
    et al., 2023); with `support`, Best-of-Majority (Di et al., 2025); with `stop_at`, Adaptive
    Inference-Time Compute (Manvi et al., 2024).
    """

    by: Annotated[str, Field(min_length=1)]
    """The score's name, or `first`."""
    keep: Annotated[int, Field(ge=1)] = 1
    """How many come out, at most."""
    at_least: float | None = None
    """Leave out candidates that score less."""
    support: Annotated[float, Field(ge=0, le=1)] | None = None
    """Leave out answers that fewer than this share of all candidates give."""
    stop_at: Annotated[float, Field(allow_inf_nan=False)] | Stopping | None = None
    """Stop reading once enough candidates score so much; None reads everything."""
    ahead: Annotated[int, Field(ge=1)] = 1
    """With `stop_at`, how many candidates may be under way ahead of what was read."""
    otherwise: Literal["first", "none"] = "none"
    """What comes out if no candidate has the score it needs."""

    @model_validator(mode="after")
    def _stops_by_its_score(self) -> Self:
        if isinstance(self.stop_at, Stopping) and self.stop_at.score != self.by:
            raise ValueError(f"what was fitted is for the score {self.stop_at.score!r}")
        if self.support is not None and self.stop_at is not None:
            raise ValueError("`support` counts all answers, so that none can be left out")
        return self

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a selection over nothing")
        if self.keep > given.count.high:
            raise Mismatch(f"keep {self.keep} of at most {given.count.high} candidates", "keep")
        if self.by == _FIRST:
            if self.at_least is not None:
                raise Mismatch("`by: first` reads no score to compare with", "at_least")
            if self.stop_at is not None:
                raise Mismatch("`by: first` reads no score to stop at", "stop_at")
            if self.support is not None:
                raise Mismatch("`by: first` reads too few to count answers", "support")
        else:
            must_carry(given, self.by, "by")
        return given.with_count(self._low(given), self.keep)

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def least(self, given: Flow) -> int:
        early = self.by == _FIRST or self.stop_at is not None
        return min(self.keep, given.count.low) if early else given.count.low

    def window(self, given: Flow) -> int | None:
        if self.by == _FIRST:
            return self.keep
        return None if self.stop_at is None else max(self.keep, self.ahead)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        if self.by == _FIRST:
            async for candidate in self._first(given):
                yield candidate
            return
        candidates = await self._read(ctx, given)
        if self.support is not None:
            candidates = _supported(ctx.answer, candidates, self.support)
        scored = [(score, c) for c in candidates if (score := finite(c, self.by)) is not None]
        fit = [(s, c) for s, c in scored if self.at_least is None or s >= self.at_least]
        if len(fit) < len(candidates):
            unscored, low = len(candidates) - len(scored), len(scored) - len(fit)
            ctx.note("left out", score=self.by, unscored=unscored, below=low)
        # The sort is stable, so equals stay in index order.
        for _, candidate in sorted(fit, key=lambda pair: -pair[0])[: self.keep]:
            yield candidate
        if not fit and candidates and self.otherwise == "first":
            ctx.note("fallback", candidate=candidates[0].origin.key)
            yield candidates[0].noted("fallback", f"no score {self.by!r} to select by")

    async def _read(self, ctx: Context, given: Stream) -> list[Candidate]:
        """The candidates to choose from: all, or as many as it takes."""
        if self.stop_at is None:
            return await given.all()
        least = self.stop_at.at_least if isinstance(self.stop_at, Stopping) else self.stop_at
        read: list[Candidate] = []
        good = 0
        async for candidate in given:
            read.append(candidate)
            score = finite(candidate, self.by)
            good += score is not None and score >= least
            if good == self.keep:
                ctx.note("enough", read=len(read), stopped=given.left > 0)
                await given.aclose()
                break
        return read

    async def _first(self, given: Stream) -> AsyncIterator[Candidate]:
        kept = 0
        async for candidate in given:
            yield candidate
            kept += 1
            if kept == self.keep:
                await given.aclose()
                return

    def _low(self, given: Flow) -> int:
        if self.at_least is not None or self.support is not None:
            return 1 if self.otherwise == "first" and given.count.low else 0
        return min(self.keep, given.count.low)


def _supported(kind: AnswerKind, candidates: Sequence[Candidate], share: float) -> list[Candidate]:
    """The candidates whose answer so large a share of all give; if none has it, those whose answer
    most give; if there is no answer at all, all of them."""
    answering = [(c, c.answer) for c in candidates if c.answer is not None]
    groups = kind.group([answer for _, answer in answering])
    counts = Counter(groups)
    if not counts:
        return list(candidates)
    needed = min(share * len(candidates) - _ROUNDING, max(counts.values()))
    return [c for (c, _), group in zip(answering, groups, strict=True) if counts[group] >= needed]
