"""What the probabilities of a text's tokens say of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, isfinite, log

from ..compiler.answers import Answer, AnswerKind
from ..compiler.values import TokenLogprob

__all__ = ["answering_tokens", "certainty", "margin", "of_text", "yes_share"]


def of_text(prompt: Sequence[TokenLogprob], text: str) -> Sequence[TokenLogprob]:
    """The tokens of the text that a prompt ends with; none where they do not make it up.

    Chat templates may strip a reply, so blanks at its ends may be missing.
    """
    wanted, tail, first = text.strip(), "", len(prompt)
    while first and len(tail.strip()) < len(wanted):
        first -= 1
        tail = prompt[first].token + tail
    return prompt[first:] if wanted and tail.rstrip().endswith(wanted) else ()


def answering_tokens(
    tokens: Sequence[TokenLogprob], kind: AnswerKind, answer: Answer
) -> Sequence[TokenLogprob]:
    """The fewest tokens at the last place where a text gives its answer; none if they cannot be
    told. A token that also holds other characters counts whole."""
    first = len(tokens)
    while not _reads(tokens[first:], kind, answer):
        if not first:
            return ()
        first -= 1
    end = first + 1
    while not _reads(tokens[first:end], kind, answer):
        end += 1
    return tokens[first:end]


def _reads(tokens: Sequence[TokenLogprob], kind: AnswerKind, answer: Answer) -> bool:
    read = kind.read("".join(token.token for token in tokens))
    return read is not None and kind.same(read, answer)


def certainty(tokens: Sequence[TokenLogprob], most: int) -> float | None:
    """The mean over the tokens of KL(uniform, p) in nats, where p is the distribution over the
    `most` likeliest tokens that were told, made to add up to 1; None where fewer than two were told
    of one of them, or a probability is zero.

    >>> certainty([TokenLogprob("a", log(0.5), (("a", log(0.5)), ("b", log(0.5))))], 2)
    0.0
    """
    told = [_from_uniform([logprob for _, logprob in token.top[:most]]) for token in tokens]
    known = [one for one in told if one is not None]
    return fsum(known) / len(known) if known and len(known) == len(told) else None


def _from_uniform(logprobs: Sequence[float]) -> float | None:
    """KL(uniform, p) = -log k - mean(log p) over k outcomes."""
    if len(logprobs) < 2 or not all(isfinite(one) for one in logprobs):
        return None
    whole = log(fsum(exp(one) for one in logprobs))
    return max(0.0, whole - log(len(logprobs)) - fsum(logprobs) / len(logprobs))


def margin(tokens: Sequence[TokenLogprob]) -> float | None:
    """The mean over the tokens of how much likelier the likeliest token is than the next one; None
    where two were not told of one of them."""
    if not tokens or any(len(token.top) < 2 for token in tokens):
        return None
    likeliest = [sorted((p for _, p in token.top), reverse=True)[:2] for token in tokens]
    return fsum(exp(first) - exp(second) for first, second in likeliest) / len(tokens)


def yes_share(told: Sequence[TokenLogprob]) -> float | None:
    """P(yes) / (P(yes) + P(no)) of the first token; None if neither is among the likeliest."""
    if not told:
        return None
    likeliest = {**dict(told[0].top), told[0].token: told[0].logprob}
    yes, no = (
        fsum(exp(p) for token, p in likeliest.items() if token.strip().lower() == word)
        for word in ("yes", "no")
    )
    return yes / (yes + no) if yes + no > 0 else None
