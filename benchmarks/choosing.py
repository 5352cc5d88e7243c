"""What ways of choosing are worth: pipelines of `benchmarks/choosing/` on recorded outputs, beside
the figures that were published with the recordings.

    python benchmarks/choosing.py [FOLDER] [--only SET]

FOLDER (or POLYARCH_RECORDINGS) holds the sets. Every line is one figure: what it was computed to
be from the files, what the pipeline gives, and of a share its 95% interval. Where equally many
votes are tied, `shared` is the expectation over `ties: random`, read from the votes that the winner
notes. Time is virtual: seconds are those that were recorded.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from polyarch.compiler.build import build
from polyarch.compiler.plan import plan
from polyarch.compiler.source import parse
from polyarch.compiler.values import Candidate, Message, Question
from polyarch.evaluation.intervals import wilson
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

HERE = Path(__file__).parent / "choosing"

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One figure: its set and name, what was published (None for what was not) and ours."""

    data: str
    figure: str
    theirs: float | None
    ours: float
    items: int = 0
    within: float = 5e-5
    """Figures are published rounded."""

    @property
    def same(self) -> bool:
        return self.theirs is None or abs(self.theirs - self.ours) <= self.within + 1e-9

    def __str__(self) -> str:
        theirs = "" if self.theirs is None else f"{self.theirs:.4f}"
        bounds = ""
        if self.items:
            _, low, high = wilson(round(self.ours * self.items), self.items)
            bounds = f"{low:.3f}–{high:.3f}"
        mark = "" if self.same else "  DIFFERS"
        return f"{self.data:16} {self.figure:48} {theirs:>9} {self.ours:9.4f}  {bounds}{mark}"


def rows(folder: Path, name: str) -> list[Row]:
    packed = folder / f"{name}.jsonl.gz"
    if packed.is_file():
        with gzip.open(packed, "rt") as file:
            return [json.loads(line) for line in file]
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def question(item: Row) -> Question:
    """An item as a question; the puzzles' numbers are a field of it."""
    text = item["question"]
    numbers = item.get("meta", {}).get("numbers")
    fields = {} if numbers is None else {"task": text, "numbers": numbers}
    return Question(text, (Message("user", text),), fields, item["id"])


def answered(name: str, items: Sequence[Row], **instead: str) -> list[Result]:
    """The results of a pipeline of the folder, in virtual time, with some of its words replaced.
    Sets are looked up in the current folder."""
    text = (HERE / f"{name}.yaml").read_text()
    for word, other in instead.items():
        text = text.replace(word, other)
    made = plan(build(parse(text, f"{name}.yaml"), HERE))

    async def main() -> list[Result]:
        async with Session(made) as session:
            asked = map(question, items)
            return [r async for r in session.map(asked, concurrency=1, on_error="skip")]

    return run(main())


