"""What is fitted to: what came of questions with known answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...compiler.fitted import Data

__all__ = ["About", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one question: whether each draw of each model was right, and the scores of the
    result with whether that was right. `alike` counts the pairs of wrong answers drawn, those that
    are the same and all. `kept` are the scores of all that the pipeline gives, each with whether it
    is right."""

    text: str
    drawn: Mapping[str, Sequence[bool]]
    scores: Mapping[str, float]
    right: bool
    alike: tuple[int, int] = (0, 0)
    kept: Sequence[tuple[Mapping[str, float], bool]] = ()


@dataclass(frozen=True, slots=True)
class About:
    """What an artefact says of its making; `models` are the pipeline's, as backend/model."""

    made: str
    pipeline: str
    data: Data
    models: Mapping[str, str]
