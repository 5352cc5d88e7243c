"""The model's own prompt of each role, and its raw reply as the text that operators expect."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, assert_never, get_args

from ...compiler.errors import BadRequest
from ...compiler.values import Message, Purpose
from .tokenizer import Mark

__all__ = [
    "ALL_RIGHT",
    "PLAIN",
    "ROLES",
    "Prompt",
    "Role",
    "compact",
    "embedded",
    "read",
    "render",
    "role_of",
]

Role: TypeAlias = Literal["solve", "verify", "compare", "critique", "revise", "fuse"]
Prompt: TypeAlias = tuple[Mark | str, ...]

ROLES: tuple[Role, ...] = get_args(Role)
PLAIN: frozenset[Role] = frozenset({"solve", "revise", "fuse"})
"""Roles whose reply is the model's text itself, streamed; the others are read whole into JSON."""

_SHOWN: dict[Role, tuple[int, int]] = {
    "solve": (0, 0),
    "verify": (1, 1),
    "compare": (2, 2),
    "critique": (1, 1),
    "revise": (1, 2),
    "fuse": (1, 8),
}
"""Fewest and most texts that a role is shown."""

ALL_RIGHT = "all steps right"
_CHECKED = re.compile(r"^(?P<given>.+) (?P<right>(?:answer: )?\S+) (?P<tag>ok|wrong)$")


def role_of(purpose: Purpose) -> Role:
    """The role of a purpose. Raises BadRequest for one that the model was not trained for."""
    if purpose.role not in ROLES:
        known = ", ".join(ROLES)
        raise BadRequest(f"embedded/abacus has no role {purpose.role!r}; it has {known}")
    role: Role = purpose.role
    fewest, most = _SHOWN[role]
    if not fewest <= len(purpose.shown) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise BadRequest(f"role {role!r} is shown {wanted} texts, not {len(purpose.shown)}")
    return role


def render(purpose: Purpose) -> Prompt:
    """The prompt of a purpose. Raises BadRequest for an unknown role or number of texts."""
    role = role_of(purpose)
    question = " " + " ".join(purpose.question.split())
    shown = [compact(text) for text in purpose.shown]
    match role:
        case "solve":
            return (Mark.SOLVE, question, Mark.REPLY)
        case "verify" | "critique":
            return (Mark.CHECK, question, Mark.GIVEN, shown[0], Mark.REPLY)
        case "compare":
            return (Mark.COMPARE, question, *_given(shown), Mark.REPLY)
        case "revise":
            if len(shown) == 1:  # no critique to follow: the best made of one solution
                return (Mark.FUSE, question, Mark.GIVEN, shown[0], Mark.REPLY)
            return (Mark.REVISE, question, Mark.GIVEN, shown[0], Mark.NOTE, shown[1], Mark.REPLY)
        case "fuse":
            return (Mark.FUSE, question, *_given(shown), Mark.REPLY)
        case _:
            assert_never(role)


def _given(shown: Sequence[str]) -> Prompt:
    parts: list[Mark | str] = []
    for text in shown:
        parts += [Mark.GIVEN, text]
    return tuple(parts)


def compact(text: str) -> str:
    """A solution as the model writes it: no blank lines, no blanks around operators."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    joined = "\n".join(line for line in lines if line)
    return re.sub(r"(?<=\d) ?([-+*/=]) ?(?=\d)", r"\1", joined)


def embedded(messages: Sequence[Message]) -> str:
    """The text of messages that an embedding is wanted of, as the model writes it."""
    return compact("\n".join(message.text for message in messages))


def read(purpose: Purpose, raw: str) -> str:
    """The reply text of a raw completion; a raw text that cannot be read comes back as it is."""
    role = role_of(purpose)
    match role:
        case "solve" | "revise" | "fuse":
            return raw
        case "verify":
            verdict = _last_line(raw)
            if verdict not in ("right", "wrong"):
                return raw
            return json.dumps({"reason": _reason(raw), "verdict": verdict})
        case "critique":
            if _last_line(raw) not in ("right", "wrong"):
                return raw
            return json.dumps({"critique": _reason(raw)})
        case "compare":
            return _read_comparison(raw)
        case _:
            assert_never(role)


def _read_comparison(raw: str) -> str:
    parts = re.fullmatch(
        r"first\n(?P<first>.*)\nsecond\n(?P<second>.*)\nbetter (?P<better>first|second|tie)",
        raw,
        re.DOTALL,
    )
    if parts is None:
        return raw
    reason = f"First: {_reason(parts['first'])}. Second: {_reason(parts['second'])}."
    return json.dumps({"reason": reason, "better": parts["better"]})


def _last_line(raw: str) -> str:
    return raw.rsplit("\n", 1)[-1].strip()


def _reason(raw: str) -> str:
    """The first wrong line of a check and the right one, or that all are right."""
    for line in raw.split("\n"):
        checked = _CHECKED.match(line)
        if checked is not None and checked["tag"] == "wrong":
            return f"{checked['given']} is wrong, it should be {checked['right']}"
    return ALL_RIGHT
