import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import polyarch
from polyarch.cli import cli
from polyarch.compiler.emit import EMITTERS  # noqa: F401

TEXT = """
name: tiny
answer: number
QUESTION
models:
  m:
    model: scripted/x
    options:
      replies:
        - {contains: slow, texts: ["answer: 9"], cycle: true, latency: 0.2}
        - {contains: fault, fault: bad-request}
        - {texts: ["answer: 4", "answer: 5", "answer: 4"], cycle: true}
steps:
  drafts: {op: generate, n: 3}
  answer: {op: vote}
"""
RECORD = 'question: {kind: record, fields: [claim, id], text: "{claim} ({id})"}'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TEXT.replace("QUESTION", ""))
    Path("record.yaml").write_text(TEXT.replace("QUESTION", RECORD))
    Path("chat.yaml").write_text(TEXT.replace("QUESTION", "question: chat"))
    return tmp_path


def running(*arguments: str, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments], input=input)


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def untimed(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "timing"}


def test_one_question_gives_its_answer():
    told = running("tiny.yaml", "2 + 2?")
    assert (told.exit_code, told.stdout, told.stderr) == (0, "4\n", "")


def test_as_json_it_gives_the_record():
    told = running("tiny.yaml", "2 + 2?", "--json", "--seed", "5")
    with polyarch.load("tiny.yaml") as pipe:
        expected = dict(pipe("2 + 2?", seed=5).record())
    assert untimed(json.loads(told.stdout)) == untimed(expected)
    assert told.stdout.count("\n") == 1


def test_verbose_gives_candidates_steps_and_usage():
    told = running("tiny.yaml", "2 + 2?", "-v").stdout
    assert told.startswith("4\n\ncandidates\n  drafts[0]  4  (vote 0.667)\n    answer: 4\n")
    assert "\nsteps\n  drafts: 3 calls, 3 candidates\n  answer: 0 calls, 1 candidates\n" in told
    assert "\nusage: 3 calls, " in told


def test_a_record_and_a_chat_on_the_command_line():
    told = running("record.yaml", '{"claim": "so", "id": 7}', "--json")
    assert json.loads(told.stdout)["answer"] == "4"
    assert running("chat.yaml", '[{"role": "user", "content": "hi"}]').stdout == "4\n"
    assert running("chat.yaml", "hi").stdout == "4\n"
    told = running("record.yaml", "so")
    assert told.exit_code == 1
    assert told.stderr.startswith("error: the pipeline asks for a record, written as JSON: ")


def test_a_pipeline_may_abstain():
    text = TEXT.replace("QUESTION", "").replace("op: vote", "op: vote, otherwise: none")
    Path("none.yaml").write_text(text.replace('"answer: 4", "answer: 5", "answer: 4"', '"no idea"'))
    told = running("none.yaml", "q")
    assert (told.exit_code, told.stdout) == (0, "\n")
    assert told.stderr == "the pipeline abstained: it holds no candidate\n"


def test_answers_come_in_the_order_asked_and_name_their_questions():
    asked = lines(
        {"id": "a", "question": "slow"},
        {"id": 7, "messages": [{"role": "system", "content": "s"}, user("q")]},
        "a text",
        [user("slow chat")],
        {"id": "", "question": [user("chat")]},
    )  # fmt: skip
    Path("q.jsonl").write_text("\n" + asked + "  \n")
    told = running("tiny.yaml", "--in", "q.jsonl", "--out", "a.jsonl")
    assert (told.exit_code, told.output) == (0, "")
    found = records(Path("a.jsonl").read_text())
    assert [r["id"] for r in found] == ["a", "7", "2", "3", "4"]
    assert [r["answer"] for r in found] == ["9", "4", "4", "9", "4"]


def test_records_keep_the_fields_that_the_pipeline_names():
    asked = lines({"claim": "slow", "id": 7}, {"id": 8, "question": {"claim": "so", "id": 9}})
    told = running("record.yaml", "--in", "-", input=asked)
    assert [(r["id"], r["answer"]) for r in records(told.stdout)] == [("7", "9"), ("8", "4")]


