"""Tuning an engine: every setting is measured as it is, and nothing between is guessed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

import polyarch
from polyarch.backends.scripted import Script, Scripted
from polyarch.backends.vllm import SETTINGS
from polyarch.backends.vllm.arguments import arguments, known
from polyarch.backends.vllm.options import checked
from polyarch.compiler.build import build_file
from polyarch.compiler.errors import InputError, SpecError
from polyarch.compiler.machine import Machine, here
from polyarch.compiler.profile import Profile, profile
from polyarch.search.tuning.call import tune
from polyarch.search.tuning.load import Job, Load, merged
from polyarch.search.tuning.measuring import Apart, Failed, measured
from polyarch.search.tuning.settings import Settings

TRIES = {"engine.max_num_seqs": [16, 64, 256, 512], "chunked": [True, False], "env.THREADS": [1, 2]}


class Peaky:
    """A surface without order: every setting has a rate of its own, one in eight does not work, and
    the best one lies alone. Counts what was measured."""

    def __init__(self, seed: int = 3, plain: float = 900.0) -> None:
        dice = Random(seed)
        self.plain = plain
        self.jobs: list[tuple[str, str]] = []
        self.rates: dict[str, float] = {}
        for place, point in enumerate(Settings(TRIES).points()):
            told = json.dumps([Settings(TRIES).options(point), Settings(TRIES).environment(point)])
            self.rates[told] = 0.0 if place % 8 == 5 else dice.uniform(500, 1500)
        self.best = max(self.rates, key=lambda told: self.rates[told])
        self.rates[self.best] += 500

    async def __call__(self, job: Job, environment: Mapping[str, str]) -> float:
        told = json.dumps([dict(job.options), dict(environment)])
        self.jobs.append((told, job.load.digest))
        if not job.options:
            return self.plain
        if not self.rates[told]:
            raise Failed("out of memory")
        return self.rates[told]


def tuned(folder: Path, measure: Any, **more: Any) -> Any:
    return tune(
        "embedded/abacus", "embedded:6", tries=TRIES, out=folder / "p.json", measure=measure, **more
    )


def test_of_a_small_space_the_best_is_found_wherever_it_lies(tmp_path: Path) -> None:
    for seed in range(5):
        folder = tmp_path / str(seed)
        surface = Peaky(seed)
        found = tuned(folder, surface)
        options, environment = json.loads(surface.best)
        assert (found.profile.options, found.profile.environment) == (options, environment)
        assert found.profile.ratio.median == surface.rates[surface.best] / 900
        assert len(found.rates) == found.profile.measured == 14
        assert [told for _, told in found.failed] == ["out of memory"] * 2
        assert profile((folder / "p.json").read_bytes()) == found.profile


def test_of_a_larger_space_no_more_than_wanted_is_measured(tmp_path: Path) -> None:
    surface = Peaky()
    found = tuned(tmp_path, surface, trials=6, repeats=1)
    assert len(found.rates) + len(found.failed) == 6
    assert found.why == "6 settings were measured"
    assert found.profile.rate.median == max(rate for _, rate in found.rates)


def test_settings_that_are_no_faster_are_left_alone(tmp_path: Path) -> None:
    found = tuned(tmp_path, Peaky(plain=5000))
    assert found.profile.options == {}
    assert found.profile.ratio.median == 1.0


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    class Dying(Peaky):
        async def __call__(self, job: Job, environment: Mapping[str, str]) -> float:
            if len(self.jobs) == 7:
                raise KeyboardInterrupt
            return await super().__call__(job, environment)

    first, second = Dying(), Peaky()
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, first)
    with (tmp_path / "p.measured.jsonl").open("a") as file:
        file.write('[{"chunked": 1, "eng')
    tuned(tmp_path, second)
    explored = [told for told, _ in first.jobs + second.jobs[:9]]
    assert sorted(explored) == sorted(first.rates)
    again = Peaky()
    tuned(tmp_path, again)
    assert len(again.jobs) == 3 * 4
    with pytest.raises(InputError, match="another model, load, machine, or of other settings"):
        tuned(tmp_path, Peaky(), questions=3)


def test_where_nothing_works_the_reason_is_told(tmp_path: Path) -> None:
    class Broken(Peaky):
        async def __call__(self, job: Job, environment: Mapping[str, str]) -> float:
            raise Failed("no such device")

    with pytest.raises(InputError, match=r"none of 16 settings works here.*no such device"):
        tuned(tmp_path, Broken())


def test_settings_of_vllm_are_options_that_its_engine_takes() -> None:
    space = Settings(SETTINGS)
    dice = Random(0)
    for _ in range(40):
        options = merged({"max_model_len": 2048}, space.options(space.random(dice)))
        made = arguments("Qwen/Qwen3-8B", checked("Qwen/Qwen3-8B", options))
        engine = options["engine"]
        assert made.items() >= engine.items()
        assert set(engine) == {
            *("max_num_seqs", "max_num_batched_tokens", "enable_chunked_prefill")
        }
        assert made["gpu_memory_utilization"] in SETTINGS["gpu_memory_utilization"]
        known("m", engine, ["max_num_seqs", "max_num_batched_tokens", "enable_chunked_prefill"])


def test_a_measurement_counts_the_tokens_after_the_first_question() -> None:
    """With an engine that is not there: 4 questions of 2 draws of 10 tokens, 2 at once."""
    text = json.dumps(
        {
            "name": "load",
            "models": {"tuned": {"model": "vllm/m", "options": {"max_model_len": 512}}},
            "steps": {"drafts": {"op": "generate", "n": 2}, "answer": {"op": "vote"}},
        }
    )
    stub = Scripted(lambda request, draw: Script("x" * 40, latency=0.05))
    load = Load(text, ".", "tuned", ("a", "b", "c", "d", "e"), 2)
    rate = asyncio.run(measured(Job(load, {"engine": {"max_num_seqs": 8}}), {"tuned": stub}))
    assert stub.log.asked == 10
    assert 80 / 2 < rate < 80 / 0.1
    with pytest.raises(polyarch.PolyarchError, match="no option 'max_seqs'"):
        asyncio.run(measured(Job(load, {"max_seqs": 8}), {"tuned": stub}))


def test_the_embedded_model_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = tune(
        "embedded/abacus",
        "embedded:8",
        tries={"batch": [8, 0], "env.OPENBLAS_NUM_THREADS": ["1"]},
        questions=3,
        draws=2,
        repeats=1,
        out=tmp_path / "profile.json",
    )
    (failed,) = found.failed
    assert "option batch of embedded/abacus is a positive number, not 0" in failed[1]
    ((values, rate),) = found.rates
    assert values == {"batch": 8, "env.OPENBLAS_NUM_THREADS": "1"}
    assert rate > 1


def test_a_process_that_takes_too_long_is_ended() -> None:
    text = '{"name": "l", "models": {"m": "embedded/abacus"}, "steps": {"a": {"op": "generate"}}}'
    with pytest.raises(Failed, match="not done after"):
        asyncio.run(Apart(patience=0.01)(Job(Load(text, ".", "m", ("a", "b"), 1), {}), {}))


PIPELINE = """\
name: tuned
models: {m: {model: embedded/abacus, profile: fast.json%s}}
answer: number
steps: {answer: {op: generate}}
"""


def made(machine: Machine, model: str = "embedded/abacus", **options: Any) -> str:
    rate = {"median": 1, "least": 1, "most": 1}
    return Profile.model_validate(
        {
            "made": "2026-01-01",
            "model": model,
            "options": options,
            "machine": machine,
            "load": "l",
            "about": "some",
            "measured": 1,
            "rate": rate,
            "plain": rate,
            "ratio": rate,
        }
    ).model_dump_json()


def test_a_model_takes_the_options_of_its_profile_under_its_own(tmp_path: Path) -> None:
    (tmp_path / "fast.json").write_text(made(here("embedded"), batch=16))
    (tmp_path / "p.yaml").write_text(PIPELINE % "")
    graph = build_file(tmp_path / "p.yaml")
    assert graph.models["m"].options == {"batch": 16}
    assert graph.models["m"].profile is None
    assert graph.notes == ()
    (tmp_path / "p.yaml").write_text(PIPELINE % ", options: {batch: 4}")
    assert build_file(tmp_path / "p.yaml").models["m"].options == {"batch": 4}


def test_a_profile_of_another_machine_is_told_and_one_of_another_model_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE % "")
    (tmp_path / "fast.json").write_text(made(Machine(processor="z80", cores=1), batch=16))
    (note,) = build_file(tmp_path / "p.yaml").notes
    assert note.startswith("m was tuned on another machine (processor: ")
    assert "not z80" in note
    (tmp_path / "fast.json").write_text(made(here("embedded"), model="vllm/x"))
    with pytest.raises(SpecError, match=r"fast\.json is of vllm/x, not embedded/abacus"):
        build_file(tmp_path / "p.yaml")
    (tmp_path / "fast.json").write_text("{}")
    with pytest.raises(SpecError, match="nothing that `polyarch tune` made"):
        build_file(tmp_path / "p.yaml")


def test_machines_differ_in_words() -> None:
    one = Machine(processor="a", cores=2, gpus=("H200",), versions={"vllm": "0.32"})
    other = Machine(processor="a", cores=2, versions={"vllm": "0.33"})
    assert one.differs(other) == "gpus: H200, not none; vllm 0.32, not 0.33"
    assert one.differs(one) == ""
