"""What is known of litellm models before litellm is imported: options, prices, features."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sim import compiled

from polyarch.backends import litellm as backend
from polyarch.backends.litellm.importing import load
from polyarch.backends.litellm.options import BOUNDED, SEVERAL
from polyarch.backends.openai import info as openai_info
from polyarch.backends.prices import listed
from polyarch.cli import cli
from polyarch.compiler.emit.lints import lints
from polyarch.compiler.errors import (
    BadRequest,
    MissingPackage,
    NoSuchModel,
    PlanRefused,
    SpecError,
)
from polyarch.compiler.model import Capability, Price
from polyarch.compiler.spec import Budget
from polyarch.runtime.session import Session

ROOT = Path(__file__).parent.parent.parent


def table() -> dict[str, dict[str, Any]]:
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations
    file = "model_prices_and_context_window_backup.json"
    made: dict[str, dict[str, Any]] = json.loads(
        Path(spec.submodule_search_locations[0], file).read_text()
    )
    return made


KNOWN = {
    "openai/gpt-4o-mini": "gpt-4o-mini",
    "anthropic/claude-sonnet-4-5": "claude-sonnet-4-5",
    "gemini/gemini-2.5-pro": "gemini/gemini-2.5-pro",
    "azure/gpt-4o": "azure/gpt-4o",
    "gpt-4o-mini": "gpt-4o-mini",
    "mistral/mistral-large-latest": "mistral/mistral-large-latest",
}


@pytest.mark.parametrize("name", KNOWN)
def test_prices_and_limits_are_the_tables(name: str) -> None:
    entry, info = table()[KNOWN[name]], backend.info(name, {})
    assert info.priced
    for mine, theirs in [
        (info.price.prompt, "input_cost_per_token"),
        (info.price.completion, "output_cost_per_token"),
        (info.price.cached, "cache_read_input_token_cost"),
    ]:
        assert mine == pytest.approx(entry[theirs] * 1e6)
    assert info.context == entry["max_input_tokens"]
    assert info.max_tokens == 1024
    assert (Capability.IMAGES in info.capabilities) is entry.get("supports_vision", False)
    assert (Capability.THINKING in info.capabilities) is entry.get("supports_reasoning", False)


def test_every_entry_is_found_as_json_reads_it() -> None:
    entries = {
        name: entry
        for name, entry in table().items()
        if "input_cost_per_token" in entry and "output_cost_per_token" in entry
    }
    entries.pop("sample_spec")
    for name in sorted(entries)[::40]:
        found = listed(name)
        assert found is not None, name
        assert found.price is not None
        assert found.price.prompt == pytest.approx(entries[name]["input_cost_per_token"] * 1e6)
        assert found.provider == entries[name]["litellm_provider"]


def test_another_providers_price_is_not_taken() -> None:
    assert listed("openai/gpt-4o-mini") is not None
    assert listed("groq/gpt-4o-mini") is None
    assert listed("sample_spec") is None
    assert listed('"') is None


def test_info_does_not_import_litellm() -> None:
    program = """
