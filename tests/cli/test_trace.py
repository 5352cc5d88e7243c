import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sim import compiled, jitter, simulate, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.cli import cli
from polyarch.runtime.trace.read import read
from polyarch.runtime.trace.write import TraceWriter

TEXT = """\
name: checked_vote
answer: number
models:
  m: {model: scripted/x, max_draws: 1, price: {prompt: 1, completion: 4}}
  j: {model: scripted/y}
steps:
  drafts: {op: generate, model: m, n: 3}
  checked: {op: verify, model: j}
  answer: {op: vote}
"""


def answers(request: Request, draw: Draw) -> str:
    if request.purpose.role == "solve":
        return f"so\nthe answer is {min(draw.index, 1)}"
    return steady(request, draw)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    plan = compiled(TEXT)
    with TraceWriter("t.jsonl", plan) as writer:
        for id in ("q0", "q1"):
            backends = {name: Scripted(answers, latency=jitter(3)) for name in plan.graph.models}
            simulate(plan, backends, id=id, listeners=[writer])
    return tmp_path


def tracing(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["trace", *arguments])


def test_the_tree_shows_steps_candidates_scores_and_costs():
    told = tracing("t.jsonl", "--question", "q1")
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0].startswith("checked_vote  1 question  6 calls  ")
    assert lines[1].startswith("└── What is 2 + 2?  1  ")
    assert lines[1].endswith("id q1")
    steps = [
        line.split()[1] for line in lines if line.startswith("    ├── ") or "answer  vote" in line
    ]
    assert steps[:3] == ["drafts", "checked", "answer"]
    assert any("[1] 1  " in line and "so the answer is 1" in line for line in lines)
    assert any("[1] drafts[1] 1  verify 1" in line for line in lines)
    assert any('votes: [["1", 2], ["0", 1]]' in line for line in lines)
    assert "\x1b" not in told.stdout
    assert max(map(len, lines)) <= 160


def test_long_traces_are_shown_in_part():
    told = tracing("t.jsonl", "--limit", "1").stdout
    assert "… and 1 more (--limit 0 shows all)" in told
    assert "… and 2 more" in told
    assert "id q1" not in told
    assert "more (--limit" not in tracing("t.jsonl", "--limit", "0").stdout


def test_the_sums_are_json():
    told = json.loads(tracing("t.jsonl", "--json").stdout)
    assert told["pipeline"] == "checked_vote"
    assert told["total"]["calls"] == 12
    (first, _) = told["questions"]
    assert (first["id"], first["answers"], first["end"], first["seed"]) == ("q0", ["1"], "ended", 0)
    assert [(s["name"], s["op"], s["calls"], s["candidates"]) for s in first["steps"]] == [
        ("drafts", "generate", 3, 3),
        ("checked", "verify", 3, 3),
        ("answer", "vote", 0, 1),
    ]
    tokens = 3 * (len("so\nthe answer is 1") // 4)
    assert first["steps"][0]["completion_tokens"] == tokens
    prompt = first["steps"][0]["prompt_tokens"]
    assert first["usd"] == pytest.approx((prompt + 4 * tokens) / 1e6)


def test_the_page_is_written():
    told = tracing("t.jsonl", "--html", "t.html")
    assert told.exit_code == 0
    assert told.stdout == ""
    assert Path("t.html").read_text().startswith("<!doctype html>")
    assert told.stderr == f"t.html: {Path('t.html').stat().st_size:,} bytes\n"


def test_a_replay_answers_as_recorded():
    told = tracing("t.jsonl", "--replay")
    assert (told.exit_code, told.stdout) == (0, "q0: 1, as recorded\nq1: 1, as recorded\n")
    (first, _) = (
        json.loads(line) for line in tracing("t.jsonl", "--replay", "--json").stdout.splitlines()
    )
    assert (first["id"], first["answer"], first["recorded"], first["same"]) == (
        "q0",
        "1",
        ["1"],
        True,
    )


def test_an_edit_changes_a_reply_and_the_replay_is_traced():
    right = '{"reason": "so", "verdict": "right"}'
    Path("new.txt").write_text("the answer is 0")
    told = tracing(
        *("t.jsonl", "--question", "q0", "--out", "new.jsonl"),
        *("--edit", "drafts[2]=@new.txt", "--edit", f"checked[2]={right}"),
    )
    assert (told.exit_code, told.stdout) == (0, "q0: 0; recorded was 1\n")
    assert tracing("new.jsonl", "--replay").stdout == "q0: 0, as recorded\n"
    assert read("new.jsonl").header.models == {"m": "scripted/x", "j": "scripted/y"}
    assert read("new.jsonl").header.digest == read("t.jsonl").header.digest


def test_an_edit_that_needs_another_is_an_error():
    told = tracing("t.jsonl", "--question", "q0", "--edit", "drafts[2]=the answer is 0")
    assert told.exit_code == 1
    assert told.stdout == ""
    assert told.stderr == (
        "error: the trace does not hold what the run needs\n"
        "  checked[2:3:0] is asked with another prompt than the recorded one\n"
        "give such a reply with --edit 'STEP[PLACE:ASK:TURN]=TEXT'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["none.jsonl"], 1, "error: none.jsonl: No such file or directory"),
        (["t.jsonl", "--question", "x"], 1, "error: t.jsonl: no question 'x'"),
        (["t.jsonl", "--edit", "drafts"], 1, "error: an edit is written STEP[PLACE]=TEXT"),
        (["t.jsonl", "--edit", "drafts=@no.txt"], 1, "error: no.txt: No such file"),
        (["t.jsonl", "--out", "x"], 2, "--out goes with --replay or --edit"),
        (["t.jsonl", "--html", "x", "--json"], 2, "exclude one another"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], code: int, told: str):
    result = tracing(*arguments)
    assert result.exit_code == code
    assert told in (result.stdout if "--json" in arguments else result.stderr)


def test_a_cut_trace_says_so():
    Path("t.jsonl").write_bytes(Path("t.jsonl").read_bytes()[:-30])
    assert "the file ends in the middle of a line" in tracing("t.jsonl").stdout
    assert json.loads(tracing("t.jsonl", "--json").stdout)["cut"] is True
