"""What fitting is worth: weights and a router fitted on one half of the recorded questions, used on
the other, beside what needs no fitting.

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
from polyarch.evaluation.intervals import paired_bootstrap
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


WAYS: Mapping[str, Callable[[Path], None]] = {
    "router": router,
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