class Set:
    """A set of recordings: its items and figures, and which answers are right."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = Path(name)
        self.items = rows(self.folder, "items")
        told = json.loads((self.folder / "figures.json").read_text())
        self.figures: dict[str, Any] = told["figures"]
        self.right: dict[tuple[str, str], bool] = {}
        if not (self.folder / "judgements.jsonl.gz").is_file():
            for row in rows(self.folder, "samples"):
                answer = row["answer"] or ""
                for text in {answer, answer.strip()}:
                    self.right[row["item"], text] = row["correct"]

    def line(self, figure: str, theirs: float | None, ours: float, within: float = 5e-5) -> Line:
        return Line(self.name, figure, theirs, ours, len(self.items), within)

    def cost(self, figure: str, theirs: float | None, ours: float, within: float = 0.0) -> Line:
        """A figure that is no share, so that it has no interval here."""
        return Line(self.name, figure, theirs, ours, 0, within)

    def correct(self, item: str, answer: str | None) -> bool:
        return answer is not None and self.right.get((item, answer), False)

    def accuracy(self, results: Sequence[Result]) -> float:
        """The share of right answers."""
        pairs = zip(self.items, results, strict=True)
        return fmean(self.correct(item["id"], result.answer) for item, result in pairs)

    def shared(self, results: Sequence[Result]) -> float:
        """The expected share of right answers if ties are broken at random."""
        pairs = zip(self.items, results, strict=True)
        return fmean(self._shared(item["id"], result) for item, result in pairs)

    def _shared(self, item: str, result: Result) -> float:
        votes = result.candidates[0].notes["votes"] if result.candidates else []
        assert isinstance(votes, Sequence)
        tied = [answer for answer, count in votes if count == votes[0][1]]  # type: ignore[misc,index]
        return fmean(self.correct(item, str(answer)) for answer in tied) if tied else 0.0


def read(result: Result) -> int:
    """How many candidates the vote read."""
    notes = (event.data for event in result.trace if event.what == "noted")
    return next(int(str(note["read"])) for note in notes if note["note"] == "vote")


def calls(results: Sequence[Result]) -> list[int]:
    return [result.usage.calls - result.unread.calls for result in results]


def zeroeval(data: Set) -> Iterator[Line]:
    told, items = data.figures, data.items
    everyone = answered("zeroeval_plurality", items)
    yield data.line("plurality of 43, ties shared", told["plurality"], data.shared(everyone))
    by_name = told["plurality_ties_by_model_name"]
    yield data.line("plurality of 43, ties by name", by_name, data.accuracy(everyone))
    six, small = answered("zeroeval_six", items), told["six_small_models"]
    yield data.line("six small models, ties shared", small["plurality"], data.shared(six))
    listed = small["plurality_ties_by_list_order"]
    yield data.line("six small models, ties by list", listed, data.accuracy(six))
    for agree in (3, 2):
        results = answered(f"zeroeval_cascade_agree{agree}", items)
        figures = told[f"cascade_3_small_to_gpt4o_agree{agree}"]
        escalated = fmean(n == 4 for n in calls(results))
        name = f"cascade, {agree} of 3 agree"
        yield data.line(name, figures["accuracy"], data.accuracy(results))
        yield data.line(f"{name}: escalated", figures["escalated"], escalated)
    early = answered("zeroeval_plurality", items, **{"ties: first": "ties: first, stop_at: exact"})
    pairs = zip(everyone, early, strict=True)
    same = fmean(one.answer == other.answer for one, other in pairs)
    yield data.line("stopped when certain: the same winner", 1.0, same)
    yield data.cost("stopped when certain: read, of 43", None, fmean(map(read, early)))


def openai(data: Set) -> Iterator[Line]:
    results = answered("openai_plurality", data.items)
    yield data.line("plurality of 4", data.figures["plurality"], data.shared(results))


def routellm(data: Set) -> Iterator[Line]:
    for who in ("weak", "strong"):
        figure = data.figures["recorded_labels"][who]
        yield data.line(who, figure, data.accuracy(answered(f"routellm_{who}", data.items)))


def game24(data: Set) -> Iterator[Line]:
    for prompt in ("io", "cot"):
        told = data.figures[f"gpt-4:{prompt}"]
        plurality = data.shared(answered(f"game24_{prompt}_plurality", data.items))
        yield data.line(f"{prompt}: plurality of 100", told["plurality_of_100"], plurality)
        results = answered(f"game24_{prompt}_checked", data.items)
        solved = fmean(bool(result.candidates) for result in results)
        yield data.line(f"{prompt}: solved, stopping", told["any_of_100"], solved)
        yield data.cost(f"{prompt}: draws, of 100", None, fmean(calls(results)))
        price = told["usd"] / (100 * len(data.items))
        spent = price * fmean(calls(results))
        yield data.cost(f"{prompt}: usd a solved puzzle", None, spent / solved)
    both = answered("game24_cascade", data.items)
    solved = fmean(bool(result.candidates) for result in both)
    yield data.line("io, 20 at most, then cot: solved", None, solved)
    usd = {p: data.figures[f"gpt-4:{p}"]["usd"] / (100 * len(data.items)) for p in ("io", "cot")}
    direct, thought = (_drawn(both, model) for model in ("direct", "thought"))
    yield data.cost("io, then cot: draws of io", None, direct)
    yield data.cost("io, then cot: draws of cot", None, thought)
    spent = direct * usd["io"] + thought * usd["cot"]
    yield data.cost("io, then cot: usd a solved puzzle", None, spent / solved)


def _drawn(results: Sequence[Result], model: str) -> float:
    """How many draws of a model a question takes."""
    drew = (event.data for result in results for event in result.trace if event.what == "drew")
    return sum(data["model"] == model for data in drew) / len(results)


def humaneval(data: Set) -> Iterator[Line]:
    results = answered("humaneval_plurality", data.items)
    first, shared = data.figures["exact_text_majority"], "exact_text_plurality_shared_ties"
    yield data.line("the text that comes most often", first, data.accuracy(results))
    yield data.line("the same, ties shared", data.figures[shared], data.shared(results))


def math(data: Set) -> Iterator[Line]:
    told, items = data.figures, data.items
    plain = answered("math_plurality", items)
    yield data.line("plurality of 8, ties shared", told["plurality"], data.shared(plain))
    first = told["majority_ties_by_sample_order"]
    yield data.line("plurality of 8, ties by order", first, data.accuracy(plain))
    texts = {(row["item"], row["text"]): row["correct"] for row in rows(data.folder, "samples")}
    for name, figure in (
        ("math_best_of_8", told["best_of_8_by_rm"]),
        ("math_weighted", told["rm_softmax_weighted_vote"]),
        ("math_borda", None),
        ("math_majority_best", None),
    ):
        results = answered(name, items)
        pairs = zip(items, results, strict=True)
        yield data.line(name, figure, fmean(texts[item["id"], r.text] for item, r in pairs))


def drift(data: Set) -> Iterator[Line]:
    kind = data.name.partition("-")[0]
    results = answered(f"{kind}_plurality", data.items)
    yield data.line("plurality of 4, ties shared", data.figures["plurality"], data.shared(results))
    by_name = data.figures["plurality_ties_by_model_name"]
    yield data.line("plurality of 4, ties by name", by_name, data.accuracy(results))
    per_model = data.figures["per_model"].values()
    dollars = fmean(result.usage.usd for result in results)
    # Dollars are those of the recorded tokens; of a few rows the prompt's are not known.
    recorded = sum(one["mean_usd"] for one in per_model)
    yield data.cost("plurality of 4: usd", recorded, dollars, within=5e-4 * recorded)
    seconds = fmean(result.usage.seconds for result in results)
    recorded = sum(one["mean_latency_s"] for one in per_model)
    yield data.cost("plurality of 4: seconds, summed", recorded, seconds, within=0.02)
    for form in ("cascade", "deadline"):
        results = answered(f"{kind}_{form}", data.items)
        yield data.line(form, None, data.accuracy(results))
        yield data.cost(f"{form}: usd", None, fmean(result.usage.usd for result in results))
        yield data.cost(f"{form}: seconds", None, fmean(result.seconds for result in results))
        yield data.cost(f"{form}: longest", None, max(result.seconds for result in results))


def judges(data: Set) -> Iterator[Line]:
    for judge, told in data.figures.items():
        if isinstance(told, dict) and "order12" in told:
            strategy = {"GPT-4/Metrics_Reference": judge}
            verdicts = answered("judges_both_orders", data.items, **strategy)
            pairs = zip(data.items, verdicts, strict=True)
            places = [_better(item, result, "rank") for item, result in pairs]
            flip = told["agree_else_coin_flip"]
            # A verdict that cannot be read is left out here and wrong there.
            within = 5e-5 + told["no_verdict"] / 2 / len(places)
            yield data.line(f"{judge}: agree else coin", flip, fmean(places), within)
            once = {**strategy, "judge, keep: 2}": _ONE}
            first = answered("judges_both_orders", data.items, **once)
            pairs = zip(data.items, first, strict=True)
            places = [_better(item, result, "rank") for item, result in pairs]
            within = 5e-5 + told["no_verdict"] / 2 / len(places)
            yield data.line(f"{judge}: one order", told["order12"], fmean(places), within)
            other = answered("judges_reversed", data.items, **strategy)
            pairs = zip(data.items, other, strict=True)
            places = [_better(item, result, "rank") for item, result in pairs]
            yield data.line(f"{judge}: the other", told["order21"], fmean(places), within)
    ratings = answered("judges_rating", data.items)
    rated = [_better(item, r, "reward") for item, r in zip(data.items, ratings, strict=True)]
    rating = data.figures["GPT-4/Rating"]["accuracy_ties_half"]
    yield data.line("GPT-4/Rating", rating, fmean(rated))
    jury = answered("judges_jury", data.items)
    figure = data.figures["majority_of_six_judges_Vanilla_both_orders"]
    data.right = {(i["id"], w): w == i["reference"] for i in data.items for w in ("1", "2")}
    yield data.line("majority of six judges, both orders", figure, data.shared(jury))


_ONE = "judge, keep: 2, orders: 1}"
"""Of a judge's arguments, the last ones: shown in one order alone."""


