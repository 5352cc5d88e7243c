"""Find out whether each candidate is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import Asking, Calls, Context, Each, Flow, Shown
from ..compiler.values import Candidate
from ._asks import PARSED, Said
from ._methods import refuse_arguments, refuse_prompt
from ._runs import Runs
from ._verify import Found, Method
from ._verify_citations import Citations
from ._verify_constraints import Constraints
from ._verify_judge import JUDGE, Entailment, Judge
from ._verify_program import Checking, Translation
from ._verify_tests import Tests

__all__ = ["Verify"]

_METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "judge": Judge(),
        "program": Checking(),
        "translation": Translation(),
        "tests": Tests(),
        "constraints": Constraints(),
        "citations": Citations(),
        "entailment": Entailment(),
    }
)


class Verify(Asking, Runs, Each):
    """Find out whether each candidate is right.

    Looks at each candidate as it arrives. Adds the score `verify`, the share of readable verdicts
    that say right, and the note `verdict` with the counts of right, wrong and unreadable verdicts
    and the reason of the last readable one; all methods but `judge` list their `checks` there. What
    gives the verdicts is the `method`:

    - `judge`: a model is asked whether the answer is right, `votes` times.
    - `program`: a model writes a program that checks the answer, `votes` times; the last line that
      it prints is the verdict.
    - `translation`: a model writes the candidate's own steps as a program, `votes` times; right if
      that prints the candidate's answer. A candidate without an answer is not asked about.
    - `tests`: the candidate's program against the tests in the question's field `given`, or else
      tests that a model writes once for the question; a verdict a test, and only a pass is right.
    - `constraints`: a model is asked about each of `constraints`, or else of those that it finds in
      the question, once and `most` of them; a verdict a constraint.
    - `citations`: quotations (“…”, "…", «…») must stand in the question's field `source`, or in the
      question itself; a mark [n] names a passage of a source that has several. Asks nobody.
    - `entailment`: a model is asked whether the field `source` entails the answer, `votes` times;
      contradicted and neutral are wrong.

    A verdict that cannot be read, after one repair turn (for a program, with what happened when it
    ran), is no verdict: it is counted and left out of the share; a candidate without any carries no
    score `verify`. With `keep_at`, candidates below it, or without a score, are dropped.

    Generative verification: Zhang et al. (2024); several verdicts a solution: When To Solve, When
    To Verify (Singhi et al., 2025); `translation`: Collaborative Verification (Liang et al., 2024);
    the verifier of Archon (Saad-Falcon et al., 2024).
    """

    effect = "acts"
    variables: ClassVar[frozenset[str]] = frozenset(
        {"question", "candidate", "constraint", "source", "task", "program", "outcome"}
    )
    default_prompt: ClassVar[str] = JUDGE
    movable: ClassVar[bool] = True

    method: Literal[
        "judge", "program", "translation", "tests", "constraints", "citations", "entailment"
    ] = "judge"
    """What gives the verdicts."""
    votes: Annotated[int, Field(ge=1)] = 1
    """How many verdicts on each candidate."""
    keep_at: Annotated[float, Field(ge=0, le=1)] | None = None
    """Drop candidates that score less; None keeps all."""
    given: Annotated[str, Field(min_length=1)] | None = None
    """The question's field with the tests; None has a model write them."""
    constraints: tuple[Said, ...] = ()
    """What the answer must meet; without any, a model takes them from the question."""
    most: Annotated[int, Field(ge=1, le=64)] = 8
    """The most constraints that may be taken from the question."""
    source: Annotated[str, Field(min_length=1)] | None = None
    """The question's field with the text to hold the candidate against."""

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        """No argument of another method, none missing, and a prompt that names what is shown."""
        way = self._way
        refuse_arguments(self.model_fields_set, _METHODS, self.method)
        for name in sorted(way.needs - self.model_fields_set):
            raise ValueError(f"method {self.method} wants {name}")
        if "most" in self.model_fields_set and self.constraints:
            raise ValueError("most is for constraints that are taken from the question")
        if self.prompt is not None:
            self._check_prompt(self.prompt)
        return self

    def _check_prompt(self, prompt: str) -> None:
        if not self._way.prompt:
            raise ValueError(f"method {self.method} asks nobody, so it takes no prompt")
        refuse_prompt(prompt, self._way, self.variables, f"method {self.method}")

    @property
    def _way(self) -> Method:
        return _METHODS[self.method]

    @property
    def wording(self) -> str:
        return self.prompt or self._way.prompt

    def askings(self) -> tuple[Asking, ...]:
        return (self,) if self._way.asks(self) else ()

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        return super().with_askings(askings) if self.askings() else self

    def flow(self, given: Flow) -> Flow:
        """The score is promised although no verdict may be readable."""
        judged = given.adding(scores=("verify",), notes=("verdict",))
        return judged if self.keep_at is None else judged.with_count(0, given.count.high)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return self._way.calls(self, given)

    def prefers(self) -> Mapping[Capability, str]:
        return {} if self.method in ("program", "translation") else PARSED

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all" if self.keep_at is None else "some"

    def unconfined(self) -> bool:
        return "sandbox" in self._way.takes and super().unconfined()

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        shown = "candidate" in self._way.shown
        return {"candidate": Shown(given.count.high)} if shown else {}

    def roles(self) -> frozenset[str]:
        return self._way.roles(self)

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        found = await self._way.found(self, ctx, candidate)
        judged = _judged(candidate, found)
        if self.keep_at is not None and judged.scores.get("verify", -1.0) < self.keep_at:
            ctx.note("dropped", candidate=candidate.origin.key, verdict=judged.notes["verdict"])
            return None
        return judged


def _judged(candidate: Candidate, found: Found) -> Candidate:
    """The candidate with what was found; without the score if no verdict could be read."""
    # An earlier `verify` must not stand for this one.
    scores = {name: score for name, score in candidate.scores.items() if name != "verify"}
    if found.score is not None:
        scores["verify"] = found.score
    return candidate.but(scores=scores).noted("verdict", found.note).charged(found.usage)
