"""Times by hand, and in which direction they go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.op import Amount, Calls
from polyarch.compiler.place.assumed import BANDWIDTH, FLOPS, NVLINK, PCIE
from polyarch.compiler.place.gpu import Gpu, known_gpus
from polyarch.compiler.place.known import known_models
from polyarch.compiler.place.roofline import Speed
from polyarch.compiler.place.seconds import busy, chain
from polyarch.compiler.place.shape import Shape
from polyarch.compiler.price import Load

GPU = Gpu(name="x", memory=80, bandwidth=2000, bf16=300, fp16=300, fp32=20)
LLAMA = known_models()["meta-llama/Llama-3.1-8B"]
SHAPES = st.sampled_from(
    [
        known_models()[name]
        for name in (
            "meta-llama/Llama-3.1-8B",
            "Qwen/Qwen3-30B-A3B",
            "google/gemma-3-27b-it",
            "deepseek-ai/DeepSeek-V3",
            "openai/gpt-oss-20b",
        )
    ]
)
TOKENS = st.integers(1, 20_000)


def test_one_token_reads_the_weights_once() -> None:
    read = 2 * (LLAMA.parameters - LLAMA.parts.embedding) + 1000 * 131072
    assert Speed(LLAMA, GPU).step(1, 1000) == pytest.approx(read / (2e12 * BANDWIDTH))


def test_a_long_prompt_is_arithmetic() -> None:
    attention = 32 * 2 * 2 * 32 * 128 * 4000**2 / 2
    flops = 2 * LLAMA.active * 4000 + attention + 2 * 128256 * 4096
    assert Speed(LLAMA, GPU).prefill(4000) == pytest.approx(flops / (3e14 * FLOPS))


def test_draws_share_the_weights() -> None:
    speed = Speed(LLAMA, GPU)
    assert speed.step(16, 100) < 1.1 * speed.step(1, 100)


def test_two_gpus_keep_a_part_of_twice_the_speed() -> None:
    alone = Speed(LLAMA, GPU).step(1, 100)
    assert Speed(LLAMA, GPU, 2).step(1, 100) == pytest.approx(alone / (2 * PCIE))
    linked = GPU.model_copy(update={"nvlink": 600})
    assert Speed(LLAMA, linked, 4).step(1, 100) == pytest.approx(alone / (4 * NVLINK**2))


def test_a_single_h100_writes_as_fast_as_its_memory_lets_it() -> None:
    # 15 GB of 8B in bf16 over 3.35 TB/s at 70%: about 156 tokens a second.
    assert 1 / Speed(LLAMA, known_gpus()["H100"]).step(1, 0) == pytest.approx(156, rel=0.01)


@given(SHAPES, TOKENS, TOKENS, st.integers(1, 300), st.floats(1, 5))
def test_more_is_slower_and_faster_hardware_is_faster(
    shape: Shape, prompt: int, more: int, draws: int, factor: float
) -> None:
    speed = Speed(shape, GPU)
    assert speed.prefill(prompt) <= speed.prefill(prompt + more)
    assert speed.decode(prompt, draws, 5) < speed.decode(prompt + more, draws, 5)
    assert speed.decode(more, draws, prompt) <= speed.decode(more, draws, prompt + more)
    assert speed.step(draws, prompt) <= speed.step(draws + 1, prompt)
    each = speed.step(draws, prompt) / draws
    assert each * (1 + 1e-9) >= speed.step(draws + 1, prompt) / (draws + 1)
    for changes in (
        {"bandwidth": GPU.bandwidth * factor},
        {"bf16": 300 * factor, "fp16": 300 * factor},
    ):
        faster = Speed(shape, GPU.model_copy(update=changes))
        assert faster.prefill(prompt, draws) <= speed.prefill(prompt, draws)
        assert faster.decode(prompt, draws, 7) <= speed.decode(prompt, draws, 7)
    assert Speed(shape, GPU, 2).prefill(prompt) < speed.prefill(prompt)


@st.composite
def loads(draw: st.DrawFn) -> Load:
    def amount(least: int, most: int) -> Amount:
        low = draw(st.integers(least, most))
        return Amount(low, draw(st.integers(low, most)))

    count, depth = amount(0, 60), amount(1, 4)
    calls = Calls("m", count, amount(1, 3000), amount(1, 900), depth)
    return Load(calls, Amount(min(1, count.low), count.high))


@given(SHAPES, loads(), st.integers(1, 64))
def test_bounds_are_bounds(shape: Shape, load: Load, draws: int) -> None:
    speed = Speed(shape, GPU)
    for seconds in (
        chain(load, speed, draws, load.calls.depth.high),
        busy(load, speed, draws),
    ):
        assert 0 <= seconds.low <= seconds.high


def test_a_chain_by_hand() -> None:
    """Ten calls of which five may be under way, three after one another at most: three waves."""
    speed = Speed(LLAMA, GPU)
    calls = Calls("m", Amount(1, 10), Amount(100, 200), Amount(1, 50), Amount(1, 3))
    found = chain(Load(calls, Amount(1, 10)), speed, 5, 3)
    assert found.low == pytest.approx(speed.prefill(100) + speed.decode(1, 1, 100))
    assert found.high == pytest.approx(3 * (speed.prefill(200, 4) + speed.decode(50, 4, 200)))


def test_draws_of_one_request_read_its_prompt_once() -> None:
    speed = Speed(LLAMA, GPU)
    calls = Calls("m", Amount(16, 16), Amount(4000, 4000), Amount(10, 10))
    shared = chain(Load(calls, Amount(1, 1)), speed, 16, 1).high
    alone = chain(Load(calls, Amount(16, 16)), speed, 16, 1).high
    assert alone - shared == pytest.approx(15 * speed.prefill(4000))
