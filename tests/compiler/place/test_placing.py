"""Plans on GPUs: what always holds of a placement, what is refused and how it is told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import polyarch
from polyarch.compiler.emit.placement import emit
from polyarch.compiler.errors import InputError, PlanRefused
from polyarch.compiler.place.assumed import LIMIT
from polyarch.compiler.place.fleet import Fleet, Group, fleet
from polyarch.compiler.place.gpu import GB, Gpu, known_gpus
from polyarch.compiler.place.placement import Placement
from polyarch.compiler.place.placing import placed
from polyarch.compiler.plan import Plan
from polyarch.compiler.spec import ModelSpec

L8, L70 = "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"
STEPS = """\
  drafts: {op: generate, model: a, n: 4, temperature: 0.8, max_tokens: 1000}
  checked: {op: critique, model: b}
  refined: {op: refine, model: a, max_tokens: 1000}
  answer: {op: fuse, model: b, max_tokens: 500}
"""


def planned(one: str = L8, other: str = L70, more: str = "", steps: str = STEPS) -> Plan:
    return polyarch.loads(f"""\
name: two
models:
  a: {{model: scripted/a, max_tokens: 512, shape: {one}{more}}}
  b: {{model: scripted/b, max_tokens: 512, shape: {other}}}
steps:
{steps}""").plan


def on(gpus: str, plan: Plan | None = None, **options: int) -> Placement:
    found = placed(plan or planned(), fleet(gpus), **options).placement
    assert found is not None
    return found


def holds(placement: Placement) -> None:
    """What is true of every placement."""
    awake = [turn.awake for turn in placement.turns] or [None]
    for gpu, group in enumerate(placement.fleet.each):
        for names in awake:
            used = placement.used(gpu, names)
            assert used <= group.gpu.memory * GB * LIMIT / 1000 * (1 + 1e-9)
    for home in placement.placed:
        shape, size = home.engine.shape, home.parallel
        assert size & (size - 1) == 0
        assert shape.heads % size == 0
        assert shape.latent or shape.kv_heads % size == 0
        assert len({placement.fleet.each[gpu].gpu for gpu in home.gpus}) == 1
        assert len(set(home.gpus)) == size
        assert home.need.total <= home.utilization * home.gpu.memory * GB
        assert home.draws >= 1
    names = [entry for home in placement.placed for entry in home.engine.entries]
    assert sorted((*names, *placement.elsewhere)) == ["a", "b"]
    for before, after in pairwise(placement.turns):
        assert after.woken == tuple(n for n in after.awake if n not in before.awake)
        assert after.seconds > 0
    asks = [ask for turn in placement.turns for ask in turn.asks]
    assert len(asks) == len(set(asks))


NAMES = (
    "Qwen/Qwen2.5-0.5B",
    "Qwen/Qwen2.5-7B",
    "Qwen/Qwen3-30B-A3B",
    L8,
    L70,
    "openai/gpt-oss-20b",
)
PLANS = {
    (one, other): planned(one, other) for place, one in enumerate(NAMES) for other in NAMES[place:]
}


@given(
    st.sampled_from(list(PLANS.values())),
    st.lists(
        st.tuples(st.sampled_from(sorted(known_gpus())), st.integers(1, 5)), min_size=1, max_size=2
    ),
    st.sampled_from([None, 1, 100]),
    st.sampled_from([None, 1, 3]),
    st.floats(1, 3),
)
@settings(max_examples=120, deadline=None)
def test_a_placement_holds_and_more_memory_never_refuses(
    plan: Plan,
    kinds: list[tuple[str, int]],
    batch: int | None,
    at_once: int | None,
    factor: float,
) -> None:
    made = fleet(",".join(f"{count}x{name}" for name, count in kinds))
    try:
        found = placed(plan, made, batch=batch, at_once=at_once).placement
    except PlanRefused:
        return
    assert found is not None
    holds(found)
    larger = Fleet(
        gpus=tuple(
            Group(gpu=g.gpu.model_copy(update={"memory": g.gpu.memory * factor}), count=g.count)
            for g in made.gpus
        )
    )
    roomy = placed(plan, larger, batch=batch, at_once=at_once).placement
    assert roomy is not None
    holds(roomy)
    assert roomy.swaps <= found.swaps


def test_two_that_fit_share_a_gpu() -> None:
    found = on("1xH200", planned(L8, "Qwen/Qwen3-30B-A3B"))
    assert [home.gpus for home in found.placed] == [(0,), (0,)]
    assert found.turns == ()
    assert sum(home.share for home in found.placed) in (LIMIT - 1, LIMIT)


def test_memory_by_hand() -> None:
    home = on("1xH200", planned(L8, L8)).placed[0]
    assert home.engine.entries == ("a",)
    # The refined candidates show the question, a draft and its critique; all at once.
    assert home.need.weights == 2 * home.engine.shape.parameters
    assert home.need.cache == home.draws * home.engine.longest * 131072
    assert home.engine.draws == 8  # drafts and refined, which may overlap
    assert home.engine.longest % 16 == 0


def test_entries_of_one_model_share_an_engine() -> None:
    text = """\
