"""Evaluate pipelines on data."""

from __future__ import annotations

import click

from .completing import pipelines
from .errors import as_json
from .options import allow_keys, allow_unsandboxed

__all__ = ["command", "mapped"]


@click.command("eval")
@click.argument("files", nargs=-1, required=True, metavar="PIPELINE…", shell_complete=pipelines)
@click.option("--data", required=True, help="A file, a folder of recordings, hf:NAME, a benchmark.")
@click.option("--file", metavar="FILE", help="The rows of the benchmark, from a file.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=FIELD",
    help="What the data calls a field: question=problem. Can be repeated.",
)
@click.option("--metric", help="What scores an answer, instead of the data's own.")
@click.option("--sample", type=click.IntRange(min=1), help="Only so many items, drawn by --seed.")
@click.option("--split", help="dev or test; test opens once.")
@click.option("--look-again", is_flag=True, help="Open the test split once more.")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each item."
)
@click.option("--seed", default=0, show_default=True, help="The first seed; decides the sample.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="PIPELINE",
    help="What to compare with; one of the library asks the first pipeline's models, and as often.",
)
@click.option("--slice", "slices", multiple=True, metavar="FIELD", help="Score its values apart.")
@click.option("--out", metavar="JSONL", help="Records, one a line; goes on if interrupted.")
@click.option("--html", metavar="FILE", help="Write the report as one page.")
@click.option(
    "--budget",
    metavar="UNIT=LIMIT,…",
    help="For everything together: calls, tokens, usd, seconds; kept exactly.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Questions under way at once.",
)
@click.option(
    "--cache", "cached", is_flag=True, help="Use the cache of replies: equal draws for all."
)
@click.option(
    "--trace", metavar="FILE", help="Write every event of the pipeline, of which there is one."
)
@click.option(
    "--recorded-time",
    is_flag=True,
    help="Run on a clock of its own: latencies of recordings count, and take no time.",
)
@click.option(
    "--no-candidates", is_flag=True, help="Score results alone, not the draws that they came from."
)
@allow_keys
@allow_unsandboxed
@click.option("--json", is_flag=True, callback=as_json, help="The report, or errors, as JSON.")
def command(
    files: tuple[str, ...],
    data: str,
    file: str | None,
    fields: tuple[str, ...],
    metric: str | None,
    sample: int | None,
    split: str | None,
    look_again: bool,
    seeds: int,
    seed: int,
    baselines: tuple[str, ...],
    slices: tuple[str, ...],
    out: str | None,
    html: str | None,
    budget: str | None,
    concurrency: int,
    cached: bool,
    trace: str | None,
    recorded_time: bool,
    no_candidates: bool,
    keys: tuple[str, ...],
    allow_unsandboxed: bool,
    json: bool,
) -> None:
    """Evaluate pipelines on data: scores, differences, costs, and how sure they are.

    PIPELINE is a file, or the name of a pipeline in the library. All are asked all questions; the
    report says their scores with intervals, the differences question by question, what choosing
    among draws was worth, and the cost of each.

    --data is a .jsonl, .csv or .parquet file, a folder of recordings, hf:NAME[:CONFIG[:SPLIT]] of
    the Hugging Face hub, a named benchmark such as gsm8k, or embedded:COUNT for fresh problems of
    the model that ships with polyarch. Items have id, question, reference
    and, where needed, choices; --field maps other names. --metric is a name, or JSON with options:
    '{"numeric": {"tolerance": 0.1}}'.
    """
    if look_again and split != "test":
        raise click.UsageError("--look-again goes with --split test")
    if trace is not None and len(files) + len(baselines) > 1:
        raise click.UsageError("--trace is of one pipeline; evaluate it by itself")
    from .budget import budget_of
    from .evaluating import Study, run_study

    study = Study(
        files=files,
        data=data,
        file=file,
        fields=mapped(fields),
        metric=metric,
        sample=sample,
        split=split,
        look_again=look_again,
        seeds=tuple(range(seed, seed + seeds)),
        baselines=baselines,
        slices=slices,
        out=out,
        html=html,
        budget=budget_of(budget),
        concurrency=concurrency,
        cached=cached,
        trace=trace,
        recorded_time=recorded_time,
        candidates=not no_candidates,
        keys=keys,
        allow_unsandboxed=allow_unsandboxed,
    )
    run_study(study, json=json)


def mapped(fields: tuple[str, ...]) -> dict[str, str]:
    """What the data calls its fields, by ours. Raises `click.BadParameter`."""
    told: dict[str, str] = {}
    for field in fields:
        name, equals, path = field.partition("=")
        if not equals or not name or not path:
            raise click.BadParameter(f"{field!r} is not NAME=FIELD", param_hint="--field")
        told[name] = path
    return told