def test_a_record_without_its_field():
    told = running("record.yaml", "--in", "-", input=lines({"clam": "so", "id": 1}))
    assert told.exit_code == 1
    assert told.stderr == (
        "error: standard input:1: the record has no field 'claim'; did you mean \"clam\"?\n"
    )


def test_a_record_inside_question():
    text = TEXT.replace("QUESTION", "question: {kind: record, fields: [claim]}")
    Path("inside.yaml").write_text(text)
    asked = lines({"id": 8, "question": {"claim": "slow"}})
    told = running("inside.yaml", "--in", "-", input=asked)
    assert [(r["id"], r["answer"]) for r in records(told.stdout)] == [("8", "9")]


def test_the_same_as_the_pipeline_in_python():
    told = running("tiny.yaml", "--in", "-", "--seed", "3", input=lines("one", "two"))
    with polyarch.load("tiny.yaml") as pipe:
        expected = [dict(result.record()) for result in pipe.map(["one", "two"], seed=3)]
    assert [untimed(r) for r in records(told.stdout)] == [untimed(r) for r in expected]


def test_standard_input_to_standard_output():
    told = running("tiny.yaml", "--in", "-", "--out", "-", input=lines("one", "two"))
    assert told.exit_code == 0
    assert len(records(told.stdout)) == 2


@pytest.mark.parametrize("concurrency", ["1", "3", "64"])
def test_many_questions_at_any_concurrency(concurrency: str):
    asked = lines(*(f"{'slow' if n == 0 else 'quick'} {n}" for n in range(40)))
    told = running("tiny.yaml", "--in", "-", "--concurrency", concurrency, input=asked)
    assert [r["id"] for r in records(told.stdout)] == [str(n) for n in range(40)]


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_an_empty_file_is_no_error(text: str):
    Path("q.jsonl").write_text(text)
    told = running("tiny.yaml", "--in", "q.jsonl", "--out", "a.jsonl")
    assert (told.exit_code, told.stderr) == (0, "q.jsonl: no questions\n")
    assert Path("a.jsonl").read_text() == ""


