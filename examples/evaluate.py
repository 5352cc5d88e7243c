"""Compare two pipelines on a few fresh questions: scores, the difference, what each cost."""

import asyncio

from rich.console import Console

from polyarch.backends.embedded.problems import problems
from polyarch.evaluation.data import Item, dataset
from polyarch.evaluation.report import report
from polyarch.evaluation.report.terminal import show
from polyarch.evaluation.run import evaluate
from polyarch.pipelines import self_consistency, single

asked = problems("held-out", 8, seed=3)
items = [Item(str(n), one.question, str(one.answer)) for n, one in enumerate(asked)]
work = evaluate(
    {"one draw": single, "vote of 16": self_consistency}, dataset("stories", items, "numeric")
)
show(report(asyncio.run(work), baselines=["one draw"]), Console(width=120))
