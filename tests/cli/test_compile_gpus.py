"""`polyarch compile --gpus`: the table, JSON, YAML to use, and what is refused."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from polyarch.cli import cli
from polyarch.compiler.spec import ModelSpec

TEXT = """
name: two
answer: number
budget: {seconds: 5}
models:
  solver:
    model: openai/Qwen/Qwen3-8B
    options: {base_url: "http://127.0.0.1:8000/v1"}
  judge:
    model: openai/judge
    shape: openai/gpt-oss-20b
    temperature: 0
    options: {base_url: "http://127.0.0.1:8001/v1"}
steps:
  drafts: {op: generate, model: solver, n: 4, max_tokens: 1000}
  checked: {op: verify, model: judge, max_tokens: 200}
  answer: {op: vote, weight: verify}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("two.yaml").write_text(TEXT)
    return tmp_path


def compiling(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compile", "two.yaml", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    result = compiling(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_table_has_seconds_and_the_models_their_place() -> None:
    lines = compiling("--gpus", "1xH100", "--gpu-hour", "3.6").stdout.splitlines()
    assert lines[2].split()[-1] == "seconds"
    at = lines.index("on 1xH100, 1 question at once:")
    assert lines[at + 2].split("  ")[0] == "model"
    assert lines[at + 4].startswith("solver  H100 0")
    assert lines[at + 5].startswith("judge   H100 0")
    assert " dollars" in lines[at + 7]
    assert lines[at + 8].startswith("estimates, idealised: 50% of peak FLOP/s, 70% of memory")


def test_without_gpus_nothing_of_it_is_told() -> None:
    assert "second" not in compiling().stdout.replace("5 seconds, known only by running", "")
    assert "placement" not in told()


def test_json_holds_the_settings() -> None:
    found = told("--gpus", "1xH100,1xL4", "--batch", "10")["placement"]
    assert [gpu["gpu"] for gpu in found["gpus"]] == ["H100", "L4"]
    for model in found["models"]:
        assert model["tensor_parallel_size"] == len(model["gpu_ids"])
        assert 0 < model["gpu_memory_utilization"] <= 0.95
        assert model["max_num_seqs"] >= 4
        used = sum(model["bytes"].values())
        memory = {"H100": 80e9, "L4": 24e9}[model["gpu"]]
        assert used <= model["gpu_memory_utilization"] * memory
    assert found["batch"]["questions"] == 10
    assert found["seconds"]["low"] < found["seconds"]["high"]


def test_what_is_emitted_can_be_used() -> None:
    result = compiling("--gpus", "2xA100-40G", "--emit", "placement")
    made = yaml.safe_load(result.stdout)
    models = {name: ModelSpec.model_validate(spec) for name, spec in made["models"].items()}
    assert models["judge"].shape is not None
    assert models["judge"].shape.like == "openai/gpt-oss-20b"
    place, *command = shlex.split(made["serve"]["judge"])
    assert place.startswith("CUDA_VISIBLE_DEVICES=")
    assert command[:3] == ["vllm", "serve", "openai/gpt-oss-20b"]
    options = dict(zip(command[3::2], command[4::2], strict=True))
    assert options["--served-model-name"] == "judge"
    assert options["--port"] == "8001"
    assert 0 < float(options["--gpu-memory-utilization"]) <= 0.95
    Path("two.yaml").write_text(
        yaml.safe_dump({**yaml.safe_load(TEXT), "models": made["models"]}, sort_keys=False)
    )
    assert compiling("--gpus", "2xA100-40G", "--emit", "placement").stdout == result.stdout


def test_turns_are_emitted() -> None:
    text = TEXT.replace("Qwen/Qwen3-8B", "Qwen/Qwen3-14B").replace("oss-20b", "oss-120b")
    Path("two.yaml").write_text(text)
    made = yaml.safe_load(
        compiling("--gpus", "1xH100", "--batch", "9", "--emit", "placement").stdout
    )
    assert [turn["steps"] for turn in made["turns"]] == [["drafts"], ["checked"]]
    assert made["turns"][1]["wakes"] == ["judge"]
    assert "--enable-sleep-mode" in made["serve"]["solver"]
    table = compiling("--gpus", "1xH100", "--batch", "9").stdout
    assert "turn 2: checked (judge); awake judge; wakes judge in " in table
    assert "swaps: 1, sleep level 1, " in table


def test_a_card_without_bf16_is_served_in_fp16() -> None:
    text = TEXT.replace("Qwen3-8B", "Qwen3-0.6B").replace("openai/gpt-oss-20b", "elsewhere")
    Path("two.yaml").write_text(text)
    made = yaml.safe_load(compiling("--gpus", "1xT4", "--emit", "placement").stdout)
    assert list(made["serve"]) == ["solver"]
    assert made["serve"]["solver"].endswith("--dtype float16")


def test_what_does_not_fit_is_an_error_for_machines_too() -> None:
    result = compiling("--gpus", "1xT4", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "plan-refused"
    assert "do not fit on 1xT4" in error["message"]


def test_a_budget_below_the_estimate_is_noted_and_not_refused() -> None:
    slow = TEXT.replace("seconds: 5", "seconds: 0.001")
    Path("two.yaml").write_text(slow)
    result = compiling("--gpus", "1xH100")
    assert result.exit_code == 0
    assert "note: a question is estimated to take at least 0.0" in result.stdout
    assert "estimated" not in compiling().stdout


PAGE = Path(__file__).parents[2] / "docs" / "placement.md"


def test_the_page_shows_what_is_printed() -> None:
    page = PAGE.read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    Path("two.yaml").write_text(text)
    block = re.compile(r"^```console\n\$ polyarch compile two.yaml (.*?)\n(.*?)^```$", re.M | re.S)
    shown = block.findall(page)
    assert len(shown) == 3
    for options, output in shown:
        printed = compiling(*options.split()).output.splitlines()
        for line in output.splitlines():
            assert line in ("…", *printed)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--batch", "3"], "--batch needs --gpus"),
        (["--emit", "placement"], "--emit placement needs --gpus"),
        (["--gpu-hour", "3"], "--gpu-hour needs --gpus"),
        (["--gpus", "1xH100", "--after", "prune"], "--after and --gpus exclude one another"),
        (["--emit", "placment"], 'did you mean "placement"?'),
    ],
)
def test_wrong_usage(options: list[str], wrong: str) -> None:
    result = compiling(*options)
    assert result.exit_code == 2
    assert wrong in result.stderr
