"""Data: what files hold, fields by other names, splits that never move, and benchmarks."""

from __future__ import annotations

import base64
import doctest
import gzip
import json
import pickle
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.errors import InputError, MissingPackage
from polyarch.compiler.values import Message
from polyarch.evaluation.benchmarks import benchmark, names
from polyarch.evaluation.data import Dataset, load_data, split
from polyarch.evaluation.data.split import part_of
from polyarch.evaluation.metrics import metric

ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "1 + 1?", "reference": "2", "metric": "numeric", "meta": {"level": 1}},
    {"id": "b", "question": "2 + 2?", "reference": 4, "metric": "numeric", "extra": "x"},
]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "items.jsonl", "items.jsonl.gz"])
def test_lines_of_json(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, ROWS)
    data = load_data(tmp_path if name.startswith("items") else path)
    assert [item.reference for item in data.items] == ["2", "4"]
    assert data.items[0].fields == {"level": 1}
    assert data.items[1].fields == {"extra": "x"}
    assert data.items[0].metric == "numeric"


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('\ufeffproblem,gold,kind\n"a, ""quoted""\nquestion",5,easy\nother,6,hard\n')
    data = load_data(path, fields={"question": "problem", "reference": "gold"})
    assert [item.id for item in data.items] == ["rows-00000", "rows-00001"]
    assert data.items[0].question == 'a, "quoted"\nquestion'
    assert data.items[1].fields["kind"] == "hard"
    path.write_text("a,b\n1\n")
    with pytest.raises(InputError, match=r"rows\.csv:2: the header names 2 columns"):
        load_data(path, fields={"question": "a"})


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.parquet"
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        path.write_bytes(b"PAR1")
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS[:1]), path)
        assert load_data(path).items[0].reference == "2"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[data\]'"):
        load_data(path)


def test_the_hub_is_asked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Mapping[str, Any]] = []

    class Hub:
        @staticmethod
        def load_dataset(**given: Any) -> list[dict[str, Any]]:
            asked.append(given)
            if given["path"] == "no/such":
                raise ConnectionError("no route to host\nand more")
            return ROWS

    monkeypatch.setitem(sys.modules, "datasets", Hub)
    assert len(load_data("hf:some/data:config:validation")) == 2
    assert asked[-1] == {"path": "some/data", "name": "config", "split": "validation"}
    with pytest.raises(InputError, match="needs the network: no route to host; or give a local"):
        load_data("hf:no/such")
    assert load_data("gsm8k", split="dev", fields={"reference": "reference"}, **_plain()).items
    assert asked[-1] == {"path": "openai/gsm8k", "name": "main", "split": "train"}
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[hub\]'"):
        load_data("hf:some/data")


def _plain() -> dict[str, Any]:
    for row in ROWS:
        row["answer"] = f"so #### {row['reference']}"
    return {}


def test_what_rows_lack_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", [{"problem": "?"}])
    with pytest.raises(InputError, match=r"rows\.jsonl:1: no question; name its field"):
        load_data(path)
    with pytest.raises(InputError, match='did you mean "problem"'):
        load_data(path, fields={"question": "problm"})
    path.write_text("[1]\n")
    with pytest.raises(InputError, match="a row is an object"):
        load_data(path)
    path.write_text("{\n")
    with pytest.raises(InputError, match=r"rows\.jsonl:1: not JSON"):
        load_data(path)
    with pytest.raises(InputError, match='did you mean "gsm8k"'):
        load_data("gsm8")
    (tmp_path / "rows.txt").write_text("")
    with pytest.raises(InputError, match=r"data is \.jsonl"):
        load_data(tmp_path / "rows.txt")


def test_questions_are_texts_chats_or_records(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": {"a": 1, "b": 2}},
        {
            "id": "2",
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        },
    ]
    record, chat = load_data(written(tmp_path / "rows.jsonl", rows)).items
    assert record.question == {"a": 1, "b": 2}
    assert chat.question == (Message("system", "s"), Message("user", "u"))
    assert chat.text == "u"


