"""Let the candidates' answers vote."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from math import fsum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..compiler.answers import Answer
from ..compiler.answers.json_text import compact
from ..compiler.fitted import Weights
from ..compiler.op import All, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate, Json, Origin
from ._box import Box, Cast, Group
from ._parts import Ballot, Election
from ._posterior import lead_among, lead_confidence
from ._pruning import threshold
from ._scores import finite, must_carry
from ._weights import borda, softmax

__all__ = ["Vote"]

_MARGIN = 1e-8
"""A lead must exceed what is outstanding by more than rounding can."""


class Vote(All):
    """Let the candidates' answers vote.

    Answers that mean the same are one group; the group with the most votes wins. Of equal ones
    `ties` says which: the `first` in index order by its earliest vote, the one with the `shortest`
    text, or one at `random`, drawn from the run's seed and the question. Yields one candidate: the
    first of the winning group, or with `weight` its heaviest (of equals the earlier). Asks nobody.

    With `weight`, a vote counts as much as the candidate's score of that name, or with `scale` what
    that makes of it: `softmax` the exponential, over the sum of all of them, so that logs of
    probabilities and rewards can weigh; `borda` its rank among all scores, N for the highest of N
    and 1 for the lowest, to the power of `power`, equal scores sharing their mean rank. A weight
    that is missing, not finite or negative does not vote, is counted, and cannot win. With
    `weight: {file: …}` a vote counts what `polyarch fit` found for the model that drew it. With
    `distinct`, of equal texts the first alone votes.

    With `prune`, where the score is the log of a probability, improbable texts do not vote: two
    Weibull distributions are fitted to the probabilities, and a text goes that is less probable
    than all that belong to the upper one, and than the mean. The note `pruned` counts them.

    With `parts`, answers that are JSON are voted on part by part: of objects the fields named there
    first and in this order, each among those who agree on the ones before, then every other field
    by itself, and of arrays the length and then each item; a field that most leave out is left out.
    So a call of a tool has the name that most give it, and each argument that most of these give.
    What is elected may be nobody's whole answer: then it is a new candidate, with all that voted as
    its parents. Its score `vote` is the smallest share with which any part won, and `votes` holds
    [part, value, share] of each.

    *No answer* never votes and is counted. Adds the score `vote`, the winner's share of all votes
    cast, and the notes `votes` ([answer, votes] of each group, most votes first) and `no_answer`.
    If nothing votes, or nothing but zero weights, `otherwise` says what happens: `plurality` counts
    every answer as one vote (and is as `first` if there is no answer at all), `first` yields the
    first candidate, `none` yields nothing. The first two add the note `fallback`, not the score.

    With `stop_at`, it reads `ahead` candidates at a time and closes its input once decided, always
    in index order. `exact`: when the lead is larger than all that is outstanding can be, which
    never changes the winning answer. A number: also when the leading answer beats the runner-up
    with that probability, given the votes so far (from `min_votes` votes on): the chance that p >
    1/2 for p ~ Beta(leader + 1, runner-up + 1); with `posterior: dirichlet` the chance that it
    beats every answer so far, for shares ~ Dirichlet(votes + 1), which is the same where there are
    two and less where there are more. Scores count there as fractions of a vote, so above 1 they
    are not usable either. `in_a_row` stops it once so many votes in a row were for one answer,
    whatever is outstanding.

    Self-Consistency (Wang et al., 2022); early stopping: Adaptive-Consistency (Aggarwal et al.,
    2023), whose threshold is 0.95; in a row: Early-Stopping Self-Consistency (Li et al., 2024);
    ranks: NoThinking (Ma et al., 2025); the shortest of equal ones: Don't Overthink it (Hassid et
    al., 2025); probabilities of distinct texts, pruned: RPC (Zhou et al., 2025), how they are
    pruned in our own form.
    """

    weight: Annotated[str, Field(min_length=1)] | Weights | None = None
    """The score that a vote counts, or what was fitted for the models; None counts each as one."""
    scale: Literal["softmax", "borda"] | None = None
    """What is made of the scores before they weigh; None takes them as they are."""
    power: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """For `borda`: the power of the rank."""
    distinct: bool = False
    """Whether of equal texts the first alone votes."""
    prune: bool = False
    """With a score that is a log probability: whether improbable texts do not vote."""
    parts: tuple[str, ...] | None = None
    """Vote on answers that are JSON part by part, these fields first; None votes on whole ones."""
    ties: Literal["first", "shortest", "random"] = "first"
    """Which of equally many votes wins."""
    stop_at: Annotated[float, Field(gt=0.5, lt=1)] | Literal["exact"] | None = None
    """When to stop early; None reads everything."""
    posterior: Literal["beta", "dirichlet"] = "beta"
    """With a probability in `stop_at`: of the leader and the runner-up, or of all answers."""
    in_a_row: Annotated[int, Field(ge=2)] | None = None
    """Stop as well once so many votes in a row are for one answer."""
    min_votes: Annotated[int, Field(ge=2)] = 2
    """Fewest votes before a probability may stop it."""
    ahead: Annotated[int, Field(ge=1)] = 4
    """With `stop_at` or `in_a_row`, how many candidates may be under way ahead of what was read."""
    otherwise: Literal["plurality", "first", "none"] = "plurality"
    """What comes out if nothing votes."""

    @model_validator(mode="after")
    def _can_be_scaled(self) -> Self:
        """Scaling needs scores, and all of them."""
        if self.scale is not None and not isinstance(self.weight, str):
            raise ValueError("`scale` is for a `weight` that is a score")
        if self.scale is not None and self._stops:
            raise ValueError("`scale` looks at all votes, so that none can be left out")
        if self.scale != "borda" and "power" in self.model_fields_set:
            raise ValueError("`power` is for `scale: borda`")
        if self.prune and self.scale != "softmax":
            raise ValueError("`prune` is for the log of a probability, with `scale: softmax`")
        if self.parts is not None and self._stops:
            raise ValueError("a vote on `parts` reads everything")
        if "posterior" in self.model_fields_set and not isinstance(self.stop_at, float):
            raise ValueError("`posterior` is for a probability in `stop_at`")
        return self

    @property
    def _stops(self) -> bool:
        return self.stop_at is not None or self.in_a_row is not None

    def flow(self, given: Flow) -> Flow:
        """The score is promised although nothing may vote."""
        if given.count.high == 0:
            raise Mismatch("a vote over nothing")
        if given.count.high == 1:
            raise Mismatch("a vote over one candidate decides nothing")
        if isinstance(self.weight, str):
            must_carry(given, self.weight, "weight")
        low = 0 if self.otherwise == "none" else min(1, given.count.low)
        return given.with_count(low, 1).adding(("vote",), ("votes", "no_answer"))

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some" if self.parts is None else "none"

    def window(self, given: Flow) -> int | None:
        return self.ahead if self._stops else None

    def least(self, given: Flow) -> int:
        """As many as it takes if every one is a whole vote for the same answer."""
        if not self._stops:
            return given.count.low
        low, high, most = given.count.low, given.count.high, self._most
        read = (k for k in range(low) if self._decided([k * most, 0.0], k, (high - k) * most))
        return min(next(read, low), self.in_a_row or low)

    @property
    def _most(self) -> float:
        """The most that one vote can count where it may stop early."""
        if isinstance(self.weight, Weights):
            return max(0.0, *self.weight.weights.values())
        return 1.0

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        box = Box(ctx.answer)
        read: list[Candidate] = []
        texts: set[str] = set()
        repeated = 0
        stopped = False
        async for candidate in given:
            read.append(candidate)
            weight = self._weight(candidate)
            new = not self.distinct or candidate.text not in texts
            texts.add(candidate.text)
            if candidate.answer is not None and weight is not None and new:
                box.votes.append(Cast(candidate, candidate.answer, weight))
            repeated += candidate.answer is not None and not new
            if self._settled(box, given.left):
                stopped = True
                await given.aclose()
                break
        cast = self._pruned(box.votes)
        pruned = len(box.votes) - len(cast)
        box.votes = self._scaled(cast)
        silent = sum(candidate.answer is None for candidate in read)
        voted = len(box.votes)
        ctx.note(
            "vote",
            read=len(read),
            voted=voted,
            no_answer=silent,
            no_weight=len(read) - silent - voted - repeated - pruned,
            stopped=stopped,
            **({"pruned": pruned} if self.prune else {}),
        )
        winner = self._elected(ctx, box)
        if winner is None and read and self.otherwise != "none":
            winner = self._fallback(ctx, read)
            ctx.note("fallback", candidate=winner.origin.key)
        if winner is not None:
            noted = winner.noted("no_answer", silent)
            yield noted.noted("pruned", pruned) if self.prune else noted

    def _fallback(self, ctx: Context, read: Sequence[Candidate]) -> Candidate:
        """What comes out if nothing voted."""
        instead = read[0]
        if self.otherwise == "plurality":
            box = Box(ctx.answer)
            box.votes += [Cast(c, c.answer, 1.0) for c in read if c.answer is not None]
            if box.votes:
                instead = self._first(ctx, box.tally()).votes[0].candidate
        return instead.noted("fallback", "nothing voted").noted("votes", [])

    def _weight(self, candidate: Candidate) -> float | None:
        """What the candidate's vote counts; None if its weight cannot be used."""
        if self.weight is None:
            return 1.0
        if isinstance(self.weight, Weights):
            return _usable(self.weight.weights.get(candidate.origin.model))
        weight = finite(candidate, self.weight)
        if self.scale is not None:
            return weight
        return None if self._stops and weight is not None and weight > 1 else _usable(weight)

    def _scaled(self, votes: list[Cast]) -> list[Cast]:
        """The votes with what their scores make of them."""
        scores = [vote.weight for vote in votes]
        match self.scale:
            case "softmax":
                weights = softmax(scores)
            case "borda":
                weights = borda(scores, self.power)
            case None:
                return votes
        return [replace(vote, weight=w) for vote, w in zip(votes, weights, strict=True)]

    def _pruned(self, votes: list[Cast]) -> list[Cast]:
        """The votes whose texts are probable enough."""
        if not self.prune:
            return votes
        least = threshold([vote.weight for vote in votes])
        return [vote for vote in votes if vote.weight >= least]

    def _settled(self, box: Box, outstanding: int) -> bool:
        if not self._stops or outstanding <= 0:
            return False
        totals = box.totals()
        if self.in_a_row is not None and box.run >= self.in_a_row:
            return True
        return self._decided(totals, len(box.votes), outstanding * self._most)

    def _decided(self, totals: Sequence[float], votes: int, outstanding: float) -> bool:
        """Whether it may stop; `totals` are the votes of each answer, most first."""
        leader, runner_up, *_ = totals
        if self.stop_at is not None and leader - runner_up - outstanding > _MARGIN:
            return True
        if not isinstance(self.stop_at, float) or votes < self.min_votes or leader <= runner_up:
            return False
        if lead_confidence(leader, runner_up) < self.stop_at:
            return False
        # To beat all is no likelier than to beat one, so the dearer is only asked where it counts.
        return self.posterior == "beta" or lead_among(totals) >= self.stop_at

    def _first(self, ctx: Context, tally: Sequence[Group]) -> Group:
        """The group that wins."""
        tied = [group for group in tally if group.total == tally[0].total]
        match self.ties:
            case "shortest":
                return min(tied, key=lambda group: min(len(v.candidate.text) for v in group.votes))
            case "random" if len(tied) > 1:
                return ctx.rng("tie").choice(tied)
        return tied[0]

    def _elected(self, ctx: Context, box: Box) -> Candidate | None:
        if self.parts is None:
            return self._winner(ctx, box.tally())
        if not any(vote.weight > 0 for vote in box.votes):
            return None

        def tie(path: str, count: int) -> int:
            return ctx.rng("tie", path).randrange(count) if self.ties == "random" else 0

        election = Election(self.parts, tie)
        won = election.elected([Ballot(_value(v.answer.text), v.weight) for v in box.votes])
        text = won if isinstance(won, str) else compact(won)
        voted = [vote.candidate for vote in box.votes]
        origin = Origin(ctx.step, 0, "", tuple(one.origin.key for one in voted))
        made = Candidate(text, Answer(text, ctx.answer.name), origin)
        best = next((one for one in voted if one.answer == made.answer), made)
        shown: list[Json] = [[part.path, part.won, part.share] for part in election.parts]
        return best.scored("vote", election.least).noted("votes", shown)

    def _winner(self, ctx: Context, tally: Sequence[Group]) -> Candidate | None:
        if not tally or tally[0].total <= 0:
            return None
        best = max(self._first(ctx, tally).votes, key=self._ahead)
        share = tally[0].total / fsum(group.total for group in tally)
        shown: list[Json] = [[g.votes[0].answer.text, self._shown(g.total)] for g in tally]
        return best.candidate.scored("vote", min(1.0, share)).noted("votes", shown)

    def _ahead(self, vote: Cast) -> tuple[float, int]:
        """What puts a vote before others for the same answer."""
        length = -len(vote.candidate.text) if self.ties == "shortest" else 0
        return vote.weight, length

    def _shown(self, total: float) -> float:
        return int(total) if self.weight is None else total


def _usable(weight: float | None) -> float | None:
    return None if weight is None or weight < 0 else weight


def _value(text: str) -> Json:
    """What a canonical answer holds; one that is no JSON is a text."""
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value
