"""What fitting is worth: weights, a router and a table fitted on one half of the recorded
questions, used on the other, beside what needs no fitting.

    python benchmarks/fitting.py [FOLDER] [--only router]

FOLDER (or POLYARCH_RECORDINGS) holds the sets of recordings. Differences are paired, with their 95%
intervals. A question belongs to the half that is fitted to if the first eight hex digits of the
SHA-256 of its id are even.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import click
from choosing import HERE, Row, question, rows
from click.testing import CliRunner

from polyarch.cli import cli
from polyarch.compiler.build import build_file
from polyarch.compiler.plan import plan
from polyarch.evaluation.intervals import paired_bootstrap, wilson
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run


def halves(name: str) -> tuple[list[Row], list[Row]]:
    """The questions to fit to, and those to report on."""
    items = rows(Path(name), "items")
    even = [int(sha256(item["id"].encode()).hexdigest()[:8], 16) % 2 == 0 for item in items]
    fit = [item for item, is_even in zip(items, even, strict=True) if is_even]
    return fit, [item for item, is_even in zip(items, even, strict=True) if not is_even]


def answered(path: Path, items: Sequence[Row]) -> list[Result]:
    made = plan(build_file(path))

    async def main() -> list[Result]:
        async with Session(made) as session:
            return [r async for r in session.map(map(question, items), concurrency=1)]

    return run(main())


def fitted(folder: Path, pipeline: Path, items: Sequence[Row], *more: str) -> None:
    """Fit to some questions; `fitted.json` in the folder."""
    data = folder / "known.jsonl"
    kept = ("id", "question", "reference")
    data.write_text("".join(json.dumps({key: i[key] for key in kept}) + "\n" for i in items))
    told = ["fit", str(pipeline), "--data", str(data), "--out", str(folder / "fitted.json"), *more]
    done = CliRunner().invoke(cli, told)
    if done.exit_code:
        raise SystemExit(done.output)


def right(items: Sequence[Row], results: Sequence[Result]) -> list[float]:
    """How right each answer is; of answers with equally many votes, the mean."""
    shares = []
    for item, result in zip(items, results, strict=True):
        votes = result.candidates[0].notes["votes"]
        assert isinstance(votes, Sequence)
        tied = [answer for answer, cast in votes if cast == votes[0][1]]  # type: ignore[misc,index]
        shares.append(fmean(answer == item["reference"] for answer in tied) if tied else 0.0)
    return shares


def told(name: str, one: Sequence[float], other: Sequence[float]) -> None:
    more, low, high = paired_bootstrap(one, other)
    click.echo(
        f"{name:40} {fmean(one):.4f} against {fmean(other):.4f}: "
        f"{more:+.4f} ({low:+.4f} to {high:+.4f}), {len(one)} questions"
    )


def weights(folder: Path, name: str, data: str, **instead: str) -> None:
    """A vote by fitted weights against the same vote without."""
    text = (HERE / f"{name}.yaml").read_text()
    for word, other in instead.items():
        text = text.replace(word, other)
    (folder / "plain.yaml").write_text(text)
    weighted = text.replace("{op: vote, ", "{op: vote, weight: {file: fitted.json}, ")
    (folder / "weighted.yaml").write_text(weighted)
    known, rest = halves(data)
    fitted(folder, folder / "plain.yaml", known)
    plain = right(rest, answered(folder / "plain.yaml", rest))
    weighted_right = right(rest, answered(folder / "weighted.yaml", rest))
    told(f"{name}: weights", weighted_right, plain)
    if data == "llmbar-judges":
        single = _single(rest)
        told(f"{name}: weights, and the best judge", weighted_right, single)


def _single(items: Sequence[Row]) -> list[float]:
    """How right the best judge is, a conflict between its two orders being a coin."""
    kept = {item["id"]: [] for item in items}  # type: ignore[var-annotated]
    for row in rows(Path("llmbar-judges"), "judgements"):
        if (row["judge"], row["strategy"]) == ("GPT-4", "Metrics_Reference"):
            kept.get(row["item"], []).append(row["correct"])
    return [fmean(verdicts) for verdicts in kept.values()]


def router(folder: Path) -> None:
    """A learned route against sending as many questions to the strong model at random."""
    known, rest = halves("gsm8k-routellm")
    both = HERE / "routellm_both.yaml"
    fitted(folder, both, known, "--what", "router", "--cases", "weak,strong")
    shutil.copy(HERE / "routellm_routed.yaml", folder)
    results = answered(folder / "routellm_routed.yaml", rest)
    drawn = {(r["item"], r["meta"]["role"]): r for r in rows(Path("gsm8k-routellm"), "samples")}
    went = [result.candidates[0].origin.model for result in results]
    share = went.count("strong") / len(went)
    for label, field in (("as recorded", "correct"), ("last decimal", "correct_decimal")):

        def correct(item: Row, role: str, field: str = field) -> float:
            row = drawn[item["id"], role]
            return float(row[field] if field in row else row["meta"][field])

        one = [correct(item, role) for item, role in zip(rest, went, strict=True)]
        chance = [share * correct(i, "strong") + (1 - share) * correct(i, "weak") for i in rest]
        told(f"route, {share:.0%} strong, {label}", one, chance)


def table(folder: Path) -> None:
    """A route by what a cheap model says, beside every model alone, a vote and a cascade: which of
    them no other beats in both dollars and right answers, and what a deadline changes."""
    known, rest = halves("prime-llmdrift")
    correct: dict[str, list[float]] = {}
    cost: dict[str, float] = {}

    def show(name: str, results: Sequence[Result]) -> None:
        pairs = zip(rest, results, strict=True)
        correct[name] = [float(r.answer == item["reference"]) for item, r in pairs]
        cost[name] = fmean(result.usage.usd for result in results)
        _, low, high = wilson(int(sum(correct[name])), len(rest))
        longest = max(result.seconds for result in results)
        click.echo(
            f"{name:36} {fmean(correct[name]):.4f} ({low:.3f}–{high:.3f})  {cost[name]:.5f} usd  "
            f"{fmean(r.seconds for r in results):5.1f} s, {longest:.0f} at most"
        )

    plain = (HERE / "prime_dear.yaml").read_text()
    for name in ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "gpt-4-0314", "gpt-4-0613"):
        dollars = ("30", "60") if name.startswith("gpt-4") else ("2", "2")
        price = "prompt: {}, completion: {}".format(*dollars)
        text = plain.replace("gpt-4-0314", name).replace("prompt: 30, completion: 60", price)
        show(name, _run(folder, text, rest))
    show("plurality of four", answered(HERE / "prime_plurality.yaml", rest))
    show("cascade by agreement", answered(HERE / "prime_cascade.yaml", rest))
    shutil.copy(HERE / "prime_routed.yaml", folder)
    told_by = ("--what", "table", "--probe", "probe", "--cases", "cheap,dear", "--by", "answers")
    for most, name in (((), "route by table"), (("--most", "0.1"), "route, 0.1 usd an answer")):
        fitted(folder, HERE / "prime_probe.yaml", known, *told_by, "--unit", "usd", *most)
        show(name, answered(folder / "prime_routed.yaml", rest))
    together = (HERE / "prime_together.yaml").read_text()
    show("both at once", _run(folder, together, rest))
    for name in cost:
        others = (o for o in cost if o != name and cost[o] <= cost[name])
        if not any(fmean(correct[o]) >= fmean(correct[name]) for o in others):
            click.echo(f"on the front: {name}")
    told("route by table, and the dear one", correct["route by table"], correct["gpt-4-0314"])
    share = cost["route, 0.1 usd an answer"] - cost["gpt-3.5-turbo-0613"]
    share /= cost["gpt-4-0314"] - cost["gpt-3.5-turbo-0613"]
    mixed = [
        share * dear + (1 - share) * cheap
        for dear, cheap in zip(correct["gpt-4-0314"], correct["gpt-3.5-turbo-0613"], strict=True)
    ]
    name = f"route, and {share:.0%} dear at random"
    told(name, correct["route, 0.1 usd an answer"], mixed)
    for limit in (10, 15, 20):
        budget = f"{{seconds: {limit}, on_budget: best}}"
        for name, text in (("gpt-4-0314", plain), ("both at once", together)):
            late = text.replace("{on_budget: best}", budget)
            show(f"{name}, {limit} s", _run(folder, late, rest))
        pair = (correct[f"{one}, {limit} s"] for one in ("both at once", "gpt-4-0314"))
        told(f"both at once, and the dear one, {limit} s", *pair)


def vectors(folder: Path) -> None:
    """Vectors of models and questions: cells that were held out, against what models and questions
    add by themselves; and a route by the words of a question, against the best single model."""
    import numpy as np

    from polyarch.evaluation.fitting import factors

    known, rest = halves("gsm8k-zeroeval")
    items = [*known, *rest]
    samples = rows(Path("gsm8k-zeroeval"), "samples")
    models = sorted({row["model"] for row in samples})
    place = {item["id"]: at for at, item in enumerate(items)}
    right = np.zeros((len(items), len(models)))
    for row in samples:
        right[place[row["item"]], models.index(row["model"])] = row["correct"]
    seen = (np.random.default_rng(0).random(right.shape) < 0.8).astype(float)
    held = 1 - seen
    asked = np.flatnonzero(held.sum(axis=1))
    for name, error in (
        ("squared error", lambda p: (np.clip(p, 0, 1) - right) ** 2),
        ("wrong", lambda p: ((p > 0.5) != (right > 0.5)).astype(float)),
    ):
        means = []
        for told_by in (factors.factorised(right, seen, 2, 10.0), factors.additive(right, seen)):
            errors = (error(told_by.expected) * held).sum(axis=1)[asked] / held.sum(axis=1)[asked]
            means.append(errors.tolist())
        told(f"vectors, and sums, held out: {name}", *means)
    count = len(known)
    fitted_to = factors.factorised(right[:count], np.ones((count, len(models))), 2, 10.0)
    best = int(right[:count].mean(axis=0).argmax())
    wanted = np.column_stack([fitted_to.rows, fitted_to.left])
    texts = [[item["question"] for item in half] for half in (known, rest)]
    way = factors.projection(texts[0], wanted, 512, 10.0)
    vector = factors.matrix(texts[1], 512) @ way
    chances = vector[:, :1] + fitted_to.columns + vector[:, 1:] @ fitted_to.right.T
    chosen = right[count:][np.arange(len(rest)), chances.argmax(axis=1)]
    told("route by vectors, and the best model", chosen.tolist(), right[count:, best].tolist())


def _run(folder: Path, text: str, items: Sequence[Row]) -> list[Result]:
    (folder / "run.yaml").write_text(text)
    return answered(folder / "run.yaml", items)


WAYS: Mapping[str, Callable[[Path], None]] = {
    "router": router,
    "table": table,
    "vectors": vectors,
    "judges": lambda folder: weights(
        folder, "judges_jury", "llmbar-judges", Vanilla="Metrics_Reference"
    ),
    "models": lambda folder: weights(folder, "zeroeval_plurality", "gsm8k-zeroeval"),
}


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, path_type=Path), envvar="POLYARCH_RECORDINGS"
)
@click.option("--only", type=click.Choice(list(WAYS)), multiple=True, help="These alone.")
def main(folder: Path, only: tuple[str, ...]) -> None:
    """Fit on one half of the questions, and compare on the other."""
    os.chdir(folder)
    for name in only or WAYS:
        with TemporaryDirectory() as made:
            WAYS[name](Path(made))


if __name__ == "__main__":
    main()