def test_a_template_is_filled_from_the_row(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", [{"a": "x", "b": {"c": [7]}, "q": "{a}?"}])
    data = load_data(path, fields={"question": "{q} of {a}", "reference": "b.c.0"})
    assert data.items[0].question == "{a}? of x" or data.items[0].question == "x? of x"
    assert data.items[0].reference == "7"


def test_parts_never_move() -> None:
    assert doctest.testmod(split).failed == 0
    parts = [part_of(f"item-{n}") for n in range(2_000)]
    assert 900 < parts.count("dev") < 1_100


def many(tmp_path: Path, count: int) -> Path:
    rows = [{"id": f"i{n}", "question": "?", "reference": "1"} for n in range(count)]
    return written(tmp_path / "many.jsonl", rows)


def test_splits_and_samples(tmp_path: Path) -> None:
    path = many(tmp_path, 200)
    dev, test = load_data(path, split="dev"), load_data(path, split="test")
    assert {i.id for i in dev.items} | {i.id for i in test.items} == {f"i{n}" for n in range(200)}
    assert not {i.id for i in dev.items} & {i.id for i in test.items}
    assert [i.id for i in load_data(path, split="search").items] == [i.id for i in dev.items]
    small, large = (load_data(path, sample=n, seed=3) for n in (10, 20))
    assert {i.id for i in small.items} <= {i.id for i in large.items}
    assert len(small) == 10
    assert load_data(path, sample=10, seed=4).fingerprint != small.fingerprint
    assert load_data(path, sample=10, seed=3).fingerprint == small.fingerprint
    assert len(load_data(path, sample=999)) == 200
    with pytest.raises(InputError, match="no split 'tset'"):
        load_data(path, split="tset")


LIVE = {
    "question_id": "x",
    "question_content": "Add.",
    "starter_code": "class Solution: ...",
    "public_test_cases": json.dumps([{"input": "1\n2", "output": "3", "testtype": "functional"}]),
    "private_test_cases": base64.b64encode(
        zlib.compress(
            pickle.dumps(json.dumps([{"input": "2\n2", "output": "4", "testtype": "functional"}]))
        )
    ).decode(),
    "metadata": json.dumps({"func_name": "add"}),
}
SAMPLES: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "aime": ({"id": 1, "problem": "?", "answer": "073"}, "?", "073"),
    "alpaca_eval": ({"instruction": "Do.", "output": "Done."}, "Do.", ""),
    "arena_hard": ({"question_id": "q", "turns": [{"content": "Do."}]}, "Do.", ""),
    "code_contests": (
        {
            "name": "n",
            "description": "Add.",
            "public_tests": {"input": ["1 2"], "output": ["3"]},
            "private_tests": {"input": ["2 2"], "output": ["4"]},
            "generated_tests": {"input": [], "output": []},
        },
        "Add.",
        "",
    ),
    "gpqa": (
        {
            "Record ID": "r",
            "Question": "Why?",
            "Correct Answer": "So",
            **{f"Incorrect Answer {n}": f"no {n}" for n in (1, 2, 3)},
        },
        "So",
        "",
    ),
    "gsm8k": ({"question": "1 + 1?", "answer": "It is 2.\n#### 2"}, "1 + 1?", "2"),
    "humaneval": (
        {
            "task_id": "t/0",
            "prompt": "def f():\n",
            "canonical_solution": "    return 1\n",
            "test": "def check(f): assert f() == 1",
            "entry_point": "f",
        },
        "def f():",
        "    return 1\n",
    ),
    "ifeval": (
        {
            "key": 1,
            "prompt": "Say.",
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{}],
        },
        "Say.",
        "",
    ),
    "livecodebench": (LIVE, "Add.", ""),
    "math": ({"unique_id": "u", "problem": "?", "solution": r"\boxed{3}"}, "?", "3"),
    "mbpp": (
        {"task_id": 1, "text": "Add.", "code": "def f(): ...", "test_list": ["assert f() == 1"]},
        "assert f() == 1",
        "def f(): ...",
    ),
    "minif2f": (
        {"formal_statement": "theorem t : 1 = 1 := by", "header": "import Mathlib"},
        "theorem",
        "",
    ),
    "mixeval": ({"prompt": "Who?", "context": "", "target": ["A", "B"]}, "Who?", '["A", "B"]'),
    "mixeval_hard": (
        {"prompt": "Who?", "context": "", "target": ["1"], "options": ["x", "y"]},
        "B. y",
        "B",
    ),
    "mmlu": ({"question": "?", "choices": ["w", "x", "y", "z"], "answer": 2}, "C. y", "C"),
    "mmlu_pro": (
        {"question_id": 5, "question": "?", "options": ["w", "x"], "answer": "B"},
        "B. x",
        "B",
    ),
    "mt_bench": ({"prompt_id": 1, "prompt": ["First.", "Second."]}, "First.", ""),
    "procbench": (
        {"problem_name": "p", "prompt": "Sort.", "label": {"intermediate": ["ba"], "final": "ab"}},
        "Sort.",
        '["ba", "ab"]',
    ),
}


def loaded(name: str, tmp_path: Path, row: dict[str, Any]) -> Dataset:
    return load_data(name, file=written(tmp_path / "local.jsonl", [row]))


@pytest.mark.parametrize("name", names())
def test_a_benchmark_reads_rows_of_its_shape(name: str, tmp_path: Path) -> None:
    told = benchmark(name)
    assert told.name == name
    answer_kind(told.answer)
    assert metric(told.metric).name
    row, shown, reference = SAMPLES[name]
    (item,) = loaded(name, tmp_path, row).items
    assert shown in item.text
    if reference:
        assert item.reference == reference
    with pytest.raises(InputError):
        loaded(name, tmp_path, {"nothing": 1})


def test_tests_of_contests_are_gathered(tmp_path: Path) -> None:
    (item,) = loaded("code_contests", tmp_path, SAMPLES["code_contests"][0]).items
    assert item.fields["inputs"] == ["1 2", "2 2"]
    (item,) = loaded("livecodebench", tmp_path, LIVE).items
    assert item.fields["tests"] == [
        "assert Solution().add(1, 2) == 3",
        "assert Solution().add(2, 2) == 4",
    ]


def test_a_pickle_that_runs_something_is_not_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("run",)

    packed = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    with pytest.raises(InputError, match="is not loaded"):
        loaded("livecodebench", tmp_path, {**LIVE, "private_test_cases": packed})


def test_shuffled_choices_hold_the_right_one(tmp_path: Path) -> None:
    letters = set()
    for number in range(12):
        row = {**SAMPLES["gpqa"][0], "Question": f"Why {number}?"}
        (item,) = loaded("gpqa", tmp_path, row).items
        assert item.choices["ABCD".index(item.reference)] == "So"
        letters.add(item.reference)
    assert len(letters) > 1


def test_problems_of_the_embedded_model_are_fresh_and_the_same_for_a_seed() -> None:
    made = load_data("embedded:4")
    assert [item.id for item in made.items] == [f"abacus-0-{place}" for place in range(4)]
    assert made.metric == "numeric"
    assert made.fingerprint == load_data("embedded:4:0").fingerprint
    assert made.fingerprint != load_data("embedded:4:1").fingerprint
    with pytest.raises(InputError, match="a number of problems is meant"):
        load_data("embedded:many")
