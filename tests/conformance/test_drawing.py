"""What every model does: text, usage, one finish; several draws, seeds, bounds."""

from __future__ import annotations

import asyncio

import pytest
from conformance.subject import Opened, Subject, ask, nothing_left

from polyarch.backends.base import Capability
from polyarch.compiler.errors import BadRequest, NotRecorded, TooLong


async def test_a_draw_gives_text_usage_and_one_finish(subject: Subject, opened: Opened) -> None:
    (heard,) = await ask(opened.backend, subject.request())
    assert heard.text.strip()
    assert heard.finish in {"stop", "length"}
    assert 0 < heard.prompt_tokens <= opened.backend.prompt_tokens(subject.request())
    assert 0 < heard.completion_tokens <= subject.max_tokens
    assert heard.values == heard.calls == heard.logprobs == heard.prompt_logprobs == ()


@pytest.mark.offers(Capability.DRAWS)
async def test_draws_of_one_request_differ_and_share_its_prompt(
    subject: Subject, opened: Opened
) -> None:
    (alone,) = await ask(opened.backend, subject.request())
    heard = await ask(opened.backend, subject.request(8))
    assert len({one.text for one in heard}) > 1
    assert all(one.text.strip() and one.completion_tokens > 0 for one in heard)
    assert sum(one.prompt_tokens for one in heard) == alone.prompt_tokens


@pytest.mark.offers(Capability.DRAWS)
async def test_as_many_draws_as_declared(subject: Subject, opened: Opened) -> None:
    count = min(subject.info.max_draws, subject.endless_draws - 1, 64)
    if not subject.cuts:
        heard = await ask(opened.backend, subject.request(count))
    else:
        heard = await ask(opened.backend, subject.request(count, max_tokens=2))
        assert 0 < sum(one.completion_tokens for one in heard) <= 2 * count
        if subject.counts_draws:
            assert all(0 < one.completion_tokens <= 2 for one in heard)
    assert len(heard) == count


@pytest.mark.offers(Capability.SEED)
@pytest.mark.trait("exact")
async def test_seeds_decide(subject: Subject, opened: Opened) -> None:
    draws = 8 if subject.offers(Capability.DRAWS) else 1
    first = await ask(opened.backend, subject.request(draws, seed=7))
    again = await ask(opened.backend, subject.request(draws, seed=7))
    assert [one.text for one in first] == [one.text for one in again]
    singles = [(await ask(opened.backend, subject.request(seed=7 + k)))[0] for k in range(8)]
    if subject.cuts:  # a recording knows draws by their number
        assert len({one.text for one in singles}) > 1
        if subject.own_seeds:
            assert [one.text for one in singles][:draws] == [one.text for one in first]


@pytest.mark.trait("exact", "cuts")
async def test_greedy_draws_are_equal(subject: Subject, opened: Opened) -> None:
    (first,) = await ask(opened.backend, subject.request(seed=1, temperature=0.0))
    (other,) = await ask(opened.backend, subject.request(seed=2, temperature=0.0))
    assert first.text == other.text


@pytest.mark.trait("exact", "cuts")
async def test_max_tokens_cuts_off(subject: Subject, opened: Opened) -> None:
    (whole,) = await ask(opened.backend, subject.request(temperature=0.0))
    (heard,) = await ask(opened.backend, subject.request(temperature=0.0, max_tokens=3))
    assert heard.finish == "length"
    assert 0 < heard.completion_tokens <= 3
    assert heard.text != whole.text
    assert whole.text.startswith(heard.text)


@pytest.mark.offers(Capability.STOP)
@pytest.mark.trait("exact", "cuts")
async def test_stop_strings_end_a_reply_and_are_not_in_it(subject: Subject, opened: Opened) -> None:
    (whole,) = await ask(opened.backend, subject.request(temperature=0.0))
    at = len(whole.text) // 2
    stops = (whole.text[at : at + 3], "never said")
    (heard,) = await ask(opened.backend, subject.request(temperature=0.0, stop=stops))
    assert heard.finish == "stop"
    assert heard.text == whole.text[: whole.text.index(stops[0])]
    assert 0 < heard.completion_tokens <= whole.completion_tokens


@pytest.mark.offers(Capability.CONTINUATION)
@pytest.mark.trait("exact")
async def test_a_prefix_is_continued_not_repeated(subject: Subject, opened: Opened) -> None:
    (whole,) = await ask(opened.backend, subject.request(temperature=0.0))
    # After a line or before a word: elsewhere it might cut a token in two.
    prefix = whole.text[: whole.text.find("\n") + 1 or whole.text.find(" ")]
    assert prefix
    (heard,) = await ask(opened.backend, subject.request(temperature=0.0, prefix=prefix))
    assert prefix + heard.text == whole.text
    assert heard.prompt_tokens > 0


@pytest.mark.trait("bounded")
async def test_a_prompt_that_is_too_long(subject: Subject, opened: Opened) -> None:
    with pytest.raises(TooLong) as caught:
        await ask(opened.backend, subject.too_long())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


async def test_many_requests_at_once(subject: Subject, opened: Opened) -> None:
    before = asyncio.all_tasks()
    requests = [subject.request(seed=k % 8) for k in range(64)]
    heard = await asyncio.gather(*[ask(opened.backend, request) for request in requests])
    assert all(one.text.strip() and one.completion_tokens > 0 for (one,) in heard)
    if subject.exact and subject.offers(Capability.SEED):
        texts = [one.text for (one,) in heard]
        assert texts == texts[:8] * 8
        (alone,) = await ask(opened.backend, requests[0])
        assert alone.text == texts[0]
    await nothing_left(before)


@pytest.mark.trait("refuses")
async def test_an_error_harms_no_later_request(subject: Subject, opened: Opened) -> None:
    (first,) = await ask(opened.backend, subject.request(temperature=0.0))
    with pytest.raises((BadRequest, NotRecorded, TooLong)):
        await ask(opened.backend, subject.impossible())
    (again,) = await ask(opened.backend, subject.request(temperature=0.0))
    assert again.text == first.text or not subject.exact
