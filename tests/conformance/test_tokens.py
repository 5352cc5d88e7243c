"""Probabilities of tokens, of the reply and of the prompt."""

from __future__ import annotations

import pytest
from conformance.subject import Heard, Opened, Subject, ask

from polyarch.backends.base import Capability


def check(heard: Heard, alternatives: int, *, counted: bool = True) -> None:
    """One for each token said; the end of a reply is a token that some backends tell of."""
    joined = "".join(token.token for token in heard.logprobs)
    assert joined.startswith(heard.text)
    if counted:
        assert heard.completion_tokens - len(heard.logprobs) in {0, 1}
    for token in heard.logprobs:
        assert token.logprob <= 1e-6
        # Some tell of the token that was drawn beside so many likeliest.
        assert alternatives <= len(token.top) <= alternatives + 1 or not alternatives
        assert [value for _, value in token.top] == sorted((v for _, v in token.top), reverse=True)


@pytest.mark.offers(Capability.LOGPROBS)
@pytest.mark.parametrize("alternatives", [0, 1, 3])
async def test_a_logprob_for_every_token(
    subject: Subject, opened: Opened, alternatives: int
) -> None:
    (heard,) = await ask(opened.backend, subject.request(logprobs=alternatives))
    assert heard.logprobs
    check(heard, alternatives)


@pytest.mark.offers(Capability.LOGPROBS)
async def test_a_greedy_draw_takes_the_likeliest(subject: Subject, opened: Opened) -> None:
    request = subject.request(temperature=0.0, logprobs=2)
    (heard,) = await ask(opened.backend, request)
    check(heard, 2)
    for token in heard.logprobs:
        assert abs(token.logprob - token.top[0][1]) < 1e-4


@pytest.mark.offers(Capability.LOGPROBS, Capability.DRAWS)
async def test_every_draw_has_its_own(subject: Subject, opened: Opened) -> None:
    told = await ask(opened.backend, subject.request(4, logprobs=1))
    for heard in told:
        assert heard.logprobs
        check(heard, 1, counted=subject.counts_draws)
    lacking = sum(one.completion_tokens - len(one.logprobs) for one in told)
    assert 0 <= lacking <= len(told)


@pytest.mark.offers(Capability.PROMPT_LOGPROBS)
async def test_a_logprob_for_every_token_of_the_prompt_but_the_first(
    subject: Subject, opened: Opened
) -> None:
    draws = 2 if subject.offers(Capability.DRAWS) else 1
    first, *others = await ask(opened.backend, subject.request(draws, prompt_logprobs=1))
    told = first.prompt_logprobs
    assert all(one.prompt_logprobs == () for one in others)
    assert all(token.logprob <= 1e-6 for token in told)
    joined = "".join(token.token for token in told)
    assert subject.prompt[len(subject.prompt) // 2 :] in joined
    if subject.counts_prompt:
        assert len(told) == first.prompt_tokens - 1