name: one
models:
  hot: {model: openai/m, temperature: 1, shape: Qwen/Qwen3-8B, options: {base_url: "http://h/v1"}}
  cold: {model: openai/m, temperature: 0, shape: Qwen/Qwen3-8B, options: {base_url: "http://h/v1"}}
steps:
  drafts: {op: generate, model: hot, n: 4}
  answer: {op: fuse, model: cold}
"""
    found = on("1xH100", polyarch.loads(text).plan)
    assert [home.engine.entries for home in found.placed] == [("hot", "cold")]


def test_turns_of_a_batch() -> None:
    found = on("2xA100-80G", batch=100)
    # 70B needs both GPUs, nearly whole; it and 8B alternate.
    assert [turn.awake for turn in found.turns] == [("a",), ("b",), ("a",), ("b",)]
    assert [turn.steps for turn in found.turns] == [
        ("drafts",), ("checked",), ("refined",), ("answer",)
    ]  # fmt: skip
    assert found.swaps == 3
    holds(found)
    with pytest.raises(PlanRefused, match="take turns over a batch"):
        on("1xH100", planned(L8, "Qwen/Qwen3-30B-A3B"), at_once=1)


def test_seconds_of_a_swap() -> None:
    """Out go the weights of the one, in come those of the other, over 32 GB/s at 70%."""
    found = on("2xA100-80G", batch=100)
    weights = [home.engine.shape.weights / home.parallel for home in found.placed]
    assert found.turns[1].seconds == pytest.approx(sum(weights) / (32e9 * 0.7))
    assert found.host == sum(home.engine.shape.weights for home in found.placed)
    assert found.sleep == 1


def test_a_host_with_little_memory_reads_again() -> None:
    small = fleet("2xA100-80G").model_copy(update={"memory": 100.0, "disk": 4.0})
    found = placed(planned(), small, batch=100).placement
    assert found is not None
    assert found.sleep == 2
    assert found.host == 0
    weights = found.placed[1].engine.shape.weights / 2
    assert found.turns[1].seconds == pytest.approx(weights / 4e9)


def test_fewer_draws_where_not_all_fit() -> None:
    steps = "  x: {op: generate, model: a, n: 64}\noutput: {from: x, keep: 64}\n"
    found = on("1xL4", planned(L8, L8, steps=steps))
    (home,) = found.placed
    assert 1 <= home.draws < 64
    assert "draws at once fit, of 64" in found.notes[0]


def test_a_number_of_ones_own_is_kept() -> None:
    steps = "  x: {op: generate, model: a, n: 64, max_tokens: 4096}\n"
    plan = planned(L8, L8, more=", concurrency: 64", steps=steps + "output: {from: x, keep: 64}\n")
    with pytest.raises(PlanRefused) as caught:
        on("1xL4", plan)
    told = str(caught.value)
    assert "64 at once of" in told
    assert "at most " in told
    assert "`concurrency: " in told


def test_a_refusal_tells_the_numbers() -> None:
    with pytest.raises(PlanRefused) as caught:
        on("1xH100", planned(L8, L70), at_once=1)
    first, small, large, would = str(caught.value).splitlines()
    assert first == (
        "the models of two do not fit on 1xH100: engines may use 76.0 of 80 GB of each H100"
    )
    assert "a (scripted/a) needs" in small
    assert "weights 16.1, cache" in small
    assert "weights 141.1" in large
    assert "weights in int4" in would
    assert "4xH100" in would


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("vllm_like/x", "is not known"),
        ("{layers: 2}", "hidden is missing; heads is missing"),
        ("{like: Qwen/Qwen3-8B, kv_heads: 7}", "cannot share 7 kv_heads"),
        ("Qwen/Qwen3-9B", 'did you mean "Qwen/Qwen3-8B"?'),
    ],
)
def test_a_shape_that_is_not_known(model: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        on("1xH100", planned(model))
    assert told in str(caught.value)
    assert "'a'" in str(caught.value)


def test_nothing_to_place() -> None:
    with pytest.raises(InputError, match="no model of two runs on GPUs here"):
        on("1xH100", planned("elsewhere", "elsewhere"))


def test_a_model_elsewhere_leaves_seconds_unknown() -> None:
    plan = placed(planned(L8, "elsewhere"), fleet("1xH100"), batch=10, usd_per_hour=2.0)
    assert plan.placement is not None
    assert plan.placement.elsewhere == ("b",)
    assert plan.costs["drafts"].seconds is not None
    assert plan.costs["checked"].seconds is None
    assert plan.total.seconds is None
    assert plan.placement.batch is None
    assert plan.placement.usd is None


def test_seconds_and_dollars() -> None:
    plan = placed(planned(L8, L8), fleet("2xH100"), batch=50, usd_per_hour=3.6)
    found = plan.placement
    assert found is not None
    assert found.batch is not None
    assert found.usd is not None
    steps = [plan.costs[name].seconds for name in plan.graph.order]
    assert plan.total.seconds is not None
    assert plan.total.seconds.low == pytest.approx(sum(s.low for s in steps if s))
    assert plan.total.seconds.high == pytest.approx(sum(s.high for s in steps if s))
    # Two GPUs at 3.6 dollars an hour: 0.002 dollars a second.
    assert found.usd.low == pytest.approx(plan.total.seconds.low * 0.002)
    assert found.batch.per_second.low == pytest.approx(50 / found.batch.seconds.high)
    assert found.batch.usd is not None
    assert found.batch.usd.high == pytest.approx(found.batch.seconds.high * 0.002 / 50)


def test_a_plan_without_gpus_has_no_seconds() -> None:
    plan = planned()
    assert plan.placement is None
    assert plan.total.seconds is None
    assert plan.digest == placed(plan, fleet("4xH200")).digest


def test_the_shape_does_not_change_what_is_asked() -> None:
    assert planned(L8, L8).digest == planned(L70, L70).digest


@pytest.mark.parametrize("name", ["H200", "T4"])
def test_faster_memory_is_never_slower(name: str) -> None:
    gpu = known_gpus()[name]
    plan = planned("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-1.5B")

    def seconds(kind: Gpu) -> float:
        total = placed(plan, Fleet(gpus=(Group(gpu=kind),))).total.seconds
        assert total is not None
        return total.high

    times = [
        seconds(gpu.model_copy(update={"bandwidth": gpu.bandwidth * f})) for f in (1, 1.5, 2, 4)
    ]
    assert times == sorted(times, reverse=True)


def test_options_of_vllm_are_read_and_filled_in() -> None:
    """What the options say of sizes and formats holds; the rest joins them."""
    plan = planned(L8, L8, steps="  x: {op: generate, model: a, max_tokens: 1000}\n")
    options = {
        "tensor_parallel_size": 2,
        "max_model_len": 2048,
        "dtype": "half",
        "quantization": "fp8",
        "engine": {"kv_cache_dtype": "fp8", "max_num_batched_tokens": 4096},
    }
    spec = ModelSpec(model=f"vllm/{L8}", concurrency=32, options=options)
    made = placed(replace(plan, graph=replace(plan.graph, models={"a": spec})), fleet("4xH100"))
    assert made.placement is not None
    (home,) = made.placement.placed
    assert home.parallel == 2
    assert home.engine.longest == 2048
    assert home.engine.shape.dtype == "fp16"
    assert home.engine.shape.cache(1) == 32 * 2 * 8 * 128
    told = yaml.safe_load(emit(made))["models"]["a"]["options"]
    assert told == {
        **options,
        "gpu_memory_utilization": home.utilization,
        "engine": {**options["engine"], "max_num_seqs": home.draws},  # type: ignore[dict-item]
    }