import sys
from polyarch.backends.litellm import info
assert info("openai/gpt-4o-mini", {}).price.prompt
assert "litellm" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=environment())


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def test_importing_changes_no_environment_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-a-file\n")
    program = """
import os, socket
def refuse(*_): raise OSError("the network was wanted")
socket.socket.connect = refuse
before = dict(os.environ)
from polyarch.backends.litellm import open_backend
open_backend("openai/gpt-4o-mini", {})
assert dict(os.environ) == before, set(os.environ) ^ set(before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[litellm\]'"):
        backend.info("openai/gpt-4o-mini", {})
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[litellm\]'"):
        load()


def test_what_options_say_goes_over_the_table() -> None:
    info = backend.info("openai/gpt-4o-mini", {"images": False, "thinking": True, "context": 9})
    assert Capability.IMAGES not in info.capabilities
    assert Capability.THINKING in info.capabilities
    assert info.context == 9
    named = backend.info("azure/my-own", {"base_model": "azure/gpt-4o"})
    assert named.price == Price(2.5, 10.0, 1.25)


@pytest.mark.parametrize(
    ("model", "options", "most"),
    [
        ("openai/x", {}, 8),
        ("openai/x", {"seed": True}, 1),
        ("openai/x", {"seed": True, "n": True}, 8),
        ("openai/x", {"max_draws": 3}, 3),
        ("anthropic/claude-sonnet-4-5", {}, 1),
        ("gpt-4o-mini", {}, 8),
    ],
)
def test_draws_in_one_request(model: str, options: dict[str, Any], most: int) -> None:
    info = backend.info(model, options)
    assert (info.max_draws, Capability.DRAWS in info.capabilities) == (most, most > 1)


@pytest.mark.parametrize("provider", sorted(SEVERAL))
def test_providers_said_to_take_n_do(provider: str) -> None:
    assert "n" in load().get_supported_openai_params("m", provider)


REASONING = {
    "anthropic": "claude-sonnet-4-5",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "databricks": "databricks-claude-3-7-sonnet",
    "gemini": "gemini-2.5-pro",
    "openrouter": "anthropic/claude-sonnet-4.5",
    "vertex_ai": "gemini-2.5-pro",
}


@pytest.mark.parametrize("provider", sorted(BOUNDED))
def test_providers_said_to_bound_reasoning_do(provider: str) -> None:
    assert "thinking" in load().get_supported_openai_params(REASONING[provider], provider)


def test_reasoning_without_a_bound_is_no_thinking() -> None:
    assert Capability.THINKING not in backend.info("openai/gpt-5", {}).capabilities


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"api_bse": "http://x/v1"}, "has no option 'api_bse'; did you mean \"api_base\"?"),
        ({"key_env": "sk-abc"}, "the name of an environment variable"),
        ({"api_base": "localhost:80"}, "is an address like"),
        ({"headers": {"Authorization": "Bearer x"}}, "Authorization is for keys"),
        ({"extra": {"temperature": 1}}, "temperature is written by polyarch"),
        ({"extra": {"api_key": "x"}}, "api_key may be a secret"),
        ({"extra": {"num_retries": 2}}, "num_retries is written by polyarch"),
        ({"seed": "yes"}, "option seed of litellm/openai/m"),
    ],
)
def test_a_wrong_option(options: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        backend.info("openai/m", options)
    assert told in str(caught.value)


def test_a_name_without_a_provider() -> None:
    with pytest.raises(NoSuchModel, match="name its provider, as in litellm/openai/gpt-44"):
        backend.info("gpt-44", {})


PIPELINE = """
name: p
budget: {{{budget}}}
models: {{m: {{model: {model}{more}}}}}
steps: {{draft: {{op: generate}}}}
"""


def written(model: str, budget: str = "usd: 1", more: str = "") -> str:
    return PIPELINE.format(model=model, budget=budget, more=more)


UNKNOWN = ["litellm/openai/my-own", "openai/my-own"]
LOCAL = ', options: {base_url: "http://127.0.0.1:1/v1"}'


@pytest.mark.parametrize("model", UNKNOWN)
def test_dollars_of_an_unknown_price_cannot_be_limited(model: str) -> None:
    with pytest.raises(SpecError) as caught:
        compiled(written(model))
    (fault,) = caught.value.faults
    assert fault.code == "unpriced"
    assert fault.span is not None
    assert (fault.span.line, fault.span.text) == (3, "budget: {usd: 1}")
    assert "nobody knows the price of m" in str(fault)
    compiled(written(model, more=", price: {prompt: 1, completion: 2}"))


def test_a_fallback_of_unknown_price_counts() -> None:
    text = """
name: p
budget: {usd: 1}
models:
  m: {model: litellm/openai/gpt-4o-mini, fallback: [spare]}
  spare: litellm/openai/my-own
steps: {draft: {op: generate, model: m}}
"""
    with pytest.raises(SpecError, match="the price of spare"):
        compiled(text)


@pytest.mark.parametrize("model", [*UNKNOWN, f"openai/my-own{LOCAL}"])
def test_an_unknown_price_is_told(model: str) -> None:
    name, _, more = model.partition(",")
    made = compiled(written(name, "calls: 9", f",{more}" if more else ""))
    assert any("the price of m is not known" in lint for lint in lints(made))


@pytest.mark.parametrize(
    "model", ["litellm/openai/gpt-4o-mini", "openai/gpt-4o-mini", "embedded/abacus", "scripted/x"]
)
def test_a_known_price_is_not(model: str) -> None:
    made = compiled(written(model))
    assert not any("price" in lint for lint in lints(made))


def test_openai_has_the_tables_prices() -> None:
    assert openai_info("gpt-4o-mini", {}).price == Price(0.15, 0.6, 0.075)
    own = openai_info("gpt-4o-mini", {"base_url": "http://127.0.0.1:1/v1"})
    assert (own.priced, own.price) == (False, Price())


def test_a_batch_of_unknown_price_cannot_be_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.yaml").write_text(written("litellm/openai/my-own", "calls: 9"))
    (tmp_path / "in.jsonl").write_text('"What?"\n')
    arguments = ["run", "p.yaml", "--in", "in.jsonl", "--out", "out.jsonl", "--budget", "usd=5"]
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code != 0
    assert "nobody knows the price of m" in " ".join(done.output.split())
    assert not (tmp_path / "out.jsonl").exists()


async def test_a_map_of_unknown_price_cannot_be_limited() -> None:
    made = compiled(written("litellm/openai/my-own", "calls: 9"))
    async with Session(made) as session:
        with pytest.raises(PlanRefused, match="nobody knows the price of m"):
            await anext(session.map(["What?"], budget=Budget(usd=5)))
