"""What coverage fits are worth: the end of the curve foretold from the first draws, beside what the
draws held out show.

    python benchmarks/coverage.py FOLDER… [--fit-on 10,25,50] [--resamples 500]

A FOLDER holds recordings: samples.jsonl.gz with several draws of each question and whether they are
right. Intervals are over questions; the error is of the same resample of them on both sides.
"""

from __future__ import annotations

from pathlib import Path

import click

from polyarch.evaluation.analysis import forecast, gathered, read_draws
from polyarch.evaluation.intervals import Interval


def share(told: Interval) -> str:
    return f"{told.estimate:6.1%} [{100 * told.low:4.1f}, {100 * told.high:4.1f}]"


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--fit-on", default="10,25,50", show_default=True)
@click.option("--resamples", default=500, show_default=True)
def main(folders: tuple[Path, ...], fit_on: str, resamples: int) -> None:
    click.echo(
        f"{'recording':30} {'fit on':>6} {'k':>4} {'fit':14} {'foretold [95%]':22} "
        f"{'held out [95%]':22} error in points [95%]"
    )
    held = total = 0
    for folder in folders:
        for draws in gathered(read_draws(folder)):
            right = [own.tolist() for own in draws.right]
            for count in map(int, fit_on.split(",")):
                told = forecast(right, fit_on=count, k=min(draws.counts), resamples=resamples)
                assert told.seen is not None
                for one in told.predicted:
                    assert one.error is not None
                    error = [100 * value for value in one.error]
                    held, total = held + (error[1] <= 0 <= error[2]), total + 1
                    click.echo(
                        f"{folder.name + ' ' + draws.source:30} {count:6} {told.k:4} {one.fit:14} "
                        f"{share(one.coverage):22} {share(told.seen):22} "
                        f"{error[0]:+5.1f} [{error[1]:+.1f}, {error[2]:+.1f}]"
                    )
    click.echo(f"{held} of {total} intervals of the error hold 0")


if __name__ == "__main__":
    main()
