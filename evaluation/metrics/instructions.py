"""Instructions whose following a program can verify."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias

from ...compiler.answers import Answer
from ...compiler.errors import InputError, MissingPackage
from ...compiler.names import nearest
from ..data.item import Item
from .score import Score

__all__ = ["CHECKS", "Check", "Instructions"]

Check: TypeAlias = Callable[[str, Mapping[str, Any]], bool]
"""Whether a text follows an instruction, given its arguments."""


@dataclass(frozen=True)
class Instructions:
    """1 for a text that follows every instruction of the item; with `of: share`, the share of them.

    The item's fields `instruction_id_list` and `kwargs` say which they are. IFEval (Zhou et al.,
    2023), its strict reading; languages need langdetect.
    """

    name: ClassVar[str] = "instructions"

    of: Literal["all", "share"] = "all"

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """The score, with the outcome of each instruction as detail."""
        ids, told = item.fields.get("instruction_id_list"), item.fields.get("kwargs")
        if not isinstance(ids, list | tuple) or not isinstance(told, list | tuple) or not ids:
            raise InputError(f"item {item.id!r}: no instruction_id_list with kwargs")
        followed = {}
        for id, given in zip(ids, told, strict=True):
            if id not in CHECKS:
                raise InputError(f"item {item.id!r}: {nearest(str(id), CHECKS)}")
            arguments = given if isinstance(given, Mapping) else {}
            followed[str(id)] = bool(text.strip()) and CHECKS[str(id)](text, arguments)
        share = sum(followed.values()) / len(followed)
        value = share if self.of == "share" else float(share == 1.0)
        return Score(value, parsed=bool(text.strip()), detail=dict(followed))


def _compared(count: int, given: Mapping[str, Any], name: str) -> bool:
    wanted, relation = int(given[name]), given.get("relation") or given.get("let_relation")
    return count < wanted if relation == "less than" else count >= wanted


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _sentences(text: str) -> int:
    return len([one for one in re.split(r"(?<=[.!?])\s+", text.strip()) if one])


def _paragraphs(text: str, given: Mapping[str, Any]) -> bool:
    parts = [one for one in re.split(r"\s?\*\*\*\s?", text) if one.strip()]
    return len(parts) == int(given["num_paragraphs"])


def _nth_paragraph(text: str, given: Mapping[str, Any]) -> bool:
    parts = [one for one in re.split(r"\n\n", text) if one.strip()]
    place = int(given["nth_paragraph"])
    if len(parts) != int(given["num_paragraphs"]) or place > len(parts):
        return False
    first = parts[place - 1].split()[0].strip("\"'").rstrip(".,?!\"'").lower()
    return bool(first == str(given["first_word"]).lower())


def _frequency(text: str, given: Mapping[str, Any]) -> bool:
    found = re.findall(re.escape(str(given["keyword"])), text, re.IGNORECASE)
    return _compared(len(found), given, "frequency")


def _letters(text: str, given: Mapping[str, Any]) -> bool:
    count = Counter(text.lower())[str(given["letter"]).lower()]
    return _compared(count, given, "let_frequency")


def _keywords(text: str, given: Mapping[str, Any]) -> bool:
    return all(re.search(re.escape(w), text, re.IGNORECASE) for w in given["keywords"])


def _forbidden(text: str, given: Mapping[str, Any]) -> bool:
    words = given["forbidden_words"]
    return not any(re.search(rf"\b{re.escape(w)}\b", text, re.IGNORECASE) for w in words)


def _is_json(text: str, given: Mapping[str, Any]) -> bool:
    bare = re.sub(r"^```(?:json|JSON|Json)?\s*|\s*```$", "", text.strip())
    try:
        json.loads(bare)
    except ValueError:
        return False
    return True


def _bullets(text: str, given: Mapping[str, Any]) -> bool:
    count = len(re.findall(r"^\s*\*[^*].*$", text, re.M)) + len(re.findall(r"^\s*-.*$", text, re.M))
    return count == int(given["num_bullets"])


def _highlights(text: str, given: Mapping[str, Any]) -> bool:
    found = [one for one in re.findall(r"\*[^\n*]*\*", text) if one.strip("*").strip()]
    found += [one for one in re.findall(r"\*\*[^\n*]*\*\*", text) if one.strip("*").strip()]
    return len(found) >= int(given["num_highlights"])


def _sections(text: str, given: Mapping[str, Any]) -> bool:
    found = re.findall(rf"\s?{re.escape(str(given['section_spliter']))}\s?\d+\s?", text)
    return len(found) >= int(given["num_sections"])


def _postscript(text: str, given: Mapping[str, Any]) -> bool:
    mark = re.escape(str(given["postscript_marker"]).lower()).replace(r"\.", r"\.\s?")
    return re.search(rf"^\s*{mark}.*$", text.lower(), re.M) is not None


def _title(text: str, given: Mapping[str, Any]) -> bool:
    return any(one.strip("<>").strip() for one in re.findall(r"<<[^\n]+>>", text))


def _capitals(text: str, given: Mapping[str, Any]) -> bool:
    count = sum(word.isupper() for word in re.findall(r"[\w'-]+", text))
    wanted, relation = int(given["capital_frequency"]), given["capital_relation"]
    return bool(count < wanted if relation == "less than" else count >= wanted)


def _two(text: str, given: Mapping[str, Any]) -> bool:
    parts = [one.strip() for one in text.split("******")]
    kept = [one for place, one in enumerate(parts) if one or place not in (0, len(parts) - 1)]
    return len(kept) == 2 and all(kept) and kept[0] != kept[1]


def _repeated(text: str, given: Mapping[str, Any]) -> bool:
    return text.strip().lower().startswith(str(given["prompt_to_repeat"]).strip().lower())


def _quoted(text: str, given: Mapping[str, Any]) -> bool:
    bare = text.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def _ends(text: str, given: Mapping[str, Any]) -> bool:
    return text.strip().strip('"').lower().endswith(str(given["end_phrase"]).strip().lower())


def _language(text: str, given: Mapping[str, Any]) -> bool:
    return _detected(text) == str(given["language"])


def _detected(text: str) -> str:
    try:
        import langdetect
    except ModuleNotFoundError as error:
        raise MissingPackage("languages are told by langdetect: pip install langdetect") from error
    try:
        return str(langdetect.detect(text))
    except langdetect.LangDetectException:
        return ""


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "keywords:existence": _keywords,
        "keywords:frequency": _frequency,
        "keywords:forbidden_words": _forbidden,
        "keywords:letter_frequency": _letters,
        "language:response_language": _language,
        "length_constraints:number_sentences": lambda text, given: _compared(
            _sentences(text), given, "num_sentences"
        ),
        "length_constraints:number_paragraphs": _paragraphs,
        "length_constraints:number_words": lambda text, given: _compared(
            len(_words(text)), given, "num_words"
        ),
        "length_constraints:nth_paragraph_first_word": _nth_paragraph,
        "detectable_content:number_placeholders": lambda text, given: (
            len(re.findall(r"\[.*?\]", text)) >= int(given["num_placeholders"])
        ),
        "detectable_content:postscript": _postscript,
        "detectable_format:number_bullet_lists": _bullets,
        "detectable_format:constrained_response": lambda text, given: any(
            f"My answer is {word}." in text for word in ("yes", "no", "maybe")
        ),
        "detectable_format:number_highlighted_sections": _highlights,
        "detectable_format:multiple_sections": _sections,
        "detectable_format:json_format": _is_json,
        "detectable_format:title": _title,
        "combination:two_responses": _two,
        "combination:repeat_prompt": _repeated,
        "startend:end_checker": _ends,
        "startend:quotation": _quoted,
        "change_case:capital_word_frequency": _capitals,
        "change_case:english_capital": lambda text, given: text.isupper(),
        "change_case:english_lowercase": lambda text, given: text.islower(),
        "punctuation:no_comma": lambda text, given: "," not in text,
    }
)
"""Every instruction of IFEval by its id."""
