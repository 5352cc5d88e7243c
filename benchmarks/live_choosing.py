"""What ways of choosing are worth on the embedded model, beside votes that cost as many tokens.

    python benchmarks/live_choosing.py [--items 100] [--seed 1] [--only NAME]

Every pipeline answers the same questions. Beside each stands the plurality of as many draws as cost
at least as many tokens, prompts and completions alike, up to 150 draws; the difference is paired,
with a bootstrap over questions. The embedded model's judge is far better than its solver, which is
not so of large models: what pays here need not pay there.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import polyarch
from polyarch import pipelines
from polyarch.backends.embedded.problems import Problem, problems
from polyarch.evaluation.intervals import paired_bootstrap, wilson
from polyarch.runtime.result import Result

FORMS = (
    "greedy",
    "hedged_pool",
    "central_answer",
    "minimum_bayes_risk",
    "sequence_logprob",
    "self_certainty_vote",
    "cot_decoding",
    "cot_synthesis",
    "verified_vote",
    "solve_or_verify",
    "knockout",
    "pairwise_sorting",
    "swiss_ranking",
    "diverse_inference",
)
MOST = 150


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=FORMS, action="append")
    asked = parser.parse_args()
    items = problems("heldout", asked.items, seed=asked.seed)
    drawn = answered(
        polyarch.loads(
            "name: draws\nmodels: {solver: embedded/abacus}\nanswer: number\n"
            f"steps:\n  drafts: {{op: generate, n: {MOST}, temperature: 0.8}}\n"
            f"output: {{from: drafts, keep: {MOST}}}\n"
        ),
        items,
    )
    prompt = fmean(result.usage.prompt_tokens for result in drawn)
    draw = fmean(result.usage.completion_tokens for result in drawn) / MOST
    coverage = fmean(
        any(c.answer and c.answer.text == str(p.answer) for c in r.candidates)
        for p, r in zip(items, drawn, strict=True)
    )
    print(f"{len(items)} questions; any of {MOST} draws right: {coverage:.3f}\n")
    print(
        f"{'pipeline':24} {'right':>6}  {'95%':>11} {'calls':>6} {'tokens':>7}"
        f" {'vote of':>8} {'right':>6} {'difference':>22}"
    )
    for name in asked.only or FORMS:
        results = answered(polyarch.load(pipelines.path(name)), items)
        right = [float(str(r.answer) == str(p.answer)) for p, r in zip(items, results, strict=True)]
        tokens = fmean(result.usage.tokens for result in results)
        votes = min(MOST, max(1, round(-(-(tokens - prompt) // draw))))
        plain = plurality(items, drawn, votes)
        share = wilson(round(sum(right)), len(right))
        apart = paired_bootstrap(right, plain)
        print(
            f"{name:24} {share.estimate:6.3f}  {share.low:.3f}–{share.high:.3f}"
            f" {fmean(r.usage.calls for r in results):6.1f} {tokens:7.0f}"
            f" {votes:8d} {fmean(plain):6.3f}"
            f" {apart.estimate:+7.3f} {apart.low:+.3f} to {apart.high:+.3f}",
            flush=True,
        )


def answered(pipeline: polyarch.Pipeline, items: Sequence[Problem]) -> list[Result]:
    """The results of a pipeline, in the order of the questions."""
    with pipeline as pipe:
        return list(pipe.map([item.question for item in items]))


def plurality(items: Sequence[Problem], drawn: Sequence[Result], draws: int) -> list[float]:
    """Whether the most frequent answer of the first draws is right; of equal ones the earliest."""
    right = []
    for item, result in zip(items, drawn, strict=True):
        texts = [c.answer.text for c in result.candidates[:draws] if c.answer is not None]
        most = Counter(texts).most_common(1)
        right.append(float(bool(most) and most[0][0] == str(item.answer)))
    return right


if __name__ == "__main__":
    main()