def _better(item: Row, result: Result, score: str) -> float:
    """1 if the better of two outputs has the higher score, 0.5 if both have the same."""
    scores = {_place(c): c.scores[score] for c in result.candidates if score in c.scores}
    right = int(item["reference"]) - 1
    if len(scores) < 2 or scores[0] == scores[1]:
        return 0.5
    return float(scores[right] > scores[1 - right])


def _place(candidate: Candidate) -> int:
    """Which of the two outputs a candidate is."""
    return 1 if candidate.origin.step == "second" else candidate.origin.index


SETS: Mapping[str, Callable[[Set], Iterator[Line]]] = {
    "gsm8k-zeroeval": zeroeval,
    "gsm8k-openai": openai,
    "gsm8k-routellm": routellm,
    "game24-tot": game24,
    "humaneval-codet": humaneval,
    "math-qwen-rm": math,
    "prime-llmdrift": drift,
    "happy-llmdrift": drift,
    "llmbar-judges": judges,
}


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, path_type=Path), envvar="POLYARCH_RECORDINGS"
)
@click.option("--only", type=click.Choice(list(SETS)), multiple=True, help="These sets alone.")
def main(folder: Path, only: tuple[str, ...]) -> None:
    """Run every pipeline on its set, and print what it gives beside what was published."""
    os.chdir(folder)
    differ: dict[str, int] = defaultdict(int)
    for name in only or SETS:
        for line in SETS[name](Set(name)):
            click.echo(line)
            differ[name] += not line.same
    if sum(differ.values()):
        raise SystemExit(f"{sum(differ.values())} figures differ")


if __name__ == "__main__":
    main()
