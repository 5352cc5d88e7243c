"""Answer a question, or a file of questions, with a pipeline."""

from __future__ import annotations

import click

from .completing import files, pipelines
from .errors import as_json
from .options import allow_keys, allow_tools, allow_unsandboxed

__all__ = ["command"]


@click.command("run")
@click.argument("file", shell_complete=pipelines)
@click.argument("question", required=False)
@click.option(
    "--in",
    "source",
    metavar="JSONL",
    shell_complete=files,
    help="Questions, one a line; - is standard input.",
)
@click.option(
    "--out",
    metavar="JSONL",
    shell_complete=files,
    help="Where answers go, one a line. [default: -]",
)
@click.option("--seed", default=0, show_default=True, help="Decides every random choice.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Questions under way at once.",
)
@click.option("--cache", "cached", is_flag=True, help="Use the cache of replies, and add to it.")
@click.option(
    "--trace",
    metavar="FILE",
    shell_complete=files,
    help="Write every event to a file as it happens.",
)
@click.option(
    "--budget",
    metavar="UNIT=LIMIT,…",
    help="For all questions of --in together: calls, tokens, usd, seconds; on_budget=best|fail.",
)
@allow_tools
@allow_unsandboxed
@click.option(
    "--keep-going",
    is_flag=True,
    help="Go on with the questions of --in after one that fails; its line holds the error.",
)
@click.option(
    "--overwrite", is_flag=True, help="Write --out anew where it is finished, or something else."
)
@allow_keys
@click.option("--json", is_flag=True, callback=as_json, help="The record, or errors, as JSON.")
def command(
    file: str,
    question: str | None,
    source: str | None,
    out: str | None,
    seed: int,
    concurrency: int,
    cached: bool,
    trace: str | None,
    budget: str | None,
    allowed: tuple[str, ...],
    allow_unsandboxed: bool,
    keep_going: bool,
    overwrite: bool,
    keys: tuple[str, ...],
    json: bool,
) -> None:
    """Answer a question, or a file of questions, with a pipeline.

    FILE is a pipeline file, or the name of a pipeline in the library. QUESTION is a text; for a
    pipeline that asks for a record or a chat, JSON. With -v, candidates, usage and steps are shown,
    too.

    With --in, every line is JSON: {"id": …, "question": …}, {"id": …, "messages": […]}, a record
    with the pipeline's fields, a chat, or a text. Each answer is written as soon as it and all
    before it are there, as one line, in the order of the questions. From file to file, a run that
    was interrupted, however that was, goes on where it stopped when it is started again: what had
    arrived is not asked for a second time, and questions that failed are.
    """
    if (question is None) == (source is None):
        raise click.UsageError("give either a QUESTION or --in")
    if source is None and (out is not None or budget is not None or keep_going or overwrite):
        raise click.UsageError("--out, --budget, --keep-going and --overwrite go with --in")
    from .answer import Once, answer, answer_file
    from .batch import Batch
    from .budget import budget_of

    if source is not None:
        limits = budget_of(budget)
        batch = Batch(
            source,
            out or "-",
            seed,
            concurrency,
            cached,
            trace,
            limits,
            allowed,
            keys,
            keep_going,
            overwrite,
            allow_unsandboxed,
        )
        answer_file(file, batch)
    else:
        once = Once(question or "", seed, cached, trace, allowed, keys, allow_unsandboxed)
        answer(file, once, json)
