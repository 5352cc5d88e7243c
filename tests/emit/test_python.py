import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import polyarch
from polyarch.compiled import Compiled, Lock
from polyarch.compiler.emit import EMITTERS
from polyarch.compiler.errors import VersionMismatch
from polyarch.compiler.plan import fingerprints
from polyarch.pipelines import names, path

from .pipelines import ROUGH, VOTE, planned

INNER = """
name: outer
answer: number
budget: {calls: 30}
models: {solver: {model: scripted/x, options: {replies: [{texts: ["4", "5", "4", "5"]}]}}}
steps:
  voted: {op: pipeline, file: inner.yaml}
  more: {op: generate, n: 2}
  answer: {op: vote, from: [voted, more]}
"""
INNER_FILE = """
name: inner
answer: {choice: ["4", "5"]}
budget: {calls: 9}
models: {other: {model: scripted/x, options: {replies: [{texts: ["4", "5", "4"]}]}}}
steps:
  drafts: {op: generate, n: 3}
  answer: {op: vote}
"""


def source(text: str) -> str:
    return EMITTERS["python"](planned(text))


def module(text: str) -> ModuleType:
    made = ModuleType("made")
    exec(compile(text, "made.py", "exec", dont_inherit=True), vars(made))
    return made


def pipeline(text: str) -> Compiled:
    found = module(text).PIPELINE
    assert isinstance(found, Compiled)
    return found


@pytest.fixture
def inner(tmp_path: Path) -> str:
    (tmp_path / "inner.yaml").write_text(INNER_FILE)
    (tmp_path / "outer.yaml").write_text(INNER)
    return EMITTERS["python"](polyarch.load(tmp_path / "outer.yaml").plan)


def test_it_gives_the_same_result_as_its_yaml():
    made = module(source(VOTE))
    with polyarch.loads(VOTE) as pipe:
        written = pipe("2 + 2?", seed=7)
    compiled = made.tiny_vote("2 + 2?", seed=7)
    made.PIPELINE.close()
    assert compiled.canonical() == written.canonical()
    assert compiled.answer == written.answer == "4"
    assert compiled.usage.calls == 6


def test_a_record_a_choice_and_strange_text_come_through():
    with polyarch.loads(ROUGH) as pipe:
        written = pipe({"claim": "Is water wet"}, seed=3)
    compiled = pipeline(source(ROUGH))
    made = compiled({"claim": "Is water wet"}, seed=3)
    compiled.close()
    assert made.canonical() == written.canonical()


def test_a_pipeline_used_as_a_step_keeps_its_answer_and_its_budget(inner: str):
    compiled = pipeline(inner)
    graph = compiled.plan.graph
    assert graph.nodes["voted.drafts"].scope == "voted"
    assert graph.nodes["voted.drafts"].answer.name == "choice"
    assert graph.nodes["answer"].answer.name == "number"
    assert graph.budgets["voted"].calls == 9
    assert str(compiled("q")) == "4"
    compiled.close()


@pytest.mark.parametrize("name", names())
def test_every_pipeline_of_the_library_survives(name: str):
    plan = polyarch.load(path(name)).plan
    text = EMITTERS["python"](plan)
    rebuilt = pipeline(text).plan
    assert str(rebuilt.graph) == str(plan.graph)
    assert rebuilt.costs == plan.costs
    assert EMITTERS["python"](rebuilt) == text
    assert EMITTERS["json"](rebuilt) == EMITTERS["json"](plan)


def test_two_builds_are_byte_equal_wherever_they_are_made(tmp_path: Path):
    texts = []
    for folder in ("one", "two"):
        file = tmp_path / folder / "x.yaml"
        file.parent.mkdir()
        file.write_text(VOTE)
        command = [sys.executable, "-c", "from polyarch.cli import main; main()"]
        command += ["compile", str(file), "--emit", "python"]
        texts.append(subprocess.run(command, capture_output=True, check=True).stdout)
    assert texts[0] == texts[1]
    assert texts[0].decode() == source(VOTE)
    assert str(tmp_path).encode() not in texts[0]


