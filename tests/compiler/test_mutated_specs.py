"""However a pipeline file is damaged, it compiles or is refused with places, nothing else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from polyarch.compiler.build import build
from polyarch.compiler.errors import SpecError
from polyarch.compiler.plan import plan
from polyarch.compiler.source import parse

BASES = [
    """\
name: verified_vote
about: Sample, check, vote.
models:
  solver: {model: scripted/abacus, temperature: 0.7, price: {prompt: 1, completion: 2}}
  judge: {model: scripted/judge, max_tokens: 99, stop: [END], options: {draws: 4}}
answer: number
budget: {calls: 400, tokens: 600_000, usd: 1.5, seconds: 30}
budgets: {judging: {share: 0.5, on_budget: best}}
steps:
  drafts: {op: generate, model: solver, n: 16, temperature: 0.8, budget: {calls: 40, usd: 1}}
  checked: {op: verify, model: judge, votes: 2, budget: judging}
  answer: {op: vote, weight: verify, stop_at: 0.95}
""",
    """\
version: 1
name: layers
source: somebody, 2024
question: {kind: record, fields: [text, unit], text: "{text} ({unit})"}
models: {a: scripted/a, b: scripted/b}
answer: {choice: [A, B, C, D]}
steps:
  drafts:
    op: ensemble
    members:
      - a
      - {model: b, n: 3, prompt: "Solve {question} in {unit}."}
    n: 2
  told: {op: critique, model: a, prompt: "Judge {candidate} for {question}"}
  best: {op: rank, model: b, keep: 3, method: pairwise, orders: 1}
  fused: {op: fuse, model: a, from: [best, drafts], n: 2}
output: {from: fused, keep: 2}
""",
    """\
name: nested
models: {m: scripted/m}
answer: {regex: "is (.*)"}
steps:
  one: {op: pipeline, file: inner.yaml}
  two: {op: pipeline, file: inner.yaml}
  own: {op: generate, model: scripted/other, prompt: {file: prompt.txt}}
  polished: {op: pipeline, file: polish.yaml, from: [one, two, own]}
  answer: {op: select, by: first, otherwise: first}
""",
]

INNER = """\
name: inner
models: {w: scripted/w}
answer: text
budget: {calls: 12}
steps:
  drafts: {op: generate, n: 5}
  answer: {op: vote, stop_at: exact, ahead: 2}
"""

POLISH = """\
name: polish
models: {w: scripted/w}
steps:
  told: {op: critique_all, from: input}
  new: {op: refine}
output: {from: new, keep: 64}
"""

JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    3,
    10**30,
    0.5,
    float("inf"),
    float("nan"),
    "",
    "m",
    "scripted/x",
    "nobody/x",
    "question",
    "input",
    "drafts",
    "answer",
    "{question}",
    "{x}",
    "../x",
    "\0",
    "a" * 300,
    "é\U0001f600\u2028",
    [],
    {},
    [1, "a", None],
    {"a": 1},
    {"file": "prompt.txt"},
    {"file": "../../etc/passwd"},
    {"op": "vote"},
    {"choice": 4},
    {"regex": "("},
    "self_consistency",
    "generate",
    "pipeline",
    "verify",
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree: what holds it, and its key."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += places(inner)
    return found


def damage_tree(dice: Random, tree: Any) -> None:
    holder, key = dice.choice(places(tree))
    match dice.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = dice.choice(JUNK)
        case 2 if isinstance(holder, dict):
            holder[dice.choice([*holder, "x", "from", "op", key + "s"])] = holder.pop(key)
        case 3 if isinstance(holder, dict):
            holder[dice.choice(["extra", "model", "n", "from", "prompt"])] = dice.choice(JUNK)
        case 4:
            other, place = dice.choice(places(tree))
            if holder is not other:
                holder[key] = other[place] if not isinstance(other[place], dict | list) else []
        case _ if isinstance(holder, dict):
            items = list(holder.items())
            dice.shuffle(items)
            holder.clear()
            holder.update(items)


def damage_text(dice: Random, text: str) -> str:
    at = dice.randrange(len(text))
    lines = text.split("\n")
    match dice.randrange(7):
        case 0:
            return text[:at]
        case 1:
            dice.shuffle(lines)
        case 2:
            lines.insert(dice.randrange(len(lines)), dice.choice(lines))
        case 3:
            del lines[dice.randrange(len(lines))]
        case 4:
            return text[:at] + chr(dice.randrange(0x3000)) + text[at:]
        case 5:
            return (
                text[:at]
                + dice.choice(["{", "}", "[", "]", ": ", "&a ", "*a", "\t", "'", "|"])
                + text[at:]
            )
        case _:
            return text[:at] + text[at + dice.randrange(9) :]
    return "\n".join(lines)


def damaged(dice: Random) -> str:
    text = dice.choice(BASES)
    if dice.random() < 0.7:
        tree = yaml.load(text, Loader=yaml.CSafeLoader)
        for _ in range(dice.randint(1, 3)):
            if places(tree):
                damage_tree(dice, tree)
        text = yaml.dump(
            tree,
            Dumper=yaml.CSafeDumper,
            sort_keys=False,
            default_flow_style=dice.choice([None, True]),
        )
    for _ in range(dice.choice([0, 0, 0, 1, 2])):
        text = damage_text(dice, text) or "x"
    return text


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    folder: Path = tmp_path_factory.mktemp("specs")
    (folder / "inner.yaml").write_text(INNER)
    (folder / "polish.yaml").write_text(POLISH)
    (folder / "prompt.txt").write_text("Solve {question}.")

    def compile_(text: str) -> None:
        plan(build(parse(text, "spec.yaml"), folder))

    return compile_


@pytest.mark.parametrize("base", range(len(BASES)))
def test_the_bases_compile(base: int, compiled: Callable[[str], None]) -> None:
    compiled(BASES[base])
    compiled(yaml.safe_dump(yaml.load(BASES[base], Loader=yaml.CSafeLoader), sort_keys=False))


def test_damaged_files_compile_or_are_refused(compiled: Callable[[str], None]) -> None:
    started = time.process_time()
    outcomes: Counter[str] = Counter()
    for case in range(5000):
        text = damaged(Random(case))
        try:
            compiled(text)
        except SpecError as error:
            assert error.faults, (case, text)
            for fault in error.faults:
                outcomes[fault.code] += 1
                span = fault.span
                assert fault.message, (case, text)
                assert span.line >= 1, (case, text)
                assert span.width >= 1, (case, text)
                assert 1 <= span.column <= len(span.text) + 1, (case, text, fault)
                assert "^" in str(fault)
        except Exception as error:
            raise AssertionError(f"case {case}: {error!r}\n{text}") from error
        else:
            outcomes["compiled"] += 1
    assert outcomes["compiled"] > 200
    assert len(outcomes) > 20
    assert time.process_time() - started < 40
