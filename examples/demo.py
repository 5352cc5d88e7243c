"""What a pipeline is worth: one draw, one greedy answer, a vote of 16 and a verified vote of 16 on
the same fresh problems, with the model that ships with polyarch. Runs on a CPU, without a key."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

import polyarch
from polyarch import pipelines
from polyarch.backends.embedded.problems import Problem, problems
from polyarch.evaluation.intervals import paired_bootstrap, wilson

QUESTIONS = 50
SEED = 1
PIPELINES = {
    "one draw": "single",
    "greedy": "greedy",
    "vote of 16": "self_consistency",
    "verified vote": "verified_vote",
}


@dataclass(frozen=True)
class Run:
    """A pipeline's results on all problems."""

    results: Sequence[polyarch.Result]
    right: Sequence[bool]
    seconds: float

    def mean(self, unit: str) -> float:
        """What one question cost on average, in calls or tokens."""
        spent: int = sum(getattr(result.usage, unit) for result in self.results)
        return spent / len(self.results)


def run(console: Console, title: str, name: str, asked: Sequence[Problem]) -> Run:
    """Answer all problems with a pipeline of the library."""
    start = time.perf_counter()
    with polyarch.load(pipelines.path(name)) as pipe:
        coming = pipe.map([problem.question for problem in asked], seed=SEED)
        bar = track(coming, title.ljust(14), len(asked), disable=not console.is_terminal)
        results = list(bar)
    right = [
        result.answer == str(problem.answer) for result, problem in zip(results, asked, strict=True)
    ]
    return Run(results, right, time.perf_counter() - start)


def explain(console: Console, problem: Problem) -> None:
    """Show one question on its way through the verified vote."""
    with polyarch.load(pipelines.path("verified_vote")) as pipe:
        result = pipe(problem.question, seed=SEED)
    best = result.candidates[0]
    console.print(f"{problem.question}\n", style="bold")
    console.print(f"{best.text}\n", highlight=False)
    match best.notes["verdict"]:
        case {"reason": str(reason)}:
            console.print(f"what the judge found: {reason}")
    console.print(f"answers, and how many solutions the judge accepted: {best.notes['votes']}")
    console.print(f"answer {result}; right is {problem.answer}\n")


def gain(one: Run, other: Run) -> tuple[str, str]:
    """How much better a run is on the same problems, in points, and how sure that is."""
    estimate, low, high = paired_bootstrap(one.right, other.right)
    return f"{100 * estimate:+.0f}", f"{100 * low:.0f} to {100 * high:.0f}"


def table(runs: dict[str, Run]) -> Table:
    """All runs side by side."""
    made = Table(title=f"{QUESTIONS} fresh problems, embedded/abacus", box=SIMPLE, pad_edge=False)
    made.add_column("pipeline", no_wrap=True)
    for column in ("right", "95%", "gain", "95%", "calls", "tokens", "time"):
        made.add_column(column, justify="right")
    plain = runs["one draw"]
    for title, one in runs.items():
        share, low, high = wilson(sum(one.right), len(one.right))
        made.add_row(
            title,
            f"{share:.0%}",
            f"{100 * low:.0f} to {100 * high:.0f}",
            *(("", "") if one is plain else gain(one, plain)),
            f"{one.mean('calls'):.0f}",
            f"{one.mean('tokens'):,.0f}",
            f"{one.seconds:.0f} s",
        )
    return made


def main() -> int:
    """Run every pipeline and print what each is worth."""
    console = Console()
    asked = problems("demo", QUESTIONS, SEED)
    try:
        explain(console, asked[0])
        runs = {title: run(console, title, name, asked) for title, name in PIPELINES.items()}
    except polyarch.PolyarchError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    console.print(table(runs))
    console.print("gain: over one draw, paired, in points; calls and tokens: for one question")
    return 0


if __name__ == "__main__":
    sys.exit(main())
