"""Every fault of a file is told at once, at its place, with the nearest right name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from polyarch.compiler.build import build, build_file
from polyarch.compiler.errors import Fault, SpecError
from polyarch.compiler.plan import plan
from polyarch.compiler.source import parse


def faults(text: str, folder: Path = Path()) -> tuple[Fault, ...]:
    with pytest.raises(SpecError) as caught:
        plan(build(parse(text, "p.yaml"), folder))
    return caught.value.faults


def file_faults(path: Path) -> tuple[Fault, ...]:
    with pytest.raises(SpecError) as caught:
        plan(build_file(path))
    return caught.value.faults


def pointed(fault: Fault) -> str:
    """What the caret stands under."""
    span = fault.span
    return span.text[span.column - 1 : span.column - 1 + span.width]


TEN = """\
name: ten
modells: {x: scripted/x}
models:
  solver: scripted/abacus
  judge: scriptd/abacus
  fine: {model: scripted/ok, max_tokens: many}
answer: nummber
steps:
  drafts: {op: generat, model: fine}
  more: {op: generate, model: slver, n: 4}
  told: {op: critique, model: solver, from: draft}
  early: {op: verify, model: solver, from: last}
  good: {op: generate, model: solver, n: 4, prompt: "Solve {qestion}"}
  four: {op: generate, model: solver, n: 4}
  weighed: {op: vote, from: four, weight: verify}
  last: {op: vote, from: four}
"""


def test_ten_faults_are_ten_errors() -> None:
    found = [(f.code, f.span.file, f.span.line, f.span.column, pointed(f)) for f in faults(TEN)]
    assert found == [
        ("unknown-key", "p.yaml", 2, 1, "modells"),
        ("unknown-backend", "p.yaml", 5, 10, "scriptd/abacus"),
        ("value", "p.yaml", 6, 42, "many"),
        ("answer-kind", "p.yaml", 7, 9, "nummber"),
        ("unknown-operator", "p.yaml", 9, 16, "generat"),
        ("unknown-model", "p.yaml", 10, 31, "slver"),
        ("unknown-step", "p.yaml", 11, 45, "draft"),
        ("forward", "p.yaml", 12, 44, "last"),
        ("prompt", "p.yaml", 13, 60, "{qestion}"),
        ("flow", "p.yaml", 15, 43, "verify"),
    ]
    hints = [f.hint or f.message for f in faults(TEN)]
    for hint, near in zip(
        hints,
        ("models", "scripted", "", "number", "generate", "solver", "drafts", "", "question", ""),
        strict=True,
    ):
        assert near in hint


def test_the_message_draws_the_line_and_a_caret() -> None:
    with pytest.raises(SpecError) as caught:
        build(parse(TEN, "p.yaml"), Path())
    assert """\
p.yaml:10:31: error[unknown-model]: unknown model 'slver'
  10 |   more: {op: generate, model: slver, n: 4}
     |                               ^^^^^
     = did you mean "solver"?
