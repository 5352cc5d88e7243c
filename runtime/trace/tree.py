"""A trace in the terminal: question, steps in running order, candidates; and its sums as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text
from rich.tree import Tree

from ...compiler.op import Each
from ...compiler.registry import operator, operator_names
from ...compiler.values import Json
from .outline import Asked, Drawn, Made, Run, Stage, outline
from .read import Header, Trace

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show", "summary"]

T = TypeVar("T")

_DIM = "dim"


def show(trace: Trace, console: Console, *, limit: int = 20, question: str | None = None) -> None:
    """Print a trace as a tree, each line cut to the console's width.

    At most `limit` questions, and of each step so many candidates; 0 for all.
    """
    runs, single = _chosen(trace, question), _single(trace.header)
    root = Tree(_head(trace, runs), guide_style=_DIM, highlight=False)
    for run in _first(runs, limit):
        branch = root.add(_run(trace.header, run))
        for name in _order(trace.header, run):
            stage = run.stages[name]
            twig = branch.add(_stage(trace.header, stage))
            lines = list(_lines(run, stage, name in single))
            for line in _first(lines, limit):
                twig.add(line)
            _more(twig, len(lines), limit)
        if run.end == "failed":
            branch.add(Text(f"failed: {_flat(run.why)}", "red"))
    _more(root, len(runs), limit)
    if trace.cut:
        root.add(Text("the file ends in the middle of a line", "yellow"))
    console.print(root, no_wrap=True, overflow="ellipsis", crop=True)


def summary(trace: Trace, *, question: str | None = None) -> Mapping[str, Json]:
    """The sums of a trace: of all questions, of each, and of each step."""
    header, runs = trace.header, _chosen(trace, question)
    return {
        "pipeline": header.pipeline,
        "digest": header.digest,
        "polyarch": header.polyarch,
        "cut": trace.cut,
        "events": len(trace.events),
        "total": _sums([asked for run in runs for asked in run.asked]),
        "questions": [
            {
                "id": run.id,
                "text": run.text,
                "seed": run.seed,
                "end": run.end,
                "why": run.why,
                "answers": [made.answer for made in _outcome(header, run)],
                "seconds": round(run.ended - run.began, 6),
                **_sums(list(run.asked)),
                "steps": [_step(header, run.stages[name]) for name in _order(header, run)],
            }
            for run in runs
        ],
    }


def _chosen(trace: Trace, question: str | None) -> list[Run]:
    return [run for run in outline(trace.events) if question in (None, run.id)]


def _order(header: Header, run: Run) -> list[str]:
    """The steps of a run, inputs before readers."""
    known = [str(step["name"]) for step in header.plan.get("steps", ())]
    return [name for name in dict.fromkeys((*known, *run.stages)) if name in run.stages]


def _outcome(header: Header, run: Run) -> list[Made]:
    return run.outcome(str(header.plan.get("output", "")), int(header.plan.get("keep", 1)))


def _step(header: Header, stage: Stage) -> Mapping[str, Json]:
    return {
        "name": stage.name,
        "op": _op(header, stage.name),
        "seconds": round(stage.ended - stage.began, 6),
        **_sums(stage.asked),
        "candidates": len(stage.made),
        "dropped": stage.count("dropped"),
        "unreadable": stage.count("unreadable"),
        "tool_calls": stage.count("called"),
    }


def _sums(asked: Sequence[Asked]) -> dict[str, Json]:
    drawn = [one for request in asked for one in request.drawn]
    return {
        "requests": len(asked),
        "calls": len(drawn),
        "cancelled": sum(r.draws - len(r.drawn) for r in asked if r.state == "cancelled"),
        "prompt_tokens": sum(one.prompt for one in drawn),
        "cached_tokens": sum(one.cached for one in drawn),
        "completion_tokens": sum(one.tokens for one in drawn),
        "usd": round(sum(one.usd for one in drawn), 9),
    }


def _op(header: Header, name: str) -> str:
    ops = {str(step["name"]): str(step["op"]) for step in header.plan.get("steps", ())}
    return ops.get(name, "")


def _head(trace: Trace, runs: Sequence[Run]) -> Text:
    header = trace.header
    head = Text(header.pipeline, "bold")
    head.append(f"  {len(runs):,} question{'s' * (len(runs) != 1)}", "")
    head.append(f"  {_spent([asked for run in runs for asked in run.asked])}", _DIM)
    head.append(f"  digest {header.digest[:12]}  polyarch {header.polyarch}", _DIM)
    return head


def _run(header: Header, run: Run) -> Text:
    line = Text(_flat(run.text) or run.id, "bold cyan")
    line.truncate(60, overflow="ellipsis")
    answers = ", ".join(made.answer or "no answer" for made in _outcome(header, run))
    line.append(f"  {answers or run.end or 'not ended'}", "red" if run.end == "failed" else "green")
    line.append(f"  {run.ended - run.began:.2f} s  {_spent(list(run.asked))}  id {run.id}", _DIM)
    return line


def _stage(header: Header, stage: Stage) -> Text:
    line = Text(stage.name, "bold")
    line.append(f"  {_op(header, stage.name)}")
    models = dict.fromkeys(asked.model for asked in stage.asked)
    line.append("".join(f"  {name}" for name in models), "magenta")
    line.append(f"  {stage.ended - stage.began:.2f} s", _DIM)
    if stage.asked:
        line.append(f"  {_spent(stage.asked)}", _DIM)
    if called := stage.count("called"):
        line.append(f"  {called:,} call{'s' * (called != 1)} of tools")
    line.append(f"  {len(stage.made):,} candidate{'s' * (len(stage.made) != 1)}", _DIM)
    for what in ("dropped", "unreadable", "retried"):
        if count := stage.count(what):
            line.append(f"  {count:,} {what}", "yellow")
    return line


def _spent(asked: Sequence[Asked]) -> str:
    sums = _sums(asked)
    cancelled = f" + {sums['cancelled']:,} cancelled" if sums["cancelled"] else ""
    return (
        f"{sums['calls']:,} call{'s' * (sums['calls'] != 1)}{cancelled}  "
        f"{sums['prompt_tokens']:,} + {sums['completion_tokens']:,} tokens  ${sums['usd']:.4g}"
    )


def _single(header: Header) -> frozenset[str]:
    """The steps on single candidates: what they ask belongs to the candidate at its place."""
    steps = [(str(step["name"]), str(step["op"])) for step in header.plan.get("steps", ())]
    known = operator_names()
    return frozenset(n for n, op in steps if op in known and issubclass(operator(op), Each))


def _lines(run: Run, stage: Stage, single: bool) -> Iterator[Text]:
    """What a step made, by place; then what else was worth noting."""
    texts = {made.place for made in stage.made if made.text is not None}
    drawn: dict[int, list[Drawn]] = {}
    for one in stage.drawn:
        if single or one.place in texts:
            drawn.setdefault(one.place, []).append(one)
    for made in sorted(stage.made, key=lambda made: made.place):
        yield _made(run, made, drawn.get(made.place, []))
    for event in stage.other:
        if event.what != "closed":
            told = ", ".join(f"{key} {_flat(str(value))}" for key, value in event.data.items())
            where = f"[{event.place}] " if event.place >= 0 else ""
            yield Text(f"{where}{event.what}: {told}", "yellow")


def _made(run: Run, made: Made, drawn: Sequence[Drawn]) -> Text:
    line = Text(f"[{made.place}] ")
    if made.text is None:
        line.append(f"{made.candidate} ", "cyan")
    origin = run.origins.get(made.candidate, made)
    line.append(f"{origin.answer or 'no answer'}", "green" if origin.answer else _DIM)
    scores, notes = made.added
    for name, score in scores.items():
        line.append(f"  {name} {score:.3g}", "bold")
    line.append(f"  {made.at - run.began:.2f} s", _DIM)
    if drawn:
        prompt, tokens = sum(d.prompt for d in drawn), sum(d.tokens for d in drawn)
        line.append(f"  {prompt:,} + {tokens:,} tokens", _DIM)
        usd = sum(d.usd for d in drawn)
        if usd:
            line.append(f"  ${usd:.4g}", _DIM)
    for name, note in notes.items():
        told = note if isinstance(note, str) else json.dumps(note, ensure_ascii=False)
        line.append(f"  {name}: {_flat(told)}", "italic")
    if made.text is not None:
        line.append(f"  {_flat(made.text)}", _DIM)
    return line


def _flat(text: str) -> str:
    """The text on one line, without what would move the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _first(items: Sequence[T], limit: int) -> Sequence[T]:
    return items[:limit] if limit else items


def _more(branch: Tree, count: int, limit: int) -> None:
    if limit and count > limit:
        branch.add(Text(f"… and {count - limit:,} more (--limit 0 shows all)", _DIM))
