"""`polyarch models`: backends, shapes, prices."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
from click.testing import CliRunner, Result

from polyarch.backends import prices
from polyarch.cli import cli, known
from polyarch.compiler.registry import backend, backend_names


def models(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["models", *arguments])


def test_every_backend_is_listed_with_what_it_offers() -> None:
    told = {one["name"]: one for one in json.loads(models("--json").stdout)}
    assert tuple(told) == backend_names()
    assert told["openai"]["offers"]["tools"] == ""
    assert told["openai"]["offers"]["logprobs"] == "options: {logprobs: true}"
    text = models().stdout
    assert "embedded: embedded/abacus: a small real language model" in text
    assert "  guided_choice, guided_grammar, guided_regex: options: {guided: vllm}" in text


@pytest.mark.parametrize("name", backend_names())
def test_what_is_listed_is_a_backend(name: str) -> None:
    assert callable(backend(name).info)
    assert callable(backend(name).open_backend)


def test_a_backend_without_its_package_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: None)
    text = models().stdout
    for name in ("litellm", "openai", "vllm"):
        assert f"  missing: pip install 'polyarch[{name}]'" in text


def test_a_model_is_told_by_its_whole_name() -> None:
    lines = models("embedded/abacus").stdout.splitlines()
    assert lines[:4] == [
        "embedded/abacus",
        "  context     512 tokens",
        "  completion  256 tokens",
        "  price       free",
    ]
    (told,) = json.loads(models("vllm/Qwen/Qwen2.5-7B-Instruct", "--json").stdout)
    assert told["context"] == 32768
    assert told["billions"] == pytest.approx(7.616, abs=0.01)
    assert "guided_choice" in told["offers"]
    assert "price       not known" in models("openai/no-such-model").stdout


@pytest.mark.skipif(find_spec("litellm") is None, reason="its table is not here")
def test_models_are_found_by_part_of_a_name_with_price_and_shape() -> None:
    told = {one["model"]: one for one in json.loads(models("llama-3.1-8b", "--json").stdout)}
    assert told["vllm/meta-llama/Llama-3.1-8B"]["billions"] == pytest.approx(8.03, abs=0.01)
    assert all("llama-3.1-8b" in name.lower() for name in told)
    own = json.loads(models("openai/gpt-4o-mini", "--json").stdout)[0]
    found = {one["model"]: one for one in json.loads(models("gpt-4o-mini", "--json").stdout)}
    assert found["openai/gpt-4o-mini"]["price"] == own["price"]
    assert own["price"]["completion"] > own["price"]["prompt"] > 0
    # A pipeline may name every model that is listed.
    for name in list(found)[:20]:
        assert (
            known.one(name).price == known.Price(**found[name]["price"])
            if (found[name]["price"])
            else True
        )


def test_shapes_are_known_without_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "_table", lambda: None)
    told = models("Llama-3.1-8B").stdout.splitlines()
    assert [line.split()[0] for line in told] == [
        "model",
        "vllm/meta-llama/Llama-3.1-8B",
        "vllm/meta-llama/Llama-3.1-8B-Instruct",
    ]


def test_what_is_not_known_is_told() -> None:
    told = models("no-such-thing")
    assert (told.exit_code, told.stdout) == (1, "")
    assert "no model is known with 'no-such-thing' in its name" in told.stderr
    assert "has only the model 'abacus'" in models("embedded/nope").stderr
