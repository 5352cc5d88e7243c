"""How much of one text another holds: what `mbr` counts as agreement."""

from __future__ import annotations

from collections import Counter

__all__ = ["Grams", "chrf"]

_ORDER = 6
_BETA = 2.0


class Grams:
    """The character n-grams of a text, of 1 to 6 characters, blanks left out."""

    def __init__(self, text: str) -> None:
        own = "".join(text.split())
        longest = min(_ORDER, len(own))
        self.by_order = [
            Counter(own[at : at + order] for at in range(len(own) - order + 1))
            for order in range(1, longest + 1)
        ]


def chrf(text: Grams, reference: Grams) -> float:
    """The character n-gram F-score of a text against a reference, between 0 and 1.

    Recall counts twice as much as precision (chrF2); both are means over the lengths of n-grams
    that both texts have, as sacrebleu computes them. Two empty texts agree. chrF: character n-gram
    F-score for automatic MT evaluation (Popović, 2015).

    >>> chrf(Grams("a cat"), Grams("a cat")), chrf(Grams("dog"), Grams("cat"))
    (1.0, 0.0)
    """
    pairs = [*zip(text.by_order, reference.by_order, strict=False)]
    if not pairs:
        return float(not text.by_order and not reference.by_order)
    common = [(own & wanted).total() for own, wanted in pairs]
    precision = sum(c / own.total() for c, (own, _) in zip(common, pairs, strict=True))
    recall = sum(c / wanted.total() for c, (_, wanted) in zip(common, pairs, strict=True))
    if not precision + recall:
        return 0.0
    precision, recall = precision / len(pairs), recall / len(pairs)
    return (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)
