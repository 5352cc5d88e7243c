"""What the rows of benchmarks are brought into before fields are taken from them."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from collections.abc import Callable, Mapping
from hashlib import sha256
from random import Random
from string import ascii_uppercase
from types import MappingProxyType
from typing import Any, TypeAlias

from ...compiler.answers.marks import last_box

__all__ = ["SHAPES", "Fields"]

Fields: TypeAlias = Mapping[str, Any]


def _after_hashes(row: Fields) -> Fields:
    """The reference is what follows the last `####` of the answer."""
    solution, mark, reference = str(row["answer"]).rpartition("####")
    if not mark:
        raise ValueError("the answer holds no ####")
    return {**row, "answer": reference.strip(), "solution": solution.strip()}


def _in_box(row: Fields) -> Fields:
    """The reference is in the last box of the solution, where no answer is given."""
    if row.get("answer") is not None:
        return row
    box = last_box(row["solution"])
    if box is None:
        raise ValueError("the solution holds no box")
    return {**row, "answer": box[1]}


def _letter(row: Fields) -> Fields:
    """The reference is the letter of the place that the answer gives."""
    return {**row, "answer": ascii_uppercase[int(row["answer"])]}


def _shuffled(row: Fields) -> Fields:
    """Right and wrong answers in an order that the question alone decides."""
    right = str(row["Correct Answer"]).strip()
    options = [right, *(str(row[f"Incorrect Answer {n}"]).strip() for n in (1, 2, 3))]
    seed = sha256(str(row["Question"]).encode()).hexdigest()
    order = list(range(len(options)))
    Random(seed).shuffle(order)
    shown = [options[place] for place in order]
    return {**row, "choices": shown, "answer": ascii_uppercase[order.index(0)]}


def _first_turn(row: Fields) -> Fields:
    """The question is the first turn."""
    turns = row.get("turns", row.get("prompt"))
    if not isinstance(turns, list) or not turns:
        raise ValueError("no turns")
    first = turns[0]
    return {**row, "question": first["content"] if isinstance(first, Mapping) else first}


def _targets(row: Fields) -> Fields:
    """The reference is any of the targets; of options, the letter of the target's place."""
    targets = [str(target) for target in row["target"]]
    if row.get("options"):
        return {**row, "answer": ascii_uppercase[int(targets[0])], "choices": list(row["options"])}
    return {**row, "answer": json.dumps(targets, ensure_ascii=False)}


def _contests(row: Fields) -> Fields:
    """All tests of a contest, each what is read and what must be written."""
    groups = [row.get(name) for name in ("public_tests", "private_tests", "generated_tests")]
    tests = [(i, o) for g in groups if g for i, o in zip(g["input"], g["output"], strict=True)]
    kept = {k: v for k, v in row.items() if not k.endswith(("_tests", "solutions"))}
    return {**kept, "inputs": [i for i, _ in tests], "outputs": [o for _, o in tests]}


def _live(row: Fields) -> Fields:
    """The tests of LiveCodeBench: programs that read and write, or calls of a method."""
    tests = [*json.loads(row["public_test_cases"]), *_packed(row["private_test_cases"])]
    kept = {k: v for k, v in row.items() if not k.endswith("_test_cases")}
    pairs = {"inputs": [t["input"] for t in tests], "outputs": [t["output"] for t in tests]}
    if all(test["testtype"] == "stdin" for test in tests):
        return {**kept, **pairs}
    name = json.loads(row["metadata"])["func_name"]
    return {**kept, "tests": [_called(name, t["input"], t["output"]) for t in tests]}


def _packed(text: str) -> list[dict[str, str]]:
    """Tests as text: JSON, or JSON pickled, packed and written in base 64."""
    try:
        told = json.loads(text)
    except ValueError:
        told = json.loads(_Texts(io.BytesIO(zlib.decompress(base64.b64decode(text)))).load())
    return list(told)


class _Texts(pickle.Unpickler):
    """Loads plain values alone: a pickle may name nothing that could be run."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"a pickle that names {module}.{name} is not loaded")


def _called(name: str, given: str, wanted: str) -> str:
    """A test of a method of the class Solution: one JSON value a line is one argument."""
    arguments = [json.loads(line) for line in given.splitlines() if line.strip()]
    told = ", ".join(map(repr, arguments))
    return f"assert Solution().{name}({told}) == {json.loads(wanted)!r}"


def _steps(row: Fields) -> Fields:
    """The reference is the list of all states, the last one included."""
    label = row["label"]
    told = json.loads(label) if isinstance(label, str) else label
    return {**row, "answer": json.dumps([*told["intermediate"], told["final"]])}


SHAPES: Mapping[str, Callable[[Fields], Fields]] = MappingProxyType(
    {
        "after_hashes": _after_hashes,
        "contests": _contests,
        "first_turn": _first_turn,
        "in_box": _in_box,
        "letter": _letter,
        "live": _live,
        "shuffled": _shuffled,
        "steps": _steps,
        "targets": _targets,
    }
)
"""Every shape by the name that a benchmark gives it."""