def test_importing_it_imports_nothing_heavy_and_warns_of_nothing(tmp_path: Path):
    (tmp_path / "made.py").write_text(source(ROUGH))
    code = (
        "import sys, json, made;"
        "print(json.dumps([made.PIPELINE.name, repr(made.PIPELINE), sorted(sys.modules)]))"
    )
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{Path(polyarch.__file__).parents[1]}"},
    )  # fmt: skip
    name, shown, modules = json.loads(told.stdout)
    assert name == "rough"
    assert shown == "<compiled pipeline rough: drafts, best>"
    heavy = {"networkx", "pydantic", "yaml", "litellm", "optuna", "torch", "vllm", "numpy", "rich"}
    assert not heavy & set(modules)
    ours = [m for m in modules if m.startswith("polyarch")]
    assert ours == [
        "polyarch",
        "polyarch.compiled",
        "polyarch.compiler",
        "polyarch.compiler.locked",
    ]


def test_the_lock_tells_two_versions_apart():
    one, other = (pipeline(source(text)).lock for text in (VOTE, VOTE.replace("n: 3", "n: 2")))
    assert isinstance(one, Lock)
    assert one.digest == planned(VOTE).digest != other.digest
    assert one.prompts == other.prompts
    assert one.steps["drafts"] != other.steps["drafts"]
    assert one.steps["checked"] == other.steps["checked"]
    assert one.calls == (6, 9)
    assert one.models == {"solver": "scripted/x"}


