"""The files of a search: the best pipeline, the front, and everything as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..compiler.values import Json
from ..evaluation.intervals import Interval
from .found import Found, Guarded, Started
from .trial import Trial

__all__ = ["best_yaml", "figures", "points", "record", "told", "write"]


def told(interval: Interval) -> str:
    """An interval in percent."""
    estimate, low, high = (100 * value for value in interval)
    return f"{estimate:.1f}% ({low:.1f} to {high:.1f})"


def points(interval: Interval) -> str:
    """A difference in points, with its interval."""
    estimate, low, high = (100 * value for value in interval)
    return f"{estimate:+.1f} points ({low:+.1f} to {high:+.1f})"


def figures(found: Found) -> Iterator[str]:
    """What is known of the winner, a line each, with the number of questions each rests on."""
    best = found.best
    yield f"dev: {told(found.dev)} on {len(best.marks)} questions, by which it was chosen"
    if (guarded := found.guarded) is not None:
        yield from _guarded(guarded)
    if found.test:
        winner = found.test[0]
        yield f"test: {told(winner.score)} on {len(winner.marks)} locked questions"
        claimed = "dev" if found.guarded is None or found.guarded.value is None else "guard"
        yield f"      {claimed} less test: {100 * (found.gap or 0):+.1f} points"
        yield (
            f"cost of a question: {winner.cost('calls'):.1f} calls, "
            f"{winner.cost('tokens'):,.0f} tokens, ${winner.cost('usd'):.4g}"
        )
        for other in found.test[1:]:
            gain = points(found.gains[other.name])
            yield (
                f"against {other.name} ({other.cost('calls'):.1f} calls, "
                f"{other.cost('tokens'):,.0f} tokens): {gain}"
            )
    else:
        yield "test: the locked questions were not opened"
    if found.opened > 1:
        yield f"the locked questions were opened {found.opened} times: the test is too good by now"
    for one in found.dropped:
        yield f"dropped, for it was worth nothing: {one}"
    for source, places in _sources(found.started):
        yield f"tried first, {source}: {places}"
    tried = len([trial for trial in found.trials if trial.state != "refused"])
    size = f" of {found.size:,}" if found.size is not None else ""
    yield f"{tried:,}{size} points tried with {found.calls:,} calls; {found.why}"


def _guarded(guarded: Guarded) -> Iterator[str]:
    """What the guard said."""
    if guarded.value is None:
        yield f"guard: no answer: {guarded.why}"
        return
    fitted = "the search fitted its questions" if guarded.fitted else "not fitted"
    yield (
        f"guard: {100 * guarded.value:.1f}% with {guarded.questions} questions held back; {fitted} "
        f"({guarded.told} of {guarded.most} answers used)"
    )


def _sources(started: Sequence[Started]) -> Iterator[tuple[str, str]]:
    """By where points come from that were tried first, which places they came in."""
    by_source: dict[str, list[str]] = {}
    for one in started:
        place = "not asked" if one.place is None else f"came in {one.place} of {one.of}"
        by_source.setdefault(one.source, []).append(place)
    for source, places in by_source.items():
        yield source, ", ".join(places)


def best_yaml(found: Found) -> str:
    """The winner without holes, its figures as comments."""
    lines = [f"# {line}" for line in figures(found)]
    return "\n".join([*lines, "", found.text])


def write(found: Found, out: Path, texts: Mapping[str, str]) -> None:
    """Write `best.yaml`, `front/` and `search.json` into a folder; `texts` holds the pipelines of
    the front by key."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "best.yaml").write_text(best_yaml(found), encoding="utf-8")
    front = out / "front"
    if front.exists():
        shutil.rmtree(front)
    if len(found.aims) > 1:
        front.mkdir()
        for place, trial in enumerate(found.front, start=1):
            values = ", ".join(f"{aim}: {trial.value(aim):.4g}" for aim in found.aims)
            head = f"# trial {trial.number}; {values}; on {len(trial.marks)} questions\n\n"
            (front / f"{place:02}.yaml").write_text(head + texts[trial.key], encoding="utf-8")
    made = json.dumps(record(found), ensure_ascii=False, indent=1)
    (out / "search.json").write_text(made + "\n", encoding="utf-8")


def record(found: Found) -> Mapping[str, Json]:
    """Everything as JSON."""
    return {
        "best": _trial(found, found.best),
        "dev": list(found.dev),
        "test": [
            {
                "name": one.name,
                "score": list(one.score),
                "questions": len(one.marks),
                "calls": one.cost("calls"),
                "tokens": one.cost("tokens"),
                "usd": one.cost("usd"),
            }
            for one in found.test
        ],
        "gains": {name: list(gain) for name, gain in found.gains.items()},
        "gap": found.gap,
        "opened": found.opened,
        "guard": None
        if found.guarded is None
        else {
            "value": found.guarded.value,
            "fitted": found.guarded.fitted,
            "questions": found.guarded.questions,
            "told": found.guarded.told,
            "why": found.guarded.why,
        },
        "started": [
            {"source": one.source, "trial": one.trial, "place": one.place} for one in found.started
        ],
        "dropped": list(found.dropped),
        "ablation": [
            {
                "change": one.change,
                "loss": None if one.loss is None else list(one.loss),
                "questions": one.questions,
                "calls_saved": one.calls_saved,
                "tokens_saved": one.tokens_saved,
                "why": one.why,
            }
            for one in found.ablation
        ],
        "why": found.why,
        "spent": {
            "calls": found.calls,
            "tokens": found.tokens,
            "usd": found.usd,
            "seconds": round(found.seconds, 1),
        },
        "spending": {
            step: {"calls": spent.calls, "tokens": spent.tokens, "usd": spent.usd}
            for step, spent in found.spending.items()
        },
        "front": [trial.number for trial in found.front],
        "trials": [_trial(found, trial) for trial in found.trials],
    }


def _trial(found: Found, trial: Trial) -> Mapping[str, Json]:
    return {
        "number": trial.number,
        "chosen": dict(found.choices.get(trial.key, ())),
        "state": trial.state,
        "why": trial.why,
        "questions": len(trial.marks),
        "values": {str(aim): trial.value(aim) if trial.asked else None for aim in found.aims},
        "calls": trial.cost("calls"),
        "tokens": trial.cost("tokens"),
        "paid": trial.paid,
    }
