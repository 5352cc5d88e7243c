"""From the layers of an Archon configuration to steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..compiler.errors import SpecError
from ..ops.fuse import PROMPT as FUSE
from .archon_file import Component, Configuration, Notes
from .archon_models import Models
from .imported import Written, unused
from .json_text import JsonText

__all__ = ["steps_of"]

_TESTS = 10
"""How many tests are asked for, at most, where the configuration does not say."""

_LENGTH = "Your answer must not be longer than the longest of the given answers."


@dataclass(frozen=True, slots=True)
class _Held:
    """The candidates that a layer reads or gives."""

    steps: tuple[str, ...] = ()
    count: int = 0
    """How many there can be, at most."""
    critiqued: bool = False

    def and_(self, other: _Held) -> _Held:
        """Both; of what two components let through as it is, nothing comes twice."""
        if self.steps and set(other.steps) <= set(self.steps):
            return self
        both = self.critiqued and other.critiqued if self.steps else other.critiqued
        return _Held((*self.steps, *other.steps), self.count + other.count, both)


def steps_of(
    given: Configuration, models: Models, source: JsonText, notes: Notes
) -> tuple[Written, ...]:
    """The steps, the last one the result. Raises `SpecError` for layers that do not fit."""
    return _Builder(given, models, source, notes).steps()


@dataclass
class _Builder:
    given: Configuration
    models: Models
    source: JsonText
    notes: Notes
    written: list[Written] = field(default_factory=list)
    writer: Component | None = None
    """Who writes the tests that evaluators judge by."""

    def steps(self) -> tuple[Written, ...]:
        held = _Held()
        for number, layer in enumerate(self.given.layers):
            self._check(layer, held)
            held = self._layer(layer, held, self.given.layers[number + 1 :])
        if not held.steps:
            path = ("layers",)
            raise self._wrong(path, "no generator: nothing gives a candidate")
        return self._ended(held)

    def _check(self, layer: tuple[Component, ...], held: _Held) -> None:
        """Raises for what Archon cannot run either."""
        candidates = [c for c in layer if c.kind != "unit_test_generator"]
        for component in candidates:
            kind = component.kind
            if kind == "generator" and held.steps:
                told = "a generator would throw away the candidates so far: it stands in the first "
                raise self._wrong(component.path, f"{told}layer")
            if kind != "generator" and not held.steps:
                raise self._wrong(component.path, f"a {kind} needs candidates: a generator first")
            if kind == "critic" and len(candidates) > 1:
                raise self._wrong(component.path, "a critic stands alone in its layer")
            if kind == "unit_test_evaluator" and self.writer is None:
                raise self._wrong(component.path, "no unit_test_generator in a layer before it")

    def _layer(
        self, layer: tuple[Component, ...], held: _Held, later: tuple[tuple[Component, ...], ...]
    ) -> _Held:
        made = _Held()
        generators = [c for c in layer if c.kind == "generator"]
        if generators:
            made = made.and_(self._generators(generators))
        for component in layer:
            match component.kind:
                case "fuser":
                    made = made.and_(self._fuser(component, held))
                case "critic":
                    made = made.and_(self._critic(component, held, later))
                case "ranker":
                    made = made.and_(self._ranker(component, held, later))
                case "verifier":
                    made = made.and_(self._verifier(component, held))
                case "unit_test_evaluator":
                    made = made.and_(self._evaluator(component, held))
        for component in layer:
            if component.kind == "unit_test_generator":
                self._test_writer(component, later)
        return made if made.steps else held

    def _generators(self, components: list[Component]) -> _Held:
        count = sum(c.samples for c in components)
        if len(components) == 1:
            only = components[0]
            n = {} if only.samples == 1 else {"n": only.samples}
            step = {"op": "generate", **self.models.asking(only), **n}
            return _Held((self._add("drafts", step, _Held()),), count)
        samples = {c.samples for c in components}
        shared = samples.pop() if len(samples) == 1 else None
        members = [self._member(c, shared) for c in components]
        step = {"op": "ensemble", "members": members}
        if shared not in (None, 1):
            step["n"] = shared
        return _Held((self._add("drafts", step, _Held()),), count)

    def _member(self, component: Component, shared: int | None) -> Any:
        asking = dict(self.models.asking(component))
        if shared is None and component.samples > 1:
            asking["n"] = component.samples
        return asking if len(asking) > 1 else asking["model"]

    def _fuser(self, component: Component, held: _Held) -> _Held:
        asking = self.models.asking(component)
        if held.count == 1 and not held.critiqued:
            return self._rewritten(component, held)
        step: dict[str, Any] = {"op": "fuse", **asking}
        if component.samples > 1:
            step["n"] = component.samples
        remarks = []
        if component.length_control:
            step["prompt"] = f"{FUSE}\n\n{_LENGTH}"
            remarks.append("length_control; Archon's code heeds it only where there are critiques.")
        return _Held((self._add("fused", step, held, *remarks),), component.samples)

    def _rewritten(self, component: Component, held: _Held) -> _Held:
        """A fuser of a single candidate rewrites it."""
        remark = "A fuser of one candidate without a critique: it is rewritten."
        self.notes.add("a fuser of one candidate: refine rewrites it", component.path)
        if component.length_control:
            self.notes.add("length_control is left out: nothing is fused here", component.path)
        step = {"op": "refine", **self.models.asking(component)}
        names = [self._add("fused", step, held, remark) for _ in range(component.samples)]
        return _Held(tuple(names), component.samples)

    def _critic(
        self, component: Component, held: _Held, later: tuple[tuple[Component, ...], ...]
    ) -> _Held:
        kinds = [c.kind for layer in later for c in layer]
        if "fuser" not in kinds:
            self.notes.add(
                "the critic is left out: no fuser reads its critiques, and rank shows none",
                component.path,
            )
            return held
        step = {"op": "critique_all", **self.models.asking(component)}
        return _Held((self._add("critiques", step, held),), held.count, critiqued=True)

    def _ranker(
        self, component: Component, held: _Held, later: tuple[tuple[Component, ...], ...]
    ) -> _Held:
        if held.count == 1:
            self.notes.add("the ranker is left out: it has one candidate", component.path)
            return held
        keep = self._kept(component, held)
        remarks = []
        if held.critiqued:
            remarks.append("Archon shows its ranker the critiques; rank shows none.")
        if component.pairs:
            step = self._pairs(component, later)
            remarks.append("In the place of PairRM, a model of its own that cannot be asked here.")
        else:
            step = {"op": "rank", **self.models.asking(component), "orders": 1}
        step["keep"] = "all" if keep is None else keep
        name = self._add("ranked", step, held, *remarks)
        return _Held((name,), keep or held.count, held.critiqued)

    def _pairs(
        self, component: Component, later: tuple[tuple[Component, ...], ...]
    ) -> dict[str, Any]:
        """Pairwise comparison by the next fuser's model, else by the first generator's."""
        fusers = [c for layer in later for c in layer if c.kind == "fuser"]
        generators = [c for layer in self.given.layers for c in layer if c.kind == "generator"]
        judge = self.models.name([*fusers, *generators][0])
        note = f"PairRM cannot be asked here: {judge} compares every two instead"
        self.notes.add(note, component.path)
        return {"op": "rank", "model": judge, "temperature": 0, "method": "pairwise", "orders": 1}

    def _kept(self, component: Component, held: _Held) -> int | None:
        """The `top_k` of a component, None for all."""
        if component.top_k is None or component.top_k >= held.count:
            return None
        return component.top_k

    def _verifier(self, component: Component, held: _Held) -> _Held:
        step = {"op": "verify", **self.models.asking(component)}
        verdicts = self._add(
            "verdicts", step, held, "Archon asks for the reasons and the verdict in two calls."
        )
        judged = _Held((verdicts,), held.count, held.critiqued)
        count = min(component.first_k or held.count, held.count)
        select = {"op": "select", "by": "verify", "at_least": 1, "keep": count}
        right = self._add("right", select, judged)
        both = {"op": "either", "from": [right, verdicts]}
        name = self._add("verified", both, judged, "Of none right, all go on, as in Archon's code.")
        return _Held((name,), held.count, held.critiqued)

    def _test_writer(self, component: Component, later: tuple[tuple[Component, ...], ...]) -> None:
        if any(c.kind == "unit_test_evaluator" for layer in later for c in layer):
            self.writer = component
            self.notes.add(
                "tests are written where they are evaluated, and only the evaluator sees them, as "
                "in the paper; Archon's code adds them to the question of every later layer",
                component.path,
            )
            return
        self.notes.add(
            "the unit_test_generator is left out: no evaluator reads its tests; Archon's code adds "
            "them to the question of every later layer, the paper does not",
            component.path,
        )

    def _evaluator(self, component: Component, held: _Held) -> _Held:
        assert self.writer is not None
        most = self.writer.tests or _TESTS
        if self.writer.tests is None:
            told = f"without unit_test_cap, at most {_TESTS} tests are asked for"
            self.notes.add(told, self.writer.path)
        step: dict[str, Any] = {
            "op": "unit_test",
            "tests": "words",
            **self.models.asking(self.writer, whole=True),
            "most": most,
            "judge": self.models.asking(component, whole=True),
        }
        keep, first = self._kept(component, held), component.first_k
        if first is not None and 1 < first <= held.count:
            return self._first_passing(step, first, keep, held)
        if first == 1:
            step["method"] = "first_pass"
        if keep is not None:
            step["keep"] = keep
        name = self._add("tested", step, held, _APART)
        return _Held((name,), keep or held.count, held.critiqued)

    def _first_passing(
        self, step: Mapping[str, Any], first: int, keep: int | None, held: _Held
    ) -> _Held:
        """The first `first` that pass all tests, or the best `keep` where fewer do."""
        tested = self._add("tested", step, held, _APART)
        judged = _Held((tested,), held.count, held.critiqued)
        select = {"op": "select", "by": "tests", "at_least": 1, "keep": first}
        passing = self._add("passing", select, judged)
        holds = {"op": "when", "holds": {"candidates": first}, "from": passing}
        enough = self._add("enough", holds, judged)
        best = tested
        if keep is not None:
            top = {"op": "select", "by": "tests", "keep": keep, "otherwise": "first"}
            best = self._add("best", top, judged)
        both = {"op": "either", "from": [enough, best]}
        remark = f"{first} that pass every test, else the best."
        name = self._add("evaluated", both, judged, remark)
        return _Held((name,), max(first, keep or held.count), held.critiqued)

    def _ended(self, held: _Held) -> tuple[Written, ...]:
        """The steps with one candidate at the end, called `answer`."""
        if held.count > 1:
            self.notes.add(
                "several candidates come out, of which Archon draws one at random; here it is the "
                "first",
                ("layers", len(self.given.layers) - 1),
            )
            step = {"op": "select", "by": "first"}
            self._add("answer", step, held, "Archon draws one at random.")
            return tuple(self.written)
        last = self.written[-1]
        return (*self.written[:-1], Written("answer", last.arguments, last.remarks))

    def _add(self, name: str, step: Mapping[str, Any], held: _Held, *remarks: str) -> str:
        """Write a step that reads what is held, and give its name."""
        name = unused(name, {w.name for w in self.written})
        reads = held.steps if len(held.steps) != 1 else held.steps[0]
        before = self.written[-1].name if self.written else None
        if "from" not in step and held.steps and reads != before:
            step = {**step, "from": list(reads) if isinstance(reads, tuple) else reads}
        self.written.append(Written(name, step, remarks))
        return name

    def _wrong(self, path: tuple[str | int, ...], message: str) -> SpecError:
        return SpecError([self.source.fault(path, message)])


_APART = "As in the paper, the tests are shown to nobody but the evaluator."
