"""No key goes to a server unless somebody outside the pipeline said so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from click.testing import CliRunner
from sim import compiled, steady

import polyarch
from polyarch.backends.scripted import Scripted
from polyarch.cli import cli
from polyarch.compiler.errors import PlanRefused
from polyarch.compiler.spec import ModelSpec
from polyarch.runtime.keys import ALLOWED, allowed_keys, refuse_keys
from polyarch.runtime.session import Session

TEXT = """\
name: p
models: {m: {model: openai/x, options: {base_url: "http://127.0.0.1:9/v1", key_env: AWS_SECRET}}}
steps: {a: {op: generate}}
"""


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED, raising=False)


def model(options: Mapping[str, str], name: str = "openai/x") -> dict[str, ModelSpec]:
    return {"m": ModelSpec(model=name, options=options)}


FREE: list[Mapping[str, str]] = [
    {},
    {"base_url": "http://10.0.0.1/v1"},
    {"key_env": "OPENAI_API_KEY"},
    {"key_env": "OPENAI_API_KEY", "base_url": "https://api.openai.com/v1/"},
]

BOUND: list[Mapping[str, str]] = [
    {"key_env": "OTHER"},
    {"key_env": "OPENAI_API_KEY", "base_url": "http://127.0.0.1:8000/v1"},
    {"key_env": "OPENAI_API_KEY", "base_url": "https://api.openai.com.evil.org/v1"},
    {"key_env": "OPENAI_API_KEY", "base_url": "http://api.openai.com/v1"},
]


@pytest.mark.parametrize("options", FREE, ids=str)
def test_what_needs_no_leave(options: Mapping[str, str]) -> None:
    refuse_keys(model(options), ())


@pytest.mark.parametrize("options", BOUND, ids=str)
def test_what_needs_leave(options: Mapping[str, str]) -> None:
    with pytest.raises(PlanRefused, match=options["key_env"]):
        refuse_keys(model(options), ["ANOTHER"])
    refuse_keys(model(options), [options["key_env"]])


def test_openais_key_is_not_another_backends() -> None:
    with pytest.raises(PlanRefused, match="OPENAI_API_KEY"):
        refuse_keys(model({"key_env": "OPENAI_API_KEY"}, "other/x"), ())


def test_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, "ONE, TWO,")
    assert allowed_keys(["THREE"]) == {"ONE", "TWO", "THREE"}
    monkeypatch.setenv(ALLOWED, "")
    assert allowed_keys([]) == set()


def test_a_session_refuses_and_says_how_to_allow() -> None:
    plan = compiled(TEXT)
    with pytest.raises(PlanRefused) as caught:
        Session(plan)
    assert str(caught.value) == (
        "model 'm' sends the key in AWS_SECRET to http://127.0.0.1:9/v1; if that is meant, allow "
        "it outside the pipeline: --allow-key AWS_SECRET, POLYARCH_ALLOW_KEYS=AWS_SECRET, or "
        "keys=['AWS_SECRET'] in Python"
    )
    Session(plan, keys=["AWS_SECRET"])
    Session(plan, backends={"m": Scripted(steady)})


def test_a_pipeline_in_python() -> None:
    text = TEXT.replace("openai/x,", "openai/x, retries: 0,")
    with polyarch.loads(text) as pipe, pytest.raises(PlanRefused, match="sends the key"):
        pipe("q")
    allowed = polyarch.loads(text, keys=["AWS_SECRET"])
    with allowed as pipe, pytest.raises(polyarch.PolyarchError, match="cannot be reached"):
        pipe("q")


@pytest.mark.parametrize("batch", [False, True])
def test_the_command_line(tmp_path, batch: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("AWS_SECRET", raising=False)
    (tmp_path / "p.yaml").write_text(TEXT)
    (tmp_path / "q.jsonl").write_text('"q"\n')
    out = str(tmp_path / "a.jsonl")
    asked = ["--in", str(tmp_path / "q.jsonl"), "--out", out] if batch else ["q"]
    given = ["run", str(tmp_path / "p.yaml"), *asked]
    told = CliRunner().invoke(cli, given)
    assert (told.exit_code, "--allow-key AWS_SECRET" in told.stderr) == (1, True)
    assert not (tmp_path / "a.jsonl").exists()
    told = CliRunner().invoke(cli, [*given, "--allow-key", "AWS_SECRET"])
    assert told.exit_code == 1
    assert "--allow-key" not in told.stderr
    assert "cannot be reached" in told.stderr
