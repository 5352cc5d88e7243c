"""GPUs: how much they hold, how fast they read, multiply and hand over."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from .shape import Shape

__all__ = ["GB", "TERA", "Gpu", "known_gpus"]

GB = 1e9
TERA = 1e12

_Positive = Annotated[float, Field(gt=0)]


class Gpu(BaseModel):
    """One kind of GPU: memory in GB of 10^9 bytes, rates in GB/s, dense arithmetic in TFLOP/s.

    A format without a rate has no units of its own. `nvlink` is to the other GPUs of its machine,
    both directions together, None for PCIe alone; `pcie` to the host, one direction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    memory: _Positive
    bandwidth: _Positive
    bf16: _Positive | None = None
    fp16: _Positive
    fp8: _Positive | None = None
    fp4: _Positive | None = None
    fp32: _Positive
    nvlink: _Positive | None = None
    pcie: _Positive = 32

    def dtype(self, shape: Shape) -> str:
        """What the model computes in here: fp16 for bf16 where there are no units for it."""
        return "fp16" if shape.dtype == "bf16" and self.bf16 is None else shape.dtype

    def flops(self, shape: Shape) -> float:
        """FLOP/s at which the model's matrices are multiplied. Quantized weights that the GPU has
        no units for are unpacked and multiplied in the model's own format."""
        native = {"fp8": self.fp8, "nvfp4": self.fp4}.get(shape.quantum)
        rate = native if native and shape.quantized == "linear" else None
        return (rate or getattr(self, self.dtype(shape))) * TERA


@cache
def known_gpus() -> Mapping[str, Gpu]:
    """The GPUs of `gpus.yaml`, by name."""
    text = files(__package__).joinpath("gpus.yaml").read_text(encoding="utf-8")
    return {name: Gpu(name=name, **facts) for name, facts in yaml.safe_load(text).items()}
