"""Choose the next tokens of a batch from its logits, each row by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Choice", "Sampling", "choose", "log_probabilities", "uniforms"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a draw is sampled. Temperature 0 takes the likeliest; ``top_k`` 0 keeps all."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """Chosen tokens (rows), and log-probabilities (rows, vocabulary) at temperature 1."""

    tokens: NDArray[np.intp]
    logprobs: NDArray[np.float64]


def uniforms(seed: int, count: int) -> NDArray[np.float64]:
    """The numbers in [0, 1) that a draw's tokens are chosen by, one a token."""
    return np.random.Generator(np.random.Philox(key=seed % 2**64)).random(count)


def choose(
    logits: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    samplings: Sequence[Sampling],
    numbers: Sequence[float],
) -> Choice:
    """Choose one token a row; tokens that are not allowed have probability zero."""
    scores = _scores(logits, allowed)
    logprobs = _normal(scores)
    temperatures = np.array([s.temperature for s in samplings])
    weights = np.exp(scores / np.where(temperatures > 0, temperatures, 1.0)[:, None])
    for row, sampling in enumerate(samplings):
        if 0 < sampling.top_k < weights.shape[1]:
            _keep_top_k(weights[row], sampling.top_k)
        if sampling.top_p < 1:
            _keep_top_p(weights[row], sampling.top_p)
    sums = weights.cumsum(-1)
    drawn = (sums <= np.array(numbers)[:, None] * sums[:, -1:]).sum(-1)
    tokens = np.where(temperatures > 0, drawn, scores.argmax(-1))
    return Choice(tokens, logprobs)


def log_probabilities(
    logits: NDArray[np.float32], allowed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The log-probabilities (rows, vocabulary) at temperature 1 of all tokens."""
    return _normal(_scores(logits, allowed))


def _scores(logits: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    scores = np.where(allowed, logits.astype(np.float64), -np.inf)
    scores -= scores.max(-1, keepdims=True)
    return scores


def _normal(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    normal: NDArray[np.float64] = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return normal


def _keep_top_k(weights: NDArray[np.float64], k: int) -> None:
    order = np.argsort(-weights, kind="stable")
    weights[order[k:]] = 0


def _keep_top_p(weights: NDArray[np.float64], p: float) -> None:
    order = np.argsort(-weights, kind="stable")
    before = weights[order].cumsum() - weights[order]
    weights[order[before >= p * weights.sum()]] = 0