BAD = {
    "not JSON": (b"{", "not JSON: Expecting property name enclosed in double quotes (column 2)"),
    "not UTF-8": (b'"\xff"', "not UTF-8: invalid start byte"),
    "a number": (b"3", "a question is a text, a chat or a record, not 3"),
    "nothing": (b'{"id": "a", "question": null}', "a record without `question` or `messages`"),
    "empty": (b'""', "the question is empty"),
    "a chat of texts": (b'["a"]', "every message of a chat is an object with role and content"),
    "messages of texts": (b'{"messages": [1]}', "every message of a chat is an object"),
    "a strange role": (b'[{"role": "boss", "content": "x"}]', "message 0: the role is 'boss'"),
    "a strange id": (b'{"id": [1], "question": "x"}', "an id is a text or a whole number, not [1]"),
    "true as id": (b'{"id": true, "question": "x"}', "an id is a text or a whole number, not True"),
    "half a pair": (b'"\\uD83d"', "it holds half of a surrogate pair, which is no text"),
    "too deep": (b"[" * 100_000, "nested too deep"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_before_anything_is_asked(name: str):
    raw, told = BAD[name]
    Path("q.jsonl").write_bytes(b'"good"\n\n' + raw + b'\n"good"\n')
    result = running("tiny.yaml", "--in", "q.jsonl", "--out", "a.jsonl")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: q.jsonl:3: {told}")
    assert not Path("a.jsonl").exists()


def test_a_bad_line_as_json():
    Path("q.jsonl").write_text("{")
    error = json.loads(running("tiny.yaml", "--in", "q.jsonl", "--json").stdout)["error"]
    assert error["code"] == "input"
    assert error["message"].startswith("q.jsonl:1: not JSON")


def test_a_bad_line_of_a_stream_comes_after_the_answers_before_it():
    told = running("tiny.yaml", "--in", "-", input=lines("slow", "quick") + "{")
    assert told.exit_code == 1
    assert [r["id"] for r in records(told.stdout)] == ["0", "1"]
    assert told.stderr.startswith("error: standard input:3: not JSON: ")


def test_a_question_that_fails_is_named_after_the_answers_before_it():
    Path("q.jsonl").write_text(lines("slow", {"id": "b", "question": "fault"}, "quick"))
    told = running("tiny.yaml", "--in", "q.jsonl")
    assert told.exit_code == 1
    assert [r["id"] for r in records(told.stdout)] == ["0"]
    assert told.stderr == "error: q.jsonl:2, question 'b': step 'drafts' failed: scripted\n"


def test_text_of_any_kind_is_written_as_it_is():
    asked = '{"id": "\\ud83d\\ude00é", "question": "q"}'
    assert '"id": "😀é"' in running("tiny.yaml", "--in", "-", input=asked).stdout


def test_a_failure_is_told_without_a_traceback():
    told = running("tiny.yaml", "fault")
    assert (told.exit_code, told.stderr) == (1, "error: step 'drafts' failed: scripted\n")
    error = json.loads(running("tiny.yaml", "fault", "--json").stdout)["error"]
    assert (error["code"], error["message"]) == ("step-failed", "step 'drafts' failed: scripted")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give either a QUESTION or --in"),
        (["q", "--in", "q.jsonl"], "give either a QUESTION or --in"),
        (["q", "--out", "a.jsonl"], "--out, --budget, --keep-going and --overwrite go"),
        (["q", "--concurrency", "0"], "--concurrency"),
        (["q", "--seed", "x"], "--seed"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str):
    result = running("tiny.yaml", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


@pytest.mark.parametrize(
    ("source", "out", "told"),
    [
        ("none.jsonl", "a.jsonl", "none.jsonl: No such file or directory"),
        (".", "a.jsonl", ".: Is a directory"),
        ("q.jsonl", "no/a.jsonl", "no/a.jsonl: No such file or directory"),
        (
            "q.jsonl",
            "./q.jsonl",
            "./q.jsonl holds the questions; write the answers to another file",
        ),
    ],
)
def test_files_that_cannot_be_used(source: str, out: str, told: str):
    Path("q.jsonl").write_text(lines("q"))
    result = running("tiny.yaml", "--in", source, "--out", out)
    assert (result.exit_code, result.stderr) == (1, f"error: {told}\n")
    assert Path("q.jsonl").read_text() == lines("q")


def test_a_budget_too_small_is_refused_before_the_questions_are_read():
    Path("poor.yaml").write_text(TEXT.replace("QUESTION", "budget: {calls: 1}"))
    told = running("poor.yaml", "--in", "none.jsonl")
    assert told.exit_code == 1
    assert told.stderr.startswith("error: tiny needs at least 3 calls")


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    code = "from polyarch.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(Path(polyarch.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, "run", *arguments],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, **options,
    )  # fmt: skip


def test_an_answer_comes_before_the_next_question_is_there():
    with start("tiny.yaml", "--in", "-") as process:
        assert process.stdin
        assert process.stdout
        for number in range(3):
            process.stdin.write(lines(f"question {number}"))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == str(number)
        told = process.communicate()
    assert (process.returncode, told) == (0, ("", ""))


def test_ctrl_c_stops_a_question():
    Path("tiny.yaml").write_text(TEXT.replace("QUESTION", "").replace("0.2", "600"))
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    told = running("tiny.yaml", "slow")
    timer.join()
    assert (told.exit_code, told.stdout, told.stderr) == (130, "", "stopped\n")


@pytest.mark.parametrize("source", ["-", "q.jsonl"])
def test_ctrl_c_stops_a_batch(source: str):
    Path("tiny.yaml").write_text(TEXT.replace("QUESTION", "").replace("0.2", "600"))
    asked = lines("quick", "slow")
    Path("q.jsonl").write_text(asked)
    with start("tiny.yaml", "--in", source) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(asked)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["answer"] == "4"
        process.send_signal(signal.SIGINT)
        # Standard input stays open: a reader that waits for it must not hold the process up.
        assert process.wait(timeout=20) == 130
        assert process.stderr
        assert process.stderr.read() == "stopped\n"


def test_a_reader_that_goes_away_ends_it_quietly():
    with start("tiny.yaml", "--in", "-") as process:
        assert process.stdin
        assert process.stdout
        process.stdout.close()
        process.stdin.write(lines(*"abc"))
        process.stdin.close()
        assert process.wait(timeout=20) == 1
        assert process.stderr
        assert process.stderr.read() == ""
