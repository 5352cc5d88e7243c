"""The embedded model: its problems, its prompts, its engine, and what it promises of them."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest

import polyarch
from polyarch.backends import embedded
from polyarch.backends.base import Draw, Piece, Request
from polyarch.backends.embedded.backend import WEIGHTS, EmbeddedBackend
from polyarch.backends.embedded.decoding import TextStream
from polyarch.backends.embedded.engine import Engine, Work
from polyarch.backends.embedded.model import Model
from polyarch.backends.embedded.problems import (
    Number,
    Problem,
    Result,
    Step,
    misread,
    problems,
    split_of,
    write_solution,
)
from polyarch.backends.embedded.roles import compact, read, render
from polyarch.backends.embedded.sampler import Sampling, choose, uniforms
from polyarch.backends.embedded.tokenizer import Mark, StoryTokenizer
from polyarch.compiler.errors import BadRequest, InputError, NoSuchModel, TooLong
from polyarch.compiler.values import Message, Purpose

QUESTION = (
    "Tom has 12 apples. Ann has twice as many as Tom. Ann gives away 7. "
    "How many apples does Ann have?"
)


@pytest.fixture(scope="module")
def tokenizer() -> StoryTokenizer:
    return StoryTokenizer(WEIGHTS / "tokenizer.json")


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(WEIGHTS)


@pytest.fixture
async def backend() -> AsyncIterator[EmbeddedBackend]:
    opened = EmbeddedBackend()
    yield opened
    await opened.aclose()


def request(
    role: str = "solve",
    question: str = QUESTION,
    shown: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (1,),
    max_tokens: int = 200,
    temperature: float = 0.8,
    **more: object,
) -> Request:
    return Request(
        model="abacus",
        messages=(Message("user", question),),
        purpose=Purpose(role, question, shown),
        draws=tuple(Draw(i, i, seed) for i, seed in enumerate(seeds)),
        max_tokens=max_tokens,
        temperature=temperature,
        **more,  # type: ignore[arg-type]
    )


async def pieces_of(backend: EmbeddedBackend, asked: Request) -> list[Piece]:
    return [piece async for piece in backend.generate(asked)]


async def texts_of(backend: EmbeddedBackend, asked: Request) -> list[str]:
    texts = [""] * len(asked.draws)
    for piece in await pieces_of(backend, asked):
        texts[piece.draw] += piece.text
    return texts


def answer_of(text: str) -> int | None:
    found = re.search(r"answer: (\d+)$", text)
    return int(found[1]) if found else None


# --- problems -----------------------------------------------------------------------------------


def test_problems_are_seeded_and_splits_disjoint() -> None:
    held = problems("heldout", 200, 3)
    assert held == problems("heldout", 200, 3)
    assert held != problems("heldout", 200, 4)
    assert len({p.question for p in held}) == 200
    assert {split_of(p.question) for p in held} == {"heldout"}
    assert {split_of(p.question) for p in problems("demo", 50, 3)} == {"demo"}


def test_a_solution_ends_with_the_answer_and_computes() -> None:
    for problem in problems("demo", 100, 1):
        *lines, last = problem.solution.split("\n")
        assert last == f"answer: {problem.answer}"
        assert len(lines) == len(problem.steps)
        for line in lines:
            left, operation, right, value = re.fullmatch(r"(\d+)(\D)(\d+)=(\d+)", line).groups()  # type: ignore[union-attr]
            exact = {
                "+": int(left) + int(right),
                "-": int(left) - int(right),
                "*": int(left) * int(right),
                "/": int(left) / int(right),
            }[operation]
            assert exact == int(value)


def test_misreadings_belong_to_wordings() -> None:
    step = Step("other-more", "-", Result(0), Number(5))
    assert write_solution(20, (step,)) == "20-5=15\nanswer: 15"
    wrong = misread(step)
    assert wrong is not None
    assert write_solution(20, (wrong,)) == "20+5=25\nanswer: 25"
    assert misread(Step("more", "+", Result(0), Number(5))) is None


# --- tokenizer and roles ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [QUESTION, "17*2=34\nanswer: 34", "héllo 漢字 🙂", "<end><solve>", "", "a\x00b\r\n"]
)
def test_any_text_comes_back_from_its_tokens(tokenizer: StoryTokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert not {tokenizer.mark(mark) for mark in Mark} & set(tokens)


def test_digits_and_story_words_are_single_tokens(tokenizer: StoryTokenizer) -> None:
    pieces = [tokenizer.token_bytes(t) for t in tokenizer.encode(" Tom has 12 apples.")]
    assert pieces == [b" Tom", b" has", b" ", b"1", b"2", b" apples", b"."]


def test_each_role_has_its_prompt() -> None:
    q = " how many?"
    a, b = "1+1=2\nanswer: 2", "answer: 3"
    assert render(Purpose("solve", "how  many?")) == (Mark.SOLVE, q, Mark.REPLY)
    check = (Mark.CHECK, q, Mark.GIVEN, a, Mark.REPLY)
    assert render(Purpose("verify", "how many?", (a,))) == check
    assert render(Purpose("critique", "how many?", (a,))) == check
    given = (Mark.GIVEN, a, Mark.GIVEN, b, Mark.REPLY)
    assert render(Purpose("compare", "how many?", (a, b))) == (Mark.COMPARE, q, *given)
    assert render(Purpose("fuse", "how many?", (a, b))) == (Mark.FUSE, q, *given)
    assert render(Purpose("revise", "how many?", (a, "bad"))) == (
        Mark.REVISE, q, Mark.GIVEN, a, Mark.NOTE, "bad", Mark.REPLY,
    )  # fmt: skip


def test_a_role_it_lacks_is_refused() -> None:
    with pytest.raises(BadRequest, match="no role 'rank'; it has solve, verify"):
        render(Purpose("rank", "?", ("a", "b")))
    with pytest.raises(BadRequest, match="'compare' is shown 2 texts, not 1"):
        render(Purpose("compare", "?", ("a",)))


def test_compact_drops_blanks_around_operators() -> None:
    assert compact(" 17 * 2 = 34 \n\n answer: 34") == "17*2=34\nanswer: 34"


def test_raw_replies_are_read_into_json() -> None:
    wrong = "2+2=4 2+2=4 ok\n4-1=5 4-1=3 wrong\nwrong"
    right = "2+2=4 2+2=4 ok\nanswer: 4 answer: 4 ok\nright"
    note = "4-1=5 is wrong, it should be 4-1=3"
    verify, critique = Purpose("verify", "?", ("a",)), Purpose("critique", "?", ("a",))
    compare = Purpose("compare", "?", ("a", "b"))
    assert json.loads(read(verify, wrong)) == {"reason": note, "verdict": "wrong"}
    assert json.loads(read(verify, right)) == {"reason": "all steps right", "verdict": "right"}
    assert json.loads(read(critique, wrong)) == {"critique": note}
    raw = f"first\n{wrong}\nsecond\n{right}\nbetter second"
    assert json.loads(read(compare, raw))["better"] == "second"
    assert read(verify, "gibberish") == "gibberish"
    assert read(compare, "first\nsecond") == "first\nsecond"
    assert read(Purpose("solve", "?"), "anything") == "anything"


# --- sampling -----------------------------------------------------------------------------------


def test_choices_follow_the_settings() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]] * 4, np.float32))
    allowed = np.ones(4, np.bool_)
    settings = [Sampling(0), Sampling(1), Sampling(1, top_p=0.6), Sampling(1, top_k=1)]
    chosen = choose(logits, allowed, settings, [0.99, 0.96, 0.99, 0.99])
    assert chosen.tokens.tolist() == [0, 3, 1, 0]
    assert np.allclose(np.exp(chosen.logprobs[1]), [0.5, 0.3, 0.15, 0.05])
    allowed[0] = False
    chosen = choose(logits[:1], allowed, [Sampling(0)], [0.5])
    assert chosen.tokens.tolist() == [1]


def test_uniforms_depend_on_the_seed_alone() -> None:
    assert uniforms(5, 8).tolist() == uniforms(5, 20)[:8].tolist()
    assert uniforms(5, 8).tolist() != uniforms(6, 8).tolist()
    assert 0 <= uniforms(-1, 8).min() <= uniforms(2**70, 8).max() < 1


def test_stop_strings_never_leak() -> None:
    stream = TextStream(("\nanswer", "zz"))
    released = [stream.feed(c.encode()) for c in "1+1=2\nanswer: 2"[:12]]
    assert "".join(released) == "1+1=2"
    assert stream.stopped
    stream = TextStream(("abc",))
    assert stream.feed(b"ab") == ""
    assert stream.feed(b"x") == "abx"
    assert stream.feed("é".encode()[:1]) == ""
    assert stream.feed("é".encode()[1:], final=True) == "é"


# --- the model ----------------------------------------------------------------------------------


def test_logits_have_the_same_bits_whatever_is_beside_them(model: Model) -> None:
    rng = random.Random(0)
    prompts = [[rng.randrange(440) for _ in range(rng.randint(3, 120))] for _ in range(64)]
    fed = [[rng.randrange(440) for _ in range(5)] for _ in range(64)]

    def decoded(order: list[int]) -> dict[int, bytes]:
        caches = [model.prefill(prompts[i])[0].copy(len(prompts[i]) + 5) for i in order]
        for step in range(5):
            logits = model.decode(caches, [fed[i][step] for i in order])
        return {i: logits[row].tobytes() for row, i in enumerate(order)}

    alone = decoded([0])[0]
    for size in (7, 16, 64):
        order = rng.sample(range(1, 64), size - 1)
        order.insert(rng.randrange(size), 0)
        assert decoded(order)[0] == alone


def test_a_prompt_and_its_tokens_one_by_one_agree(model: Model) -> None:
    tokens = list(range(1, 60))
    whole = model.prefill(tokens)[1][-1]
    cache = model.prefill(tokens[:30])[0].copy(60)
    for token in tokens[30:]:
        one = model.decode([cache], [token])[0]
    assert np.abs(whole - one).max() < 1e-3


def test_logits_agree_with_transformers(model: Model) -> None:
    torch = pytest.importorskip("torch", reason="the reference needs torch and transformers")
    transformers = pytest.importorskip("transformers", reason="the reference needs transformers")
    reference = transformers.LlamaForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    tokens = list(range(3, 300))
    with torch.no_grad():
        expected = reference(torch.tensor([tokens])).logits[0].numpy()
    assert np.abs(expected - model.prefill(tokens)[1]).max() < 1e-3


# --- the engine ---------------------------------------------------------------------------------


async def test_texts_do_not_depend_on_the_batch(backend: EmbeddedBackend) -> None:
    asked = [
        request(question=p.question, seeds=tuple(range(4)), temperature=1.0)
        for p in problems("demo", 16, 2)
    ]
    together = await asyncio.gather(*(texts_of(backend, one) for one in asked))
    alone = EmbeddedBackend(batch=1)
    assert [await texts_of(alone, one) for one in asked[:4]] == together[:4]
    await alone.aclose()
    narrow = EmbeddedBackend(batch=7)
    assert await asyncio.gather(*(texts_of(narrow, one) for one in reversed(asked))) == list(
        reversed(together)
    )
    await narrow.aclose()


async def test_pieces_count_tokens_and_end_once(backend: EmbeddedBackend) -> None:
    asked = request(seeds=(1, 2, 3))
    first, again = await pieces_of(backend, asked), await pieces_of(backend, asked)
    counted = backend.prompt_tokens(asked)
    assert [sum(p.prompt_tokens for p in run) for run in (first, again)] == [counted, counted]
    assert [sum(p.cached_tokens for p in run) for run in (first, again)] == [0, counted]
    assert sorted(p.draw for p in first if p.finish) == [0, 1, 2]
    made = sum(p.completion_tokens for p in first)
    assert made == sum(p.completion_tokens for p in again) > 3


async def test_length_stop_strings_and_prefix(backend: EmbeddedBackend) -> None:
    (whole,) = await texts_of(backend, request(temperature=0))
    cut = await pieces_of(backend, request(temperature=0, max_tokens=5))
    assert cut[-1].finish == "length"
    assert whole.startswith("".join(p.text for p in cut))
    stopped = await pieces_of(backend, request(temperature=0, stop=("\nanswer",)))
    assert stopped[-1].finish == "stop"
    assert "".join(p.text for p in stopped) == whole.split("\nanswer")[0]
    prefix = whole.split("answer: ")[0] + "answer: "
    (rest,) = await texts_of(backend, request(temperature=0, prefix=prefix))
    assert prefix + rest == whole


async def test_logprobs_are_those_of_the_text(backend: EmbeddedBackend) -> None:
    pieces = await pieces_of(backend, request(temperature=0, logprobs=3))
    tokens = [token for piece in pieces for token in piece.logprobs]
    assert "".join(t.token for t in tokens) == "".join(p.text for p in pieces)
    for token in tokens:
        assert len(token.top) == 3
        assert token.top[0] == (token.token, token.logprob)
        assert sum(np.exp(p) for _, p in token.top) <= 1 + 1e-9


async def test_closing_takes_draws_out_of_the_batch(
    model: Model, tokenizer: StoryTokenizer
) -> None:
    engine = Engine(model, tokenizer)
    prompt = tuple(tokenizer.encode("no story at all "))
    work = Work(prompt, tuple(Draw(i, i, i) for i in range(8)), 400, Sampling(3.0))
    async with aclosing(engine.generate(work)) as pieces:
        async for piece in pieces:
            if piece.completion_tokens:
                break
        assert engine.live == 8
    one = Work(prompt, (Draw(0, 0, 0),), 3, Sampling(0))
    assert [p.completion_tokens async for p in engine.generate(one)] == [0, 1, 1, 1]
    assert engine.live == 0
    await engine.aclose()
    await engine.aclose()


async def test_closing_the_engine_ends_what_is_under_way(
    model: Model, tokenizer: StoryTokenizer
) -> None:
    engine = Engine(model, tokenizer)
    work = Work((1, 2, 3), (Draw(0, 0, 0),), 500, Sampling(5.0))

    begun = asyncio.Event()

    async def drain() -> None:
        async for _ in engine.generate(work):
            begun.set()

    task = asyncio.create_task(drain())
    await begun.wait()
    await engine.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await task


async def test_too_long_a_prompt_names_both_lengths(backend: EmbeddedBackend) -> None:
    with pytest.raises(TooLong, match=r"has 60\d tokens.* holds 512"):
        await texts_of(backend, request(question="7" * 600))


@pytest.mark.parametrize("role", ["solve", "verify", "compare", "critique", "revise", "fuse"])
async def test_any_text_is_answered_somehow(backend: EmbeddedBackend, role: str) -> None:
    shown = {"verify": 1, "critique": 1, "compare": 2, "revise": 2, "fuse": 3}.get(role, 0)
    asked = request(role, "Wer <solve> weiß 漢字?", ("nichts\n\n 1 + 1 = 3 🙂",) * shown)
    pieces = await pieces_of(backend, asked)
    assert pieces[-1].finish in ("stop", "length")


# --- what the weights can do --------------------------------------------------------------------


async def solved(backend: EmbeddedBackend, demo: list[Problem], n: int) -> list[list[str]]:
    return await asyncio.gather(
        *(texts_of(backend, request(question=p.question, seeds=tuple(range(n)))) for p in demo)
    )


async def test_the_model_is_usefully_imperfect(backend: EmbeddedBackend) -> None:
    demo = problems("demo", 40, 5)
    drawn = await solved(backend, demo, 4)
    right = [[answer_of(t) == p.answer for t in ts] for ts, p in zip(drawn, demo, strict=True)]
    share = np.mean(right)
    assert 0.35 < share < 0.75
    verdicts = await asyncio.gather(
        *(
            texts_of(backend, request("verify", p.question, (texts[0],), temperature=0))
            for p, texts in zip(demo, drawn, strict=True)
        )
    )
    said = [json.loads(v[0])["verdict"] == "right" for v in verdicts]
    assert np.mean([s == r[0] for s, r in zip(said, right, strict=True)]) > 0.7


async def test_every_role_writes_what_its_operator_reads(backend: EmbeddedBackend) -> None:
    right, wrong = "12*2=24\n24-7=17\nanswer: 17", "12+2=14\n14-7=7\nanswer: 7"

    async def ask(role: str, *shown: str) -> str:
        return (await texts_of(backend, request(role, QUESTION, shown, temperature=0)))[0]

    assert json.loads(await ask("verify", right))["verdict"] == "right"
    assert json.loads(await ask("verify", wrong))["verdict"] == "wrong"
    assert json.loads(await ask("compare", right, wrong))["better"] == "first"
    assert json.loads(await ask("compare", wrong, right))["better"] == "second"
    critique = json.loads(await ask("critique", wrong))["critique"]
    assert critique == "12+2=14 is wrong, it should be 12*2=24"
    assert await ask("revise", wrong, critique) == right
    assert await ask("fuse", wrong, right, wrong, right) == right


# --- the door -----------------------------------------------------------------------------------


def test_the_backend_opens_by_name() -> None:
    facts = embedded.info("abacus", {})
    assert facts.context == 512
    assert facts.roles is not None
    assert "fuse" in facts.roles
    assert isinstance(embedded.open_backend("abacus", {"batch": 4}), EmbeddedBackend)
    with pytest.raises(NoSuchModel, match="only the model 'abacus'"):
        embedded.info("gpt", {})
    with pytest.raises(InputError, match="no option 'speed'"):
        embedded.info("abacus", {"speed": 1})
    with pytest.raises(InputError, match="positive number, not 0"):
        embedded.open_backend("abacus", {"batch": 0})


def test_what_is_drawn_has_the_probability_that_is_read_from_the_prompt() -> None:
    text = """\
name: p
answer: number
models: {m: embedded/abacus}
steps:
  drafts: {op: generate, n: 4, temperature: 1.0, logprobs: true}
  summed: {op: score, by: logprob, length_exponent: 0, into: read}
  meant: {op: score, by: logprob, into: read_mean}
output: {from: meant, keep: 4}
"""
    result = polyarch.loads(text)(QUESTION)
    assert len(result.candidates) == 4
    for candidate in result.candidates:
        told = candidate.scores
        # The draw's own tokens end where the text ends: the end is no token of it.
        assert told["read"] == pytest.approx(told["logprob"], abs=1e-4)
        assert told["read_mean"] == pytest.approx(told["logprob_mean"], abs=1e-4)
        assert 0 < told["probability_mean"] <= 1


async def test_what_it_cannot_be_bound_to_is_refused(backend: EmbeddedBackend) -> None:
    with pytest.raises(BadRequest, match="guided_json"):
        async for _ in backend.generate(request(schema={})):
            pass
