"""The kind that a pipeline's `answer:` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..names import nearest
from .boxed import Boxed
from .choice import Choice
from .code import Code
from .exact import Exact
from .json_answer import JsonAnswer
from .kind import AnswerKind
from .number import Number
from .regex import Regex
from .text import Text

__all__ = ["answer_kind"]


def answer_kind(value: str | Mapping[str, object]) -> AnswerKind:
    """The kind that a pipeline's `answer:` names: a word, or a mapping of one word to its options.

    Raises ValueError with the nearest name, and MissingPackage for `boxed` without math-verify.
    """
    if isinstance(value, str):
        name, colon, rest = value.partition(":")
        return _named(name.strip(), rest.strip() if colon else None)
    if isinstance(value, Mapping) and len(value) == 1:
        name, argument = next(iter(value.items()))
        return _named(name, argument)
    raise ValueError('answer is one word such as "number", or one word with its options')


def _named(name: str, argument: object) -> AnswerKind:
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f'no answer kind "{name}"; {nearest(name, _KINDS)}')
    return kind(argument)


def _plain(make: Callable[[], AnswerKind]) -> Callable[[object], AnswerKind]:
    def build(argument: object) -> AnswerKind:
        if argument is not None:
            raise ValueError("this answer kind takes no options")
        return make()

    return build


def _choice(argument: object) -> AnswerKind:
    if argument is None:
        return Choice()
    if isinstance(argument, str) or not isinstance(argument, Sequence):
        raise ValueError("choice takes a list of options: {choice: [A, B, C]}")
    options: list[str] = []
    for option in argument:
        if isinstance(option, bool) or not isinstance(option, str | int):
            raise ValueError(f"choice takes words, not {option!r}; put it in quotes")
        options.append(str(option))
    return Choice(tuple(options))


def _exact(argument: object) -> AnswerKind:
    if argument is None:
        return Exact()
    case = _option("exact", argument, "case")
    if case not in ("fold", "keep"):
        raise ValueError(f"exact takes case: fold or case: keep, not {case!r}")
    return Exact(case == "fold")


def _json(argument: object) -> AnswerKind:
    if argument is None:
        return JsonAnswer()
    name = _option("json", argument, "field")
    if not isinstance(name, str) or not name:
        raise ValueError("json takes field: a name")
    return JsonAnswer(name)


def _regex(argument: object) -> AnswerKind:
    if not isinstance(argument, str) or not argument:
        raise ValueError("regex takes a pattern with one group: {regex: 'total (\\d+)'}")
    return Regex(argument)


def _text(argument: object) -> AnswerKind:
    if argument is None:
        return Text()
    space = _option("text", argument, "space")
    if space not in ("strip", "keep"):
        raise ValueError(f"text takes space: strip or space: keep, not {space!r}")
    return Text(space == "keep")


def _option(kind: str, argument: object, name: str) -> object:
    if not isinstance(argument, Mapping) or list(argument) != [name]:
        given = [str(key) for key in argument] if isinstance(argument, Mapping) else []
        wrong = next((key for key in given if key != name), "")
        hint = f', not "{wrong}"' if wrong else ""
        raise ValueError(f"{kind} takes the option {name}{hint}")
    return argument[name]


_KINDS: Final[Mapping[str, Callable[[object], AnswerKind]]] = {
    "boxed": _plain(Boxed),
    "choice": _choice,
    "code": _plain(Code),
    "exact": _exact,
    "json": _json,
    "number": _plain(Number),
    "regex": _regex,
    "text": _text,
}
