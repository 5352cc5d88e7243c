"""GPUs by name and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyarch.compiler.errors import InputError, SpecError
from polyarch.compiler.place.fleet import fleet
from polyarch.compiler.place.gpu import known_gpus
from polyarch.compiler.place.known import known_models


def test_several_kinds() -> None:
    made = fleet("1xH200, 2xl40s,a100_80g")
    assert str(made) == "1xH200, 2xL40S, 1xA100-80G"
    assert made.count == 4
    assert [group.gpu.name for group in made.each] == ["H200", "L40S", "L40S", "A100-80G"]
    assert made.ids == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2xH300", "no GPU 'H300' is known; did you mean \"H200\"?"),
        ("0xH200", "greater than or equal to 1"),
        ("", "is not COUNTxKIND"),
        ("two H200", "is not COUNTxKIND"),
        ("9999xH200", "less than or equal to 1024"),
    ],
)
def test_what_is_no_fleet(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet(text)
    assert told in str(caught.value)
    assert "Tuple" not in str(caught.value)


def test_an_inventory(tmp_path: Path) -> None:
    path = tmp_path / "gpus.yaml"
    path.write_text("""
gpus:
  - {gpu: H100, count: 2, host: a, usd_per_hour: 3}
  - {gpu: H100, count: 2, host: b}
  - gpu: {name: mine, memory: 48, bandwidth: 1000, fp16: 100, fp32: 20}
memory: 512
shapes: {my/model: Qwen/Qwen3-8B}
""")
    made = fleet(str(path))
    assert made.ids == (0, 1, 0, 1, 0)
    assert str(made) == "2xH100 in a, 2xH100 in b, 1xmine"
    assert made.usd_per_hour(2.0) == 3 + 3 + 2 + 2 + 2
    assert made.usd_per_hour(None) is None
    assert made.shapes["my/model"].like == "Qwen/Qwen3-8B"


def test_a_wrong_inventory(tmp_path: Path) -> None:
    path = tmp_path / "gpus.yaml"
    path.write_text("gpus: [{gpu: H100, cuont: 2}]")
    with pytest.raises(InputError, match=r"gpus\.yaml: gpus\.0\.cuont"):
        fleet(str(path))
    with pytest.raises(SpecError):
        fleet(str(tmp_path / "none.yaml"))


def test_arithmetic_in_the_formats_that_there_are() -> None:
    gpus, models = known_gpus(), known_models()
    whole = models["meta-llama/Llama-3.1-8B"]
    fp8 = whole.model_copy(update={"quantization": "fp8"})
    int4 = whole.model_copy(update={"quantization": "int4"})
    assert gpus["H100"].flops(whole) == 989e12
    assert gpus["H100"].flops(fp8) == 1979e12
    assert gpus["A100-80G"].flops(fp8) == 312e12  # unpacked
    assert gpus["H100"].flops(int4) == 989e12
    assert gpus["T4"].dtype(whole) == "fp16"
    assert gpus["T4"].flops(whole) == 65e12
    assert gpus["L4"].dtype(whole) == "bf16"


def test_no_sparse_numbers() -> None:
    # fp8 is at most twice bf16 and bf16 at most 34 times fp32; sparse numbers would be beyond.
    for gpu in known_gpus().values():
        assert gpu.fp8 is None or gpu.fp8 <= 2.05 * gpu.fp16
        assert gpu.fp16 <= 34 * gpu.fp32
