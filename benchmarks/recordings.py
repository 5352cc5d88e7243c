"""The figures of recorded sets, computed anew by pipelines that replay them.

    python benchmarks/recordings.py [FOLDER] [--set NAME] [--sandbox] [--json]

FOLDER holds the sets, else the variable POLYARCH_RECORDINGS names it. Each set is evaluated as
`polyarch eval` does, and what comes out is held against the set's `figures.json`, to the rounding
there. Figures of fitted methods, cascades and routers are left out. With --sandbox the programs of
humaneval-codet are run again; else their recorded labels are taken. Exit code 1 if one differs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import polyarch
from polyarch.evaluation.data import Dataset, load_data
from polyarch.evaluation.metrics import pass_at_k
from polyarch.evaluation.record import Judged, Record
from polyarch.evaluation.report.choosing import plurality
from polyarch.evaluation.run import evaluate
from polyarch.runtime import virtual

Figures = dict[str, Any]

_SMALL = 6
"""Models of the smaller ensemble."""


def main() -> int:
    """Compute, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", default=os.environ.get("POLYARCH_RECORDINGS"))
    parser.add_argument("--set", dest="only", choices=SETS, action="append")
    parser.add_argument("--sandbox", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.folder is None:
        parser.error("give the folder of the sets, or POLYARCH_RECORDINGS")
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    wrong = 0
    for name in asked.only or SETS:
        folder = Path(asked.folder) / name
        begun = time.perf_counter()
        found = figures(folder, sandbox=asked.sandbox)
        took = time.perf_counter() - begun
        recorded = json.loads((folder / "figures.json").read_text())["figures"]
        differing = list(differences(found, recorded))
        wrong += len(differing)
        if asked.json:
            print(json.dumps({"set": name, "seconds": took, "figures": found}))
        else:
            print(f"{name}: {count(found)} figures, {len(differing)} differ, {took:.1f} s")
        for line in differing:
            print(f"  {line}", file=sys.stderr)
    return int(wrong > 0)


def figures(folder: Path, *, sandbox: bool = False) -> Figures:
    """The figures of a set, by pipelines."""
    if folder.name == "humaneval-codet":
        return programs(folder, sandbox=sandbox)
    return SETS[folder.name](folder)


def differences(found: Mapping[str, Any], recorded: Mapping[str, Any]) -> Iterator[str]:
    """Where a figure that was found is not the recorded one, to the rounding of the latter."""
    for name, value in found.items():
        wanted = recorded[name]
        if isinstance(value, Mapping):
            yield from (f"{name} / {line}" for line in differences(value, wanted))
        elif isinstance(value, list):
            pairs = zip(value, wanted, strict=True)
            if not all(_agrees(one, other) for one, other in pairs):
                yield f"{name}: {value}, recorded {wanted}"
        elif not _agrees(value, wanted):
            yield f"{name}: {value}, recorded {wanted}"


def _agrees(value: object, wanted: object) -> bool:
    if not isinstance(wanted, float) or not isinstance(value, int | float):
        return value == wanted
    places = len(str(wanted).partition(".")[2])
    # Half a last place either way, for halves are rounded differently by different programs.
    return abs(value - wanted) <= 0.5 * 10.0**-places + 1e-9


def count(found: Mapping[str, Any]) -> int:
    """How many figures there are."""
    return sum(count(v) if isinstance(v, Mapping) else 1 for v in found.values())


# ------------------------------------------------------------------ pipelines


def pipeline(models: Sequence[tuple[str, str]], steps: str, answer: str, **options: Any) -> Any:
    """A pipeline over replayed models, each with its folder."""
    named = {
        f"m{place}": {"model": f"replay/{model}", "options": {"recordings": folder, **options}}
        for place, (model, folder) in enumerate(models)
    }
    text = f"name: replayed\nmodels: {json.dumps(named)}\nanswer: {answer}\nsteps:\n{steps}"
    return polyarch.loads(text)


def one(model: str, folder: Path, answer: str, **options: Any) -> Any:
    """A single draw of a model."""
    return pipeline([(model, str(folder))], "  answer: {op: generate}\n", answer, **options)


def ensemble(models: Sequence[str], folder: Path, answer: str, **options: Any) -> Any:
    """A vote of one draw of each model, in the order given."""
    members = ", ".join(f"{{model: m{place}}}" for place in range(len(models)))
    steps = f"  drafts: {{op: ensemble, members: [{members}]}}\n  answer: {{op: vote}}\n"
    return pipeline([(model, str(folder)) for model in models], steps, answer, **options)


def draws(
    model: str, folder: Path, n: int, answer: str, last: str = "  answer: {op: vote}", **o: Any
) -> Any:
    """A choice among several draws of a model."""
    steps = f"  drafts: {{op: generate, n: {n}}}\n{last}\n"
    return pipeline([(model, str(folder))], steps, answer, **o)


def run(
    pipelines: Mapping[str, Any], data: Dataset, metric: object, *, timed: bool = False
) -> dict[str, tuple[Record, ...]]:
    """The records of each pipeline; on a clock of its own where latencies were recorded."""
    work = evaluate(pipelines, data, metric=metric)  # type: ignore[arg-type]
    done = virtual.run(work) if timed else asyncio.run(work)
    failed = [record for record in done.records if record.error]
    if failed:
        raise SystemExit(f"{failed[0].pipeline}, {failed[0].item}: {failed[0].error}")
    return {name: done.of(name) for name in pipelines}


def accuracy(records: Sequence[Record]) -> float:
    """The mean score of the results."""
    return fmean(record.score or 0.0 for record in records)


def shares(records: Sequence[Record]) -> list[tuple[Judged, ...]]:
    """The draws of every record, those of the first step."""
    return [tuple(c for c in r.candidates if c.step == r.candidates[0].step) for r in records]


def right(drawn: Sequence[Judged]) -> list[float]:
    """The scores of draws."""
    return [draw.score or 0.0 for draw in drawn]


# ---------------------------------------------------------------------- sets


def models_of(folder: Path) -> list[str]:
    """The models of a set, by name."""
    return sorted({str(row["model"]) for row in _rows(folder, "samples")})


def compared(folder: Path, answer: str = "text", metric: str = "exact") -> Figures:
    """One draw each of several models: alone, voting, and the best of them."""
    data, models = load_data(folder), models_of(folder)
    alone = run({m: one(m, folder, answer, show="answer") for m in models}, data, metric)
    together = run({"all": ensemble(models, folder, answer, show="answer")}, data, metric)["all"]
    scores = {model: accuracy(records) for model, records in alone.items()}
    drawn = shares(together)
    best, worst = max(scores, key=lambda m: scores[m]), min(scores, key=lambda m: scores[m])
    return {
        "best_single": [best, scores[best]],
        "worst_single": [worst, scores[worst]],
        "random_pick": fmean(fmean(right(own)) for own in drawn),
        "plurality": fmean(map(plurality, drawn)),
        "oracle": fmean(max(right(own)) for own in drawn),
        "null_answers": sum(not r.parsed for records in alone.values() for r in records),
        "discordant_items": sum(min(right(own)) < max(right(own)) for own in drawn),
        "accuracy": scores,
        "plurality_ties_by_model_name": accuracy(together),
    }


def zeroeval(folder: Path) -> Figures:
    """43 models, and six small ones."""
    found = compared(folder)
    recorded = json.loads((folder / "figures.json").read_text())["figures"]
    small = recorded["six_small_models"]["models"]
    pipes = {"all": ensemble(small, folder, "text", show="answer")}
    records = run(pipes, load_data(folder), "exact")["all"]
    drawn = shares(records)
    found["six_small_models"] = {
        "best": max(found["accuracy"][model] for model in small),
        "plurality": fmean(map(plurality, drawn)),
        "plurality_ties_by_list_order": accuracy(records),
        "oracle": fmean(max(right(own)) for own in drawn),
    }
    return found


def gsm8k_openai(folder: Path) -> Figures:
    """Four models of 2021."""
    found = compared(folder)
    del found["plurality_ties_by_model_name"]
    if (folder / "train.jsonl.gz").exists():
        found["train_rows"] = len(load_data(folder / "train.jsonl.gz"))
    # The rule that read the answers, from the texts: the last line that begins with A:.
    pipes = {m: one(m, folder, "{regex: '(?m)^A:(.*)$'}") for m in models_of(folder)}
    read = run(pipes, load_data(folder), "numeric")
    found["parse_vs_label_disagreements"] = sum(
        round(abs(accuracy(records) - found["accuracy"][model]) * len(records))
        for model, records in read.items()
    )
    return found


def routellm(folder: Path) -> Figures:
    """A weak and a strong model, by the recorded labels and by a fairer reading."""
    data = load_data(folder)
    roles = {row["meta"]["role"]: row["model"] for row in _rows(folder, "samples")}
    pair = ensemble([roles["weak"], roles["strong"]], folder, "text")
    found: Figures = {}
    labels = {"recorded_labels": "correct", "last_decimal_number": "meta.correct_decimal"}
    for name, label in labels.items():
        metric = {"recorded": {"of": str(folder), "label": label}}
        pairs = [right(own) for own in shares(run({"pair": pair}, data, metric)["pair"])]
        found[name] = {
            "weak": fmean(weak for weak, _ in pairs),
            "strong": fmean(strong for _, strong in pairs),
            "oracle_router": fmean(max(own) for own in pairs),
            "needs_strong": fmean(strong > weak for weak, strong in pairs),
            "only_weak_right": fmean(weak > strong for weak, strong in pairs),
        }
    found["accuracy"] = {roles[r]: found["recorded_labels"][r] for r in ("weak", "strong")}
    found["near_duplicates_in_train"] = sum(
        "near_duplicate_in_train" in item.fields for item in data.items
    )
    return found


def drift(folder: Path) -> Figures:
    """Four models with recorded latency, tokens and cost."""
    data, models = load_data(folder), models_of(folder)
    found = compared(folder)
    del found["accuracy"]
    pipes = {m: one(m, folder, "text", show="answer", usd=True, latency=True) for m in models}
    found["per_model"] = {
        model: {
            "accuracy": accuracy(records),
            "mean_latency_s": fmean(r.seconds for r in records),
            "median_latency_s": median(r.seconds for r in records),
            "mean_usd": fmean(r.usage.usd for r in records),
            "mean_completion_tokens": fmean(r.usage.completion_tokens for r in records),
            "null_answers": sum(not r.parsed for r in records),
        }
        for model, records in run(pipes, data, "exact", timed=True).items()
    }
    return found


def programs(folder: Path, *, sandbox: bool = False) -> Figures:
    """A hundred programs a task."""
    data = load_data(folder)
    n = 1 + max(int(row["sample"]) for row in _rows(folder, "samples"))
    everything = "{regex: '(?s)^(.*)$'}"
    labels = {"recorded": {"of": str(folder), "text": "answer"}}
    pipe = draws("codegen-16b", folder, n, everything, show="answer")
    records = run({"all": pipe}, data, "code" if sandbox else labels)["all"]
    passing = [int(sum(right(own))) for own in shares(records)]
    with tempfile.TemporaryDirectory() as work:
        _program_samples(folder, Path(work))
        same = {"recorded": {"of": work, "text": "answer"}}
        pipe = draws("codegen-16b", Path(work), n, everything, show="answer")
        vote = run({"vote": pipe}, data, same)["vote"]
    drawn = shares(vote)
    return {
        **{
            f"pass_at_{k}": fmean(pass_at_k(n, passed, k) for passed in passing)
            for k in (1, 10, 100)
            if k <= n
        },
        "tasks_with_a_correct_program": sum(passed > 0 for passed in passing),
        "exact_text_majority": accuracy(vote),
        "exact_text_plurality_shared_ties": fmean(map(plurality, drawn)),
        "distinct_programs": sum(len({d.group for d in own}) for own in drawn),
    }


def _program_samples(folder: Path, work: Path) -> None:
    """Programs between marks, so that white space around them tells them apart as it does there."""
    with (work / "samples.jsonl").open("w") as out:
        for row in _rows(folder, "samples"):
            out.write(json.dumps({**row, "answer": f"#{row['answer']}#"}) + "\n")


def game24(folder: Path) -> Figures:
    """A hundred draws a puzzle, and the recorded searches as they ran."""
    data = load_data(folder)
    found: Figures = {"accuracy": {}}
    with tempfile.TemporaryDirectory() as work:
        n = _game24_samples(folder, Path(work))
        for model in ("gpt-4:io", "gpt-4:cot"):
            pipe = draws(
                model, Path(work), n, "text", show="answer", usd=True, max_draws=max(1, n // 5)
            )
            records = run({model: pipe}, data, "game24")[model]
            drawn = shares(records)
            found[model] = {
                "mean": fmean(fmean(right(own)) for own in drawn),
                f"any_of_{n}": fmean(max(right(own)) for own in drawn),
                f"plurality_of_{n}": fmean(map(plurality, drawn)),
                "null_answers": sum(d.answer is None for own in drawn for d in own),
                **_spent(records),
            }
            found["accuracy"][model] = found[model]["mean"]
        every = "output: {from: drafts, keep: 5}"
        search = draws("gpt-4:tot-bfs", Path(work), 5, "text", every, usd=True)
        records = run({"tot": search}, data, "game24")["tot"]
        found["gpt-4:tot-bfs"] = {
            "solved_any_of_5": fmean(max(right(own)) for own in shares(records)),
            "mean_of_5": fmean(fmean(right(own)) for own in shares(records)),
            "first_of_5": accuracy(records),
            **_spent(records),
        }
    return found


def _spent(records: Sequence[Record]) -> Figures:
    return {
        "prompt_tokens": sum(r.usage.prompt_tokens for r in records),
        "completion_tokens": sum(r.usage.completion_tokens for r in records),
        "usd": sum(r.usage.usd for r in records),
    }


def _game24_samples(folder: Path, work: Path) -> int:
    """Samples with what their puzzle's requests cost on the first of them, and the last states of
    each search as draws of its model; how many draws a puzzle has."""
    costs = {row["id"]: row["meta"]["usage"] for row in _rows(folder, "items")}
    rows = list(_rows(folder, "samples"))
    for row in rows:
        usage = costs[row["item"]][row["model"]]
        first = row["sample"] == 0
        row["completion_tokens"] = usage["completion_tokens"] if first else 0
        row["usd"] = usage["usd"] if first else 0.0
    for trace in _rows(folder, "traces"):
        for place, text in enumerate(trace["final"]):
            first = place == 0
            rows.append(
                {
                    "item": trace["item"],
                    "model": trace["model"],
                    "sample": place,
                    "text": text,
                    "prompt_tokens": trace["prompt_tokens"] if first else 0,
                    "completion_tokens": trace["completion_tokens"] if first else 0,
                    "usd": trace["usd"] if first else 0.0,
                }
            )
    (work / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return 1 + max(int(row["sample"]) for row in rows)


def rewarded(folder: Path) -> Figures:
    """Eight solutions with a reward model's scores."""
    data, (model,) = load_data(folder), models_of(folder)
    metric = {"recorded": {"of": str(folder), "text": "answer"}}
    vote = draws(model, folder, 8, "text", show="answer")
    records = run({"vote": vote}, data, metric)["vote"]
    drawn = shares(records)
    steps = (
        "  drafts: {op: generate, n: 8}\n  scored: {op: score, model: m0, by: reward}\n"
        "  answer: {op: select, by: reward}\n"
    )
    best = pipeline([(model, str(folder))], steps, "text")
    by_text = {"recorded": {"of": str(folder)}}
    return {
        "plurality": fmean(map(plurality, drawn)),
        "oracle": fmean(max(right(own)) for own in drawn),
        "null_answers": sum(d.answer is None for own in drawn for d in own),
        "discordant_items": sum(min(right(own)) < max(right(own)) for own in drawn),
        "majority_ties_by_sample_order": accuracy(records),
        "best_of_8_by_rm": accuracy(run({"best": best}, data, by_text)["best"]),
        "pass_at_1": fmean(fmean(right(own)) for own in drawn),
    }


def judges(folder: Path) -> Figures:
    """Judges of pairs: the verdicts of each in both orders are two draws of its answer."""
    data = load_data(folder)
    found: Figures = {}
    with tempfile.TemporaryDirectory() as work:
        names = _judge_samples(folder, Path(work))
        pipes = {
            name: ensemble([f"{name}/12", f"{name}/21"], Path(work), "text", show="answer")
            for name in names
        }
        for name, records in run(pipes, data, "exact").items():
            drawn = shares(records)
            # Two verdicts that could not be read count as the same.
            same = [own[0].answer == own[1].answer for own in drawn]
            found[name] = {
                "order12": fmean(own[0].score or 0.0 for own in drawn),
                "order21": fmean(own[1].score or 0.0 for own in drawn),
                "right_in_both": fmean(min(right(own)) for own in drawn),
                "same_winner_in_both": fmean(same),
                "no_verdict": sum(d.answer is None for own in drawn for d in own),
                "agree_else_coin_flip": fmean(fmean(right(own)) for own in drawn),
            }
        vanilla = [f"{n}/{o}" for n in names if n.endswith("/Vanilla") for o in ("12", "21")]
        jury = run({"jury": ensemble(vanilla, Path(work), "text", show="answer")}, data, "exact")
        found["majority_of_six_judges_Vanilla_both_orders"] = fmean(
            map(plurality, shares(jury["jury"]))
        )
    for name, rated in _ratings(folder).items():
        reference = {item.id: item.reference for item in data.items}
        points = [_rated(rated[id], reference[id]) for id in reference]
        found[name] = {"accuracy_ties_half": fmean(points), "ties": points.count(0.5)}
    return found


def _judge_samples(folder: Path, work: Path) -> list[str]:
    """Verdicts as samples: judge, strategy and order are the model."""
    names: dict[str, None] = {}
    with (work / "samples.jsonl").open("w") as out:
        for row in _rows(folder, "judgements"):
            if row["order"] not in ("12", "21"):
                continue
            name = f"{row['judge']}/{row['strategy']}"
            names[name] = None
            winner = None if row["winner"] is None else str(row["winner"])
            sample = {"item": row["item"], "model": f"{name}/{row['order']}", "sample": 0}
            out.write(json.dumps({**sample, "text": row["text"], "answer": winner}) + "\n")
    return sorted(names)


def _ratings(folder: Path) -> dict[str, dict[str, dict[str, float | None]]]:
    rated: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in _rows(folder, "judgements"):
        if row["strategy"] == "Rating":
            own = rated.setdefault(f"{row['judge']}/Rating", {})
            own.setdefault(row["item"], {})[row["order"]] = row["score"]
    return rated


def _rated(scores: Mapping[str, float | None], reference: str) -> float:
    one, other = scores["1"], scores["2"]
    if one == other:
        return 0.5
    return float(one is not None and other is not None and (one > other) == (reference == "1"))


def tasks(folder: Path) -> Figures:
    """Items without recordings."""
    items = load_data(folder).items
    found: Figures = {
        "tasks": dict(Counter(str(item.fields["task"]) for item in items)),
        "metrics": dict(Counter(item.metric for item in items)),
    }
    if folder.name == "llmcompiler-hotpotqa":
        found["yes_no_answers"] = sum(item.reference.lower() in ("yes", "no") for item in items)
        return found
    branches = Counter(str(i.fields["branch"]) for i in items if "branch" in i.fields)
    found["branch"] = dict(branches)
    found["reference_among_choices"] = all(i.reference in i.choices for i in items if i.choices)
    return found


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    packed, plain = folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl"
    with gzip.open(packed, "rt") if packed.exists() else plain.open() as lines:
        yield from map(json.loads, lines)


SETS: dict[str, Callable[[Path], Figures]] = {
    "gsm8k-zeroeval": zeroeval,
    "gsm8k-openai": gsm8k_openai,
    "gsm8k-routellm": routellm,
    "humaneval-codet": programs,
    "game24-tot": game24,
    "math-qwen-rm": rewarded,
    "prime-llmdrift": drift,
    "happy-llmdrift": drift,
    "llmbar-judges": judges,
    "llmcompiler-tasks": tasks,
    "llmcompiler-hotpotqa": tasks,
}
"""What computes the figures of each set."""

if __name__ == "__main__":
    raise SystemExit(main())
