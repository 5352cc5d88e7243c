"""The embedded model as a Hugging Face checkpoint: the same prompts in other hands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from polyarch.backends.embedded.backend import WEIGHTS
from polyarch.backends.embedded.export import CHAT_TEMPLATE, export, main
from polyarch.backends.embedded.roles import render
from polyarch.backends.embedded.tokenizer import Mark, StoryTokenizer
from polyarch.compiler.values import Purpose

QUESTION = "Tom has 12 apples.  Tom gives 2 to each\nof 3 friends. How many apples has Tom?"


class Refused(Exception):
    """What the template raises."""


def refuse(why: str) -> None:
    raise Refused(why)


def rendered(messages: list[dict[str, str]], *, prompt: bool = True) -> str:
    """As `transformers` renders a chat."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    template = environment.from_string(CHAT_TEMPLATE)
    return template.render(messages=messages, add_generation_prompt=prompt)


def tokens(folder: Path, text: str) -> list[int]:
    """As any reader of `tokenizer.json` makes them."""
    ids: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    return ids


def own(purpose: Purpose) -> list[int]:
    return StoryTokenizer(WEIGHTS / "tokenizer.json").encode_parts(render(purpose))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    main([str(tmp_path / "made" / "here")])
    return tmp_path / "made" / "here"


def test_a_chat_of_one_message_is_the_prompt_of_the_embedded_backend(folder: Path) -> None:
    text = rendered([{"role": "user", "content": QUESTION}])
    assert tokens(folder, text) == own(Purpose("solve", QUESTION))


def test_a_message_that_begins_with_a_mark_is_a_prompt_of_the_models_own(folder: Path) -> None:
    story = " ".join(QUESTION.split())
    text = rendered([{"role": "user", "content": f"<fuse> {story}<given>2*3=6<given>2*3=5"}])
    assert tokens(folder, text) == own(Purpose("fuse", QUESTION, ("2*3=6", "2*3=5")))


def test_a_reply_under_way_follows_its_mark() -> None:
    messages = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "2*3="}]
    assert rendered(messages, prompt=False) == "<solve> Q?<reply>2*3=<end>"


def test_other_messages_are_refused() -> None:
    with pytest.raises(Refused, match="abacus has no system messages"):
        rendered([{"role": "system", "content": "Be kind."}])


def test_the_files_name_their_marks(folder: Path) -> None:
    tokenizer = StoryTokenizer(WEIGHTS / "tokenizer.json")
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["eos_token_id"] == tokenizer.mark(Mark.END)
    assert config["pad_token_id"] == tokenizer.mark(Mark.PAD)
    generation = json.loads((folder / "generation_config.json").read_text())
    assert generation["eos_token_id"] == tokenizer.mark(Mark.END)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert (settings["eos_token"], settings["pad_token"]) == ("<end>", "<pad>")
    assert settings["model_max_length"] == config["max_position_embeddings"]
    assert (folder / "chat_template.jinja").read_text() == CHAT_TEMPLATE


def test_the_weights_are_the_weights(folder: Path) -> None:
    name = "model.safetensors"
    assert (folder / name).read_bytes() == (WEIGHTS / name).read_bytes()


def test_it_can_be_written_again(folder: Path) -> None:
    export(folder)
    assert {file.name for file in folder.iterdir()} == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_command_wants_a_folder() -> None:
    with pytest.raises(SystemExit, match=r"usage: python -m polyarch\.backends\.embedded\.export"):
        main([])