EDITS = {
    "an argument": ('"n": 3', '"n": 4', "at step 'drafts'"),
    "a chunk": ("chunk=3", "chunk=0", "at step 'drafts'"),
    "an input": ('inputs=("checked",)', 'inputs=("drafts", "checked")', "no score 'verify'"),
    "a model": ('{"model": "scripted/x"', '{"model": "scripted/y"', "at model 'solver'"),
    "a reply": ("answer: 5", "answer: 6", "outside the steps"),
    "a budget": ('"calls": 40', '"calls": 41', "outside the steps"),
    "the answer": ('answer="number"', 'answer="exact"', "at step 'drafts', step 'checked'"),
    "the name": ('name="tiny_vote"', 'name="other"', "outside the steps"),
    "the output": ('output="answer"', 'output="anwser"', "there is no step 'anwser'"),
    "a cycle": ('inputs=("drafts",)', 'inputs=("answer",)', "'answer', which stands after"),
    "an unknown key": ('"n": 3', '"m": 3', "step 'drafts': m: "),
    "a wrong value": ('"n": 3', '"n": 0', "step 'drafts': n: "),
    "an unknown operator": ('op="vote"', 'op="voted"', "wants an operator 'voted'"),
    "an unknown backend": ("scripted/x", "scrypted/x", "wants a backend 'scrypted'"),
    "an unknown answer": ('answer="number"', 'answer="numbr"', 'no answer kind "numbr"'),
    "a wrong budget": ('"calls": 40', '"calls": 0', "budget: calls: "),
    "a score": ('"weight": "verify"', '"weight": "verfy"', "verfy"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_module_does_not_run(edit: str):
    before, after, told = EDITS[edit]
    text = source(VOTE)
    start = text.index("PIPELINE = ")
    body = text[start:]
    if before not in body:
        body = " ".join(body.split()).replace("{ ", "{").split(" def ")[0]
    assert before in body
    compiled = pipeline(text[:start] + body.replace(before, after))
    with pytest.raises(VersionMismatch, match="edited") as raised:
        compiled("q")
    assert told in str(raised.value)
    with pytest.raises(VersionMismatch):
        compiled.plan  # noqa: B018
    compiled.close()


def test_a_newer_format_does_not_run():
    compiled = pipeline(source(VOTE).replace("format=1", "format=2"))
    with pytest.raises(VersionMismatch, match=r"module format 2, .* reads formats up to 1"):
        compiled("q")


def test_another_version_is_named():
    text = source(VOTE).replace(f'polyarch="{polyarch.__version__}"', 'polyarch="9.9"')
    result = pipeline(text)
    assert result.plan.digest == result.lock.digest
    with pytest.raises(VersionMismatch, match=r"compiled by polyarch 9\.9 and this is"):
        _ = pipeline(text.replace('"n": 3', '"n": 4')).plan


async def test_it_is_used_as_a_pipeline_is():
    compiled = pipeline(source(VOTE.replace('"answer: 4"]', '"answer: 4"], cycle: true')))
    assert (await compiled.acall("q", id="a")).question.id == "a"
    assert [r.answer async for r in compiled.amap(["q", "r"], concurrency=1)] == ["4", "4"]
    told = [t async for t in compiled.stream("q")]
    assert str(told[-1]) == "4"
    await compiled.aclose()


def test_it_answers_many():
    compiled = pipeline(source(VOTE))
    assert [r.question.id for r in compiled.map(["q", "r"])] == ["0", "1"]
    compiled.close()


@pytest.mark.parametrize("name", ["class", "step", "compiled", "lambda"])
def test_a_name_that_python_or_the_module_needs(name: str):
    made = module(source(VOTE.replace("tiny_vote", name)))
    assert str(vars(made)[f"{name}_"]("q")) == "4"
    made.PIPELINE.close()


@pytest.mark.parametrize(
    "about", ['"""', 'ends in a "quote"', "a \\N back\\slash", "two\nlines", "", "x " * 90]
)
def test_any_description_makes_a_module(about: str):
    made = module(source(VOTE.replace("Three draws vote.", json.dumps(about))))
    assert made.PIPELINE.source.about == about
    assert made.tiny_vote.__doc__
    assert made.__doc__.startswith("tiny_vote")


@pytest.mark.skipif(not Path(sys.executable).with_name("ruff").exists(), reason="needs ruff")
@pytest.mark.parametrize("text", [VOTE, ROUGH], ids=["vote", "rough"])
def test_it_is_laid_out_as_a_formatter_would(text: str):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff
    told = subprocess.run(
        [ruff, "format", "--isolated", "--diff", "-"],
        input=source(text),
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stdout) == (0, "")


def test_prompts_can_be_read():
    assert "prompt" in source(ROUGH)
    assert "Is it so?\\n" in source(ROUGH)


@pytest.mark.parametrize(("written", "least"), [("drop", 0), ("{min: 2}", 2), ("fail", None)])
def test_what_becomes_of_failures_is_kept(written: str, least: int | None) -> None:
    text = VOTE.replace("op: generate,", f"op: generate, on_failure: {written},")
    assert f"on_failure: {written}" in text
    node = next(iter(pipeline(source(text)).plan.graph.nodes.values()))
    assert node.at_least == least


SHARED = VOTE.replace("op: verify", "op: verify, budget: judging").replace(
    "op: generate,", "op: generate, budget: {share: 0.5, on_budget: best},"
).replace("steps:", "budgets: {judging: {calls: 9, seconds: 5}}\nsteps:")  # fmt: skip


def test_budgets_of_steps_are_kept() -> None:
    graph = pipeline(source(SHARED)).plan.graph
    assert graph.budgets == planned(SHARED).graph.budgets
    assert {name: node.scope for name, node in graph.nodes.items()} == {
        "drafts": "drafts",
        "checked": "judging",
        "answer": "",
    }
    drafts = graph.budgets["drafts"]
    assert (drafts.calls, drafts.tokens, drafts.usd, drafts.on_budget) == (20, 30_000, 0.25, "best")


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [("calls: 9", "calls: 10", {"checked"}), ("share: 0.5", "share: 0.25", {"drafts"})],
)
def test_a_step_has_another_digest_with_another_budget(
    before: str, after: str, changed: set[str]
) -> None:
    one, other = planned(SHARED), planned(SHARED.replace(before, after))
    assert one.digest != other.digest
    prints = fingerprints(one.graph), fingerprints(other.graph)
    assert {name for name in prints[0] if prints[0][name] != prints[1][name]} == changed


def test_an_edited_budget_of_a_step_is_told() -> None:
    edited = source(SHARED).replace('"calls": 9', '"calls": 8')
    with pytest.raises(VersionMismatch, match="at step 'checked'"):
        _ = pipeline(edited).plan
