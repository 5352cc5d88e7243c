"""The model as a Hugging Face checkpoint, for vLLM, transformers and whatever else reads these.

python -m polyarch.backends.embedded.export FOLDER
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .backend import WEIGHTS
from .shape import Shape
from .tokenizer import Mark, StoryTokenizer

__all__ = ["CHAT_TEMPLATE", "export", "main"]

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{%- if message.content.startswith('<') -%}
{{ message.content }}
{%- else -%}
{{ '<solve> ' + message.content.split() | join(' ') }}
{%- endif -%}
{%- elif message.role == 'assistant' -%}
{{ '<reply>' + message.content + '<end>' }}
{%- else -%}
{{ raise_exception('abacus has no ' + message.role + ' messages') }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<reply>' }}{%- endif -%}
"""
"""A user's message is a story to solve, in the tokens of `roles.render`. One that begins with a
mark, like `<fuse>`, is a prompt of the model's own and is taken as it is."""


def export(folder: Path) -> None:
    """Write the checkpoint into `folder`, which is made if need be. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copyfile(WEIGHTS / name, folder / name)
    tokenizer = StoryTokenizer(WEIGHTS / "tokenizer.json")
    marks = {"pad_token_id": tokenizer.mark(Mark.PAD), "eos_token_id": tokenizer.mark(Mark.END)}
    config = json.loads((WEIGHTS / "config.json").read_text())
    _write(folder / "config.json", {**config, "bos_token_id": None, **marks})
    _write(folder / "generation_config.json", marks)
    _write(folder / "tokenizer_config.json", _TOKENIZER)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the checkpoint into the folder that the command line names."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1:
        raise SystemExit("usage: python -m polyarch.backends.embedded.export FOLDER")
    export(Path(given[0]))


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "pad_token": str(Mark.PAD),
    "eos_token": str(Mark.END),
    "additional_special_tokens": [str(m) for m in Mark if m not in (Mark.PAD, Mark.END)],
    "clean_up_tokenization_spaces": False,
    "model_max_length": Shape().context,
}


if __name__ == "__main__":
    main()