""" in str(caught.value)
    assert str(caught.value).count("error[") == 10


HEAD = "name: p\nmodels: {m: scripted/x, other: scripted/y}\nanswer: number\nsteps:\n"
FOUR = "  four: {op: generate, model: m, n: 4}\n"
VOTE = "  end: {op: vote, from: four}\n"

# What the steps are, then line, column, code, what the caret shows, and a part of hint or message.
ALONE: dict[str, tuple[str, int, int, str, str, str]] = {
    "operator": ("  a: {op: vot}\n", 5, 11, "unknown-operator", "vot", '"vote"'),
    "no operator": (f"{FOUR}  a: {{n: 3}}\n", 6, 3, "missing", "a", "known: branch"),
    "argument": (
        f"{FOUR}  a: {{op: vote, wieght: x}}\n",
        6,
        17,
        "unknown-key",
        "wieght",
        '"weight"',
    ),
    "type": ("  a: {op: generate, model: m, n: lots}\n", 5, 34, "value", "lots", "n: input"),
    "bound": ("  a: {op: generate, model: m, n: 0}\n", 5, 34, "value", "0", "greater than"),
    "nested type": (
        "  a: {op: ensemble, members: [m, {model: m, n: x}]}\n",
        5,
        48,
        "value",
        "x",
        "valid integer",
    ),
    "step is no mapping": ("  a: 5\n", 5, 6, "value", "5", "valid dictionary"),
    "model": ("  a: {op: generate, model: oter}\n", 5, 28, "unknown-model", "oter", '"other"'),
    "member": (
        "  a: {op: ensemble, members: [oter]}\n",
        5,
        31,
        "unknown-model",
        "oter",
        '"other"',
    ),
    "inline backend": (
        "  a: {op: generate, model: scriptd/x}\n",
        5,
        28,
        "unknown-backend",
        "scriptd/x",
        '"scripted"',
    ),
    "which model": ("  a: {op: generate}\n", 5, 3, "no-model", "a", "name one of: m, other"),
    "from": (f"{FOUR}  a: {{op: vote, from: fuor}}\n", 6, 23, "unknown-step", "fuor", '"four"'),
    "from list": (
        f"{FOUR}  a: {{op: vote, from: [four, fore]}}\n",
        6,
        30,
        "unknown-step",
        "fore",
        '"four"',
    ),
    "from twice": (
        f"{FOUR}  a: {{op: vote, from: [four, four]}}\n",
        6,
        30,
        "duplicate",
        "four",
        "read twice",
    ),
    "from a number": (f"{FOUR}  a: {{op: vote, from: 3}}\n", 6, 23, "type", "3", "the name of"),
    "forward": (
        f"{FOUR}  a: {{op: vote, from: [four, b]}}\n  b: {{op: vote, from: four}}\n",
        6,
        30,
        "forward",
        "b",
        "stands after",
    ),
    "itself": (f"{FOUR}  a: {{op: vote, from: a}}\n", 6, 23, "forward", "a", "itself"),
    "source reads": (
        f"{FOUR}  a: {{op: generate, model: m, from: four}}\n",
        6,
        37,
        "flow",
        "four",
        "question alone",
    ),
    "nothing before": ("  a: {op: vote}\n", 5, 3, "no-input", "a", "no step stands before"),
    "over the question": (
        "  a: {op: fuse, model: m, from: question}\n",
        5,
        33,
        "flow",
        "question",
        "over nothing",
    ),
    "over an empty list": (
        f"{FOUR}  a: {{op: critique, model: m, from: []}}\n",
        6,
        37,
        "flow",
        "[]",
        "over nothing",
    ),
    "name": ("  a-b: {op: generate, model: m}\n", 5, 3, "step-name", "a-b", "plain word"),
    "name taken": ("  input: {op: generate, model: m}\n", 5, 3, "step-name", "input", "is taken"),
    "weight": (
        f"{FOUR}  a: {{op: vote, weight: verify}}\n",
        6,
        25,
        "flow",
        "verify",
        "no score 'verify'",
    ),
    "weight of some": (
        f"{FOUR}  v: {{op: verify, model: m}}\n"
        "  a: {op: vote, weight: verify, from: [v, four]}\n",
        7,
        25,
        "flow",
        "verify",
        "on every candidate",
    ),
    "one candidate": (
        "  one: {op: generate, model: m}\n  a: {op: rank, model: m}\n",
        6,
        3,
        "flow",
        "a",
        "one candidate",
    ),
    "keep": (
        f"{FOUR}  a: {{op: rank, model: m, keep: 5}}\noutput: {{from: a, keep: 5}}\n",
        6,
        33,
        "flow",
        "5",
        "at most 4",
    ),
    "variable": (
        '  a: {op: generate, model: m, prompt: "Solve {question} for {me}"}\n',
        5,
        61,
        "prompt",
        "{me}",
        "known: question",
    ),
    "variable of a member": (
        '  a: {op: ensemble, members: [{model: m, prompt: "So {it}"}]}\n',
        5,
        54,
        "prompt",
        "{it}",
        "known: question",
    ),
    "variable of another method": (
        f'{FOUR}  a: {{op: rank, model: m, prompt: "Which? {{first}}"}}\n',
        6,
        6,
        "value",
        '{op: rank, model: m, prompt: "Which? {first}"}',
        "shown by pairwise",
    ),
    "several come out": (f"{FOUR}", 5, 3, "output", "four", "hold 4 candidates, not 1"),
    "output": (f"{FOUR}{VOTE}output: ned\n", 7, 9, "unknown-step", "ned", '"end"'),
    "output from": (f"{FOUR}{VOTE}output: {{from: en}}\n", 7, 16, "unknown-step", "en", '"end"'),
    "output holds several": (
        f"{FOUR}{VOTE}output: four\n",
        7,
        9,
        "output",
        "four",
        "hold 4 candidates",
    ),
    "output holds fewer": (
        f"{FOUR}output: {{from: four, keep: 9}}\n",
        6,
        28,
        "output",
        "9",
        "never holds more than 4",
    ),
    "duplicate key": (
        f"{FOUR}{VOTE}  four: {{op: generate, model: m}}\n",
        7,
        3,
        "yaml-duplicate-key",
        "four",
        "first given on line 5",
    ),
    "input outside": (
        f"{FOUR}  a: {{op: vote, from: input}}\n",
        6,
        23,
        "input",
        "input",
        "used as a step",
    ),
    "budget": (f"{FOUR}{VOTE}budget: {{cals: 3}}\n", 7, 10, "unknown-key", "cals", '"calls"'),
    "budget bound": (f"{FOUR}{VOTE}budget: {{usd: 0}}\n", 7, 15, "value", "0", "greater than 0"),
    "step budget": (
        "  a: {op: generate, model: m, budget: {cals: 3}}\n",
        5,
        40,
        "unknown-key",
        "cals",
        'did you mean "calls"',
    ),
    "step budget bound": (
        "  a: {op: generate, model: m, budget: {share: 2}}\n",
        5,
        47,
        "value",
        "2",
        "less than or equal to 1",
    ),
    "step budget of another kind": (
        "  a: {op: generate, model: m, budget: 3}\n",
        5,
        39,
        "type",
        "3",
        "a mapping of limits, or a name from `budgets:`",
    ),
    "empty step budget": (
        "  a: {op: generate, model: m, budget: {on_budget: best}}\n",
        5,
        31,
        "budget",
        "budget",
        "it limits nothing",
    ),
    "share of nothing": (
        "  a: {op: generate, model: m, budget: {share: 0.5}}\n",
        5,
        47,
        "budget",
        "0.5",
        "a share of nothing: the pipeline's own `budget:` has no limit",
    ),
    "share too small": (
        "  a: {op: generate, model: m, budget: {share: 0.2}}\nbudget: {calls: 4}\n",
        5,
        47,
        "budget",
        "0.2",
        "a share of 0.2 of 4 calls is none",
    ),
    "budget of a step that asks nobody": (
        f"{FOUR}  a: {{op: vote, budget: {{calls: 3}}}}\n",
        6,
        17,
        "budget",
        "budget",
        "vote asks no model",
    ),
    "unknown shared budget": (
        "  a: {op: generate, model: m, budget: draftng}\n"
        "  b: {op: generate, model: m, budget: drafting}\n"
        "  c: {op: vote, from: [a, b]}\n"
        "budgets: {drafting: {calls: 9}}\n",
        5,
        39,
        "unknown-budget",
        "draftng",
        'did you mean "drafting"?',
    ),
    "no shared budgets": (
        "  a: {op: generate, model: m, budget: drafting}\n",
        5,
        39,
        "unknown-budget",
        "drafting",
        "declare it in `budgets:`",
    ),
    "unused shared budget": (
        "  a: {op: generate, model: m}\nbudgets: {drafting: {calls: 9}}\n",
        6,
        11,
        "unused-budget",
        "drafting",
        "no step has `budget: drafting`",
    ),
    "shared budget named as a step": (
        "  a: {op: generate, model: m, budget: a}\nbudgets: {a: {calls: 9}}\n",
        6,
        11,
        "budget-name",
        "a",
        "a step has that name",
    ),
    "shared budget's key": (
        "  a: {op: generate, model: m, budget: d}\nbudgets: {d: {cals: 9}}\n",
        6,
        15,
        "unknown-key",
        "cals",
        'did you mean "calls"',
    ),
    "version": (f"{FOUR}{VOTE}version: 2\n", 7, 10, "value", "2", "input should be 1"),
    "pipeline": (
        "  a: {op: pipeline, name: self_consistncy}\n",
        5,
        27,
        "unknown-pipeline",
        "self_consistncy",
        '"self_consistency"',
    ),
    "pipeline of nothing": ("  a: {op: pipeline}\n", 5, 3, "missing", "a", "either"),
    "pipeline argument": (
        "  a: {op: pipeline, name: greedy, graph: 5}\n",
        5,
        35,
        "unknown-key",
        "graph",
        "known: budget, file, from, name",
    ),
    "prompt file": (
        "  a: {op: generate, model: m, prompt: {file: nowhere.txt}}\n",
        5,
        46,
        "no-file",
        "nowhere.txt",
        "no file",
    ),
    "a file's name": (
        '  a: {op: pipeline, file: "a\\0b"}\n',
        5,
        27,
        "no-file",
        '"a\\0b"',
        "cannot be the name",
    ),
    "a file's long name": (
        f"  a: {{op: pipeline, file: {'x' * 5000}}}\n",
        5,
        27,
        "no-file",
        "x" * 5000,
        "cannot be the name",
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_each_alone(name: str) -> None:
    steps, line, column, code, shown, told = ALONE[name]
    found = faults(HEAD + steps)
    assert [(f.span.line, f.span.column, f.code, pointed(f)) for f in found] == [
        (line, column, code, shown)
    ]
    assert told in f"{found[0].message} {found[0].hint}"
    assert "^" in str(found[0])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("just words", (1, 1, "type")),
        ("- a\n- b\n", (1, 1, "type")),
        ("name: p\n", (1, 1, "missing")),
        ("name: p\nsteps: {}\n", (2, 8, "value")),
        ("name: p\nsteps: [a]\n", (2, 8, "value")),
        ("name: P!\nmodels: {m: scripted/x}\nsteps: {a: {op: generate}}\n", (1, 7, "value")),
        ("name: p\nmodels: {m: nobackend}\nsteps: {a: {op: generate}}\n", (2, 13, "value")),
        ("name: p\nsteps: {a: {op: generate}}\n", (2, 9, "no-model")),
    ],
)
def test_files_that_are_no_pipelines(text: str, place: tuple[int, int, str]) -> None:
    assert [(f.span.line, f.span.column, f.code) for f in faults(text)] == [place]


def test_a_wrong_step_is_told_once_and_not_by_its_readers() -> None:
    text = HEAD + "  a: 5\n  b: {op: critique, model: m}\n  c: {op: vote, from: [a, b]}\n"
    assert [f.code for f in faults(text)] == ["value"]
    last = HEAD + FOUR + "  c: [5]\n"
    assert [f.code for f in faults(last)] == ["value"]


def test_faults_come_in_the_order_of_the_file() -> None:
    lines = [f.span.line for f in faults(TEN)]
    assert lines == sorted(lines)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def uses(*names: str) -> str:
    steps = "".join(f"  s{i}: {{op: pipeline, file: {n}.yaml}}\n" for i, n in enumerate(names))
    end = f"  end: {{op: vote, from: [{', '.join(f's{i}' for i in range(len(names)))}]}}\n"
    return f"name: p\nanswer: number\nsteps:\n{steps}" + (end if len(names) > 1 else "")


def test_pipelines_that_use_each_other(tmp_path: Path) -> None:
    write(tmp_path, a=uses("b"), b=uses("c"), c=uses("b"), me=uses("me", "me"))
    (fault,) = file_faults(tmp_path / "a.yaml")
    assert fault.code == "cycle"
    assert fault.span.file == str(tmp_path / "c.yaml")
    assert (fault.span.line, fault.span.column) == (4, 3)
    assert fault.message == "a pipeline that holds itself: a.yaml → b.yaml → c.yaml → b.yaml"
    found = file_faults(tmp_path / "me.yaml")
    assert [(f.code, f.span.line) for f in found] == [("cycle", 4), ("cycle", 5)]


def test_the_faults_of_a_file_used_twice_are_told_once(tmp_path: Path) -> None:
    write(tmp_path, a=uses("b", "b"), b="name: b\nsteps: {x: {op: generat}}\n")
    (fault,) = file_faults(tmp_path / "a.yaml")
    assert fault.span.file == str(tmp_path / "b.yaml")
    assert fault.hint == 'did you mean "generate"?'


def test_nesting_is_bounded_and_quick(tmp_path: Path) -> None:
    leaf = "name: p\nanswer: number\nmodels: {m: scripted/x}\nsteps: {a: {op: generate}}\n"
    write(tmp_path, chain30=leaf, twice16=leaf)
    write(tmp_path, **{f"chain{i}": uses(f"chain{i + 1}") for i in range(30)})
    write(tmp_path, **{f"twice{i}": uses(f"twice{i + 1}", f"twice{i + 1}") for i in range(16)})
    started = time.perf_counter()
    assert {f.code for f in file_faults(tmp_path / "chain0.yaml")} == {"too-deep"}
    assert len(plan(build_file(tmp_path / "chain16.yaml")).graph.nodes) == 1
    # 2 ** 16 leaves: refused without building them.
    assert {f.code for f in file_faults(tmp_path / "twice0.yaml")} == {"too-large"}
    assert len(plan(build_file(tmp_path / "twice11.yaml")).graph.nodes) == 2**5 + 2**5 - 1
    assert time.perf_counter() - started < 5


def test_files_stay_within_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write(tmp_path, secret="name: s\nmodels: {m: scripted/x}\nsteps: {a: {op: generate}}\n")
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (inside / "loop.yaml").symlink_to(inside / "loop.yaml")
    (inside / "prompt.txt").write_bytes(b"\xff\xfe")
    cases = {
        "../secret.yaml": "outside",
        str(tmp_path / "secret.yaml"): "outside",
        "link.yaml": "outside",
        "loop.yaml": "no-file",
        "": "no-file",
        ".": "no-file",
        "lnk.yaml": "no-file",
    }
    for name, code in cases.items():
        text = f"{HEAD}  a: {{op: pipeline, file: '{name}'}}\n"
        (fault,) = faults(text, inside)
        assert (fault.code, fault.span.line, fault.span.column) == (code, 5, 27), name
    assert fault.hint == 'did you mean "link.yaml"?'
    prompt = "  a: {{op: generate, model: m, prompt: {{file: {}}}}}\n"
    assert faults(HEAD + prompt.format("../secret.yaml"), inside)[0].code == "outside"
    assert faults(HEAD + prompt.format("link.yaml"), inside)[0].code == "outside"
    assert faults(HEAD + prompt.format("prompt.txt"), inside)[0].code == "encoding"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, verified_vote="name: x\n")
    (fault,) = file_faults(tmp_path / "verifed_vote.yaml")
    assert (fault.code, fault.hint) == ("file-missing", 'did you mean "verified_vote.yaml"?')


def test_hostile_files_are_refused_quickly(tmp_path: Path) -> None:
    bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    bomb += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    (tmp_path / "bomb.yaml").write_text("\n".join(bomb))
    (tmp_path / "deep.yaml").write_text("steps: " + "[" * 100_000)
    (tmp_path / "large.yaml").write_text("a: " + "x" * 10_000_000)
    (tmp_path / "wide.yaml").write_text(
        HEAD + "".join(f"  s{i}: {{op: nothing}}\n" for i in range(3000))
    )
    started = time.perf_counter()
    assert [f.code for f in file_faults(tmp_path / "bomb.yaml")] == ["yaml-size"]
    assert [f.code for f in file_faults(tmp_path / "deep.yaml")] == ["yaml-depth"]
    assert [f.code for f in file_faults(tmp_path / "large.yaml")] == ["yaml-size"]
    assert len(file_faults(tmp_path / "wide.yaml")) == 3000
    assert time.perf_counter() - started < 5


def test_a_prompt_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "ask.txt").write_text("Solve {question}. Use \\frac{a}{b}.")
    text = HEAD + "  a: {op: generate, model: m, prompt: {file: ask.txt}}\n"
    made = plan(build(parse(text), tmp_path))
    assert made.prompts["a"] == ("Solve {question}. Use \\frac{a}{b}.",)
    (tmp_path / "ask.txt").write_text("Solve {qestion}.")
    (fault,) = faults(text, tmp_path)
    assert (fault.code, fault.span.line) == ("prompt", 5)
    assert "question" in fault.hint


SECRETS = {
    "its shape": ("ky: sk-abcdefgh12345678", "ky: *******************"),
    "its name": ("api_key: 0123abcd4567efgh", "api_key: ****************"),
    "the environment": ("ky: plain words", "ky: ***********"),
}


@pytest.mark.parametrize("case", SECRETS)
def test_what_looks_like_a_key_is_masked(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "plain words")
    written, shown = SECRETS[case]
    (fault,) = faults(f"name: x\nmodels: {{m: {{model: scripted/x, {written}, tmp: 1}}}}\n{END}")[
        :1
    ]
    secret = written.split(": ")[1]
    assert secret not in str(fault)
    assert shown in str(fault)


def test_a_key_in_the_wrong_place_is_not_repeated() -> None:
    (fault,) = faults(f"name: x\nmodels: {{m: sk-abcdefgh/12345678}}\n{END}")[:1]
    told = faults(HEAD + "  a: {op: generate, model: sk-abcdefgh12345678}\n")
    assert "abcdefgh" not in f"{fault} {told[0]}"
    assert "unknown model '*******************'" in told[0].message


END = "steps: {a: {op: generate}}\n"


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("{model: scripted/x, shape: {layrs: 3}}", '"layers"'),
        ("{model: scripted/x, shape: {experts: {cuont: 3}}}", '"count"'),
        ("{model: scripted/x, price: {promt: 3}}", '"prompt"'),
        ("{model: scripted/x, temprature: 1}", '"temperature"'),
    ],
)
def test_keys_inside_a_model_get_the_nearest_of_their_own(model: str, hint: str) -> None:
    found = faults(f"name: x\nmodels: {{m: {model}}}\nsteps: {{a: {{op: generate}}}}\n")
    unknown = [fault for fault in found if fault.code == "unknown-key"]
    assert [hint in fault.hint for fault in unknown] == [True]
