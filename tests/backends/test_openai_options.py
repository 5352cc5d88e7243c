"""What an openai model can be told, and what is refused before anything is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from polyarch.backends.openai import info, open_backend
from polyarch.compiler.errors import BadRequest, MissingPackage
from polyarch.compiler.model import Capability
from polyarch.compiler.values import Json

ROOT = Path(__file__).parent.parent.parent


def test_left_alone_it_is_openai() -> None:
    told = info("gpt-4o", {})
    assert (told.context, told.max_tokens, told.max_draws) == (128_000, 1024, 128)
    assert told.roles is None
    assert told.capabilities == {
        Capability.DRAWS,
        Capability.GUIDED_JSON,
        Capability.STOP,
        Capability.CANCEL,
        Capability.IMAGES,
        Capability.TOOLS,
    }


@pytest.mark.parametrize(
    ("options", "gains", "loses"),
    [
        ({"n": False}, set(), {Capability.DRAWS}),
        ({"seed": True}, {Capability.SEED}, {Capability.DRAWS}),
        ({"seed": True, "n": True}, {Capability.SEED}, set()),
        ({"logprobs": True}, {Capability.LOGPROBS}, set()),
        ({"guided": "none"}, set(), {Capability.GUIDED_JSON}),
        ({"continuation": True}, {Capability.CONTINUATION}, set()),
        (
            {"api": "completions"},
            {Capability.CONTINUATION},
            {Capability.IMAGES, Capability.TOOLS},
        ),
        ({"images": False}, set(), {Capability.IMAGES}),
        ({"tools": False}, set(), {Capability.TOOLS}),
        ({"prompt_logprobs": True}, {Capability.PROMPT_LOGPROBS}, set()),
        ({"thinking": "thinking_token_budget"}, {Capability.THINKING}, set()),
        (
            {"guided": "vllm"},
            {
                Capability.GUIDED_REGEX,
                Capability.GUIDED_GRAMMAR,
                Capability.GUIDED_CHOICE,
            },
            set(),
        ),
    ],
)
def test_options_say_what_a_server_can(
    options: dict[str, Json], gains: set[Capability], loses: set[Capability]
) -> None:
    plain, told = info("m", {}), info("m", options)
    assert told.capabilities - plain.capabilities == gains
    assert plain.capabilities - told.capabilities == loses
    assert (told.max_draws == 1) == (Capability.DRAWS in loses)


@pytest.mark.parametrize(
    ("api", "offers"), [("embeddings", Capability.EMBEDDINGS), ("reward", Capability.REWARD)]
)
def test_numbers_are_all_that_some_apis_have(api: str, offers: Capability) -> None:
    told = info("m", {"api": api})
    assert (told.capabilities, told.max_draws) == ({offers, Capability.CANCEL}, 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"baseurl": "x"}, "openai/m has no option 'baseurl'; did you mean \"base_url\"?"),
        ({"base_url": "localhost:8000"}, "option base_url of openai/m: is an address like"),
        ({"base_url": "ftp://x/v1"}, "option base_url of openai/m: is an address like"),
        ({"base_url": "http://u:s3cret@x/v1"}, "option base_url of openai/m: must hold no user"),
        ({"base_url": "http://x/v1?key=s3cret"}, "option base_url of openai/m: ends with its path"),
        ({"key_env": "sk-s3cret"}, "option key_env of openai/m is the name of an environment"),
        ({"headers": {"Authorization": "Bearer s3cret"}}, "Authorization is for keys"),
        ({"headers": {"X-API-Key": "s3cret"}}, "X-API-Key is for keys"),
        ({"headers": {"X": "a\r\nB: s3cret"}}, "'X' holds a character that no header can"),
        ({"api": "responses"}, "option api of openai/m: Input should be 'chat', 'completions'"),
        ({"n": 3}, "option n of openai/m: Input should be a valid boolean"),
        ({"guided": "outlines"}, "option guided of openai/m"),
        ({"thinking": "no field"}, "option thinking of openai/m"),
        ({"reward_path": "score"}, "option reward_path of openai/m"),
        ({"context": 0}, "option context of openai/m"),
        ({"timeout_connect": -1}, "option timeout_connect of openai/m"),
        ({"extra": {"model": "other"}}, "option extra of openai/m: model is written by polyarch"),
        ({"extra": {"x": {1, 2}}}, "option extra of openai/m: cannot be written as JSON"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Json], told: str) -> None:
    for ask in (info, open_backend):
        with pytest.raises(BadRequest) as caught:
            ask("m", options)
        assert told in str(caught.value)
        # Nor in what a traceback would show of its causes.
        assert "s3cret" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"


def in_a_process_of_its_own(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_aiohttp_is_imported_by_whoever_opens_a_model() -> None:
    code = """
import sys
import polyarch
from polyarch.compiler.registry import backend
backend("openai").info("m", {})
before = "aiohttp" in sys.modules
backend("openai").open_backend("m", {})
print(before, "aiohttp" in sys.modules)
"""
    assert in_a_process_of_its_own(code) == "False True"


def test_without_aiohttp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polyarch.backends.openai.backend", None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[openai\]'"):
        open_backend("m", {})
