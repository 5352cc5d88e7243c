"""A batch taken up again, and its budget."""

import json
from collections.abc import AsyncGenerator
from functools import partialmethod
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import polyarch
from polyarch.backends.base import Piece, Request
from polyarch.backends.scripted import Scripted
from polyarch.cli import cli
from polyarch.compiler.errors import StepFailed

PIPELINE = """\
name: p
answer: number
models:
  m:
    model: scripted/x
    max_tokens: 8
    options:
      replies:
        - {contains: boom, fault: bad-request}
        - {texts: ["4", "5", "4"]}
steps:
  drafts: {op: generate, n: 3}
  answer: {op: vote}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    lines = [json.dumps({"id": f"q{i}", "question": f"What is {i}?"}) for i in range(10)]
    (tmp_path / "q.jsonl").write_text("\n".join(lines) + "\n")
    broken = [*lines[:6], json.dumps({"id": "q6", "question": "boom"}), *lines[7:]]
    (tmp_path / "broken.jsonl").write_text("\n".join(broken) + "\n")
    return tmp_path


def batch(folder: Path, questions: str = "q.jsonl", *arguments: str) -> Result:
    paths = [str(folder / name) for name in ("p.yaml", questions, "a.jsonl")]
    given = ["run", paths[0], "--in", paths[1], "--out", paths[2], "--concurrency", "1"]
    return CliRunner().invoke(cli, [*given, *arguments])


def answers(folder: Path) -> list[str]:
    lines = (folder / "a.jsonl").read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    return [json.loads(line)["id"] for line in lines]


def test_it_goes_on_where_it_stopped(folder: Path) -> None:
    first = batch(folder, "broken.jsonl")
    assert first.exit_code == 1
    assert answers(folder) == [f"q{i}" for i in range(6)]
    kept = (folder / "a.jsonl").read_bytes()
    (folder / "a.jsonl").write_bytes(kept + b'{"id": "q6", "ans')
    again = batch(folder, "broken.jsonl")
    assert again.exit_code == 1
    assert "going on after 6 of 10 answers" in again.stderr
    assert (folder / "a.jsonl").read_bytes() == kept


def test_the_journal_of_another_batch_is_not_touched(folder: Path) -> None:
    batch(folder, "broken.jsonl")
    other = batch(folder, "q.jsonl")
    assert other.exit_code == 1
    assert "is left from another pipeline, seed or file of questions" in other.stderr
    assert len(answers(folder)) == 6
    (journal,) = folder.glob(".a.jsonl.*.journal")
    journal.unlink()
    assert batch(folder, "q.jsonl").exit_code == 0
    assert answers(folder) == [f"q{i}" for i in range(10)]


def test_nothing_is_left_of_a_batch_that_ended(folder: Path) -> None:
    (folder / "a.jsonl").write_text("old\n")
    assert batch(folder).exit_code == 0
    assert answers(folder) == [f"q{i}" for i in range(10)]
    names = {path.name for path in folder.iterdir()}
    assert names == {"p.yaml", "q.jsonl", "broken.jsonl", "a.jsonl"}


def usage(folder: Path) -> int:
    lines = (folder / "a.jsonl").read_text().splitlines()
    return sum(json.loads(line)["usage"]["calls"] for line in lines)


def test_the_budget_of_a_batch(folder: Path) -> None:
    told = batch(folder, "q.jsonl", "--budget", "tokens=70, on_budget=best")
    assert told.exit_code == 0, told.output
    lines = [json.loads(line) for line in (folder / "a.jsonl").read_text().splitlines()]
    assert len(lines) == 10
    spent = sum(r["usage"]["prompt_tokens"] + r["usage"]["completion_tokens"] for r in lines)
    assert 0 < spent <= 70
    assert "the batch" in lines[-1]["stopped"]
    assert lines[0]["stopped"] == ""


def test_a_batch_may_fail_at_its_budget_and_go_on_with_a_larger_one(folder: Path) -> None:
    short = batch(folder, "q.jsonl", "--budget", "tokens=70")
    assert short.exit_code == 1
    assert "the batch: the next request may need" in short.stderr
    done = len(answers(folder))
    assert 0 < done < 10
    again = batch(folder, "q.jsonl", "--budget", "tokens=70")
    # What the first half cost still counts.
    assert again.exit_code == 1
    assert len(answers(folder)) == done
    assert batch(folder, "q.jsonl", "--budget", "tokens=60_000").exit_code == 0
    assert len(answers(folder)) == 10


def test_a_budget_that_cannot_do_is_refused(folder: Path) -> None:
    told = batch(folder, "q.jsonl", "--budget", "calls=29")
    assert told.exit_code == 1
    assert "10 questions need at least 30 calls, 3 each" in told.stderr
    assert not (folder / "a.jsonl").exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("cals=3", 'did you mean "calls"?'),
        ("calls", "is not UNIT=LIMIT"),
        ("calls=x", "calls: "),
        ("on_budget=maybe", "on_budget: "),
    ],
)
def test_a_misspelt_budget(folder: Path, wrong: str, told: str) -> None:
    result = batch(folder, "q.jsonl", "--budget", wrong)
    assert result.exit_code == 2
    assert told in result.stderr


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "a.jsonl").read_text().splitlines()]


def test_a_batch_keeps_going_after_a_question_that_fails(folder: Path) -> None:
    told = batch(folder, "broken.jsonl", "--keep-going")
    assert told.exit_code == 1
    assert "1 question failed; the same command asks them again" in told.stderr
    assert answers(folder) == [f"q{i}" for i in range(10)]
    failed = lines(folder)[6]
    assert failed["answer"] is None
    assert failed["candidates"] == []
    error = failed["error"]
    assert isinstance(error, dict)
    assert error["code"] == "step-failed"
    assert str(error["message"]).startswith("step 'drafts' failed: ")
    assert ["error" in line for line in lines(folder)].count(True) == 1


def test_what_failed_is_asked_again_and_the_rest_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeatable = partialmethod(Scripted.__init__, repeatable=True)
    monkeypatch.setattr(Scripted, "__init__", repeatable)
    batch(folder, "broken.jsonl", "--keep-going")
    first = lines(folder)
    asked: list[str] = []
    real = Scripted.generate

    def generate(self: Scripted, request: Request) -> AsyncGenerator[Piece, None]:
        asked.append(request.question)
        return real(self, request)

    monkeypatch.setattr(Scripted, "generate", generate)
    again = batch(folder, "broken.jsonl", "--keep-going")
    assert again.exit_code == 1
    assert "going on after 6 of 10 answers" in again.stderr
    assert asked == ["q6"]
    timeless = [[{**line, "timing": 0} for line in all] for all in (first, lines(folder))]
    assert timeless[0] == timeless[1]


def test_a_batch_that_keeps_going_and_answers_all_is_a_batch(folder: Path) -> None:
    assert batch(folder, "q.jsonl", "--keep-going").exit_code == 0
    assert not list(folder.glob(".a.jsonl.*"))


def test_the_spent_budget_of_a_batch_ends_it_all_the_same(folder: Path) -> None:
    told = batch(folder, "q.jsonl", "--keep-going", "--budget", "tokens=70")
    assert told.exit_code == 1
    assert "the batch: the next request may need" in told.stderr
    assert 0 < len(answers(folder)) < 10
    assert not any("error" in line for line in lines(folder))


def test_keep_going_is_for_files(folder: Path) -> None:
    told = CliRunner().invoke(cli, ["run", str(folder / "p.yaml"), "q", "--keep-going"])
    assert told.exit_code == 2
    assert "--keep-going go with --in" in told.stderr


def test_map_skips_what_fails(folder: Path) -> None:
    with polyarch.load(folder / "p.yaml") as pipe:
        results = list(pipe.map(["one", "boom", "two"], on_error="skip"))
        assert [result.answer for result in results] == ["4", None, "4"]
        assert [result.error is None for result in results] == [True, False, True]
        assert isinstance(results[1].error, polyarch.PolyarchError)
        assert results[1].trace[-1].what == "failed"
        with pytest.raises(StepFailed):
            list(pipe.map(["one", "boom", "two"]))
