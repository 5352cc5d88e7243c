"""The shape of a model: what its memory, its cache and its arithmetic follow from.

Counts are of matrices; norms and biases, less than a thousandth of a model, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BYTES", "Dtype", "Experts", "KvDtype", "Latent", "Parts", "Quantization", "Shape"]

Dtype = Literal["bf16", "fp16", "fp32"]
"""What a model computes in, and holds what is not quantized in."""
Quantization = Literal["fp8", "int8", "int4", "mxfp4", "nvfp4"]
"""What the matrices of the layers are held in."""
KvDtype = Literal["bf16", "fp16", "fp32", "fp8"]

BYTES: Final[dict[str, float]] = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.52,
    "mxfp4": 0.53125,
    "nvfp4": 0.5625,
}
"""Bytes of one number with its share of the scales: int4 in groups of 128 with a scale of 16 bits
and a zero of 4, mxfp4 in blocks of 32 and nvfp4 in blocks of 16 with a scale of 8 bits."""

_Count = Annotated[int, Field(ge=1)]
_Some = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Experts(_Frozen):
    """A mixture of experts: `count` in a layer, of which a token passes `active`.

    `intermediate` is the size of one; `shared` that of those which every token passes, together;
    the first `dense_layers` layers have none.
    """

    count: _Count
    active: _Count
    intermediate: _Count
    shared: _Some = 0
    dense_layers: _Some = 0

    @model_validator(mode="after")
    def _enough(self) -> Experts:
        if self.active > self.count:
            raise ValueError(f"{self.active} experts are active and there are {self.count}")
        return self

    def touched(self, tokens: float) -> float:
        """How many experts of a layer so many tokens pass, if each draws its own at random."""
        missed: float = (1 - self.active / self.count) ** tokens
        return self.count * (1 - missed)


class Latent(_Frozen):
    """Multi-head latent attention (DeepSeek-V2, 2024): the cache holds `kv_rank` + `rope` numbers
    a layer and token, the same for all heads."""

    kv_rank: _Count
    rope: _Count
    nope: _Count
    value: _Count
    q_rank: _Some = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """Parameters by what they are part of."""

    embedding: int
    """Of the input; a tied model has no `head`."""
    head: int
    attention: int
    dense: int
    """Of the layers without experts, of shared experts, and routers."""
    experts: int
    other: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.embedding + self.head + self.attention + self.dense + self.experts + self.other


class Shape(_Frozen):
    """The architecture of a decoder, and how its numbers are held.

    `head` is the size of an attention head; `intermediate` of the feed-forward network (of the
    layers without experts); `gated` says that it has three matrices and not two. `windowed` layers
    attend to the last `window` tokens only. `other` parameters belong to what stands beside the
    decoder, such as an encoder of images.
    """

    layers: _Count
    hidden: _Count
    heads: _Count
    kv_heads: _Count
    head: _Count
    intermediate: _Some
    vocab: _Count
    tied: bool = False
    gated: bool = True
    experts: Experts | None = None
    latent: Latent | None = None
    window: _Some = 0
    windowed: _Some = 0
    other: _Some = 0
    context: _Count | None = None
    """The longest prompt and completion together, in tokens."""
    dtype: Dtype = "bf16"
    quantization: Quantization | None = None
    quantized: Literal["linear", "experts"] = "linear"
    """What is quantized: the matrices of all layers, or those of the experts alone."""
    kv_dtype: KvDtype | None = None
    """What the cache holds; `dtype` if left out."""
    measured: _Count | None = None
    """Bytes of the weights, where their files are at hand."""

    @model_validator(mode="after")
    def _sound(self) -> Shape:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        if self.windowed > self.layers:
            raise ValueError(f"{self.windowed} layers are windowed and there are {self.layers}")
        if bool(self.windowed) != bool(self.window):
            raise ValueError("window and windowed go together")
        if self.experts is None and not self.intermediate:
            raise ValueError("a model without experts needs intermediate")
        if self.experts is None and self.quantized == "experts":
            raise ValueError("quantized: experts is for a model with experts")
        return self

    @property
    def parts(self) -> Parts:
        """The parameters, by part."""
        rows = self.vocab * self.hidden
        moe = self._moe_layers
        matrices = 3 if self.gated else 2
        dense = (self.layers - moe) * matrices * self.hidden * self.intermediate
        experts = 0
        if e := self.experts:
            dense += moe * self.hidden * (e.count + matrices * e.shared)
            experts = moe * e.count * self._expert
        return Parts(
            embedding=rows,
            head=0 if self.tied else rows,
            attention=self.layers * self._attention,
            dense=dense,
            experts=experts,
            other=self.other,
        )

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.parts.total

    @property
    def active(self) -> int:
        """Parameters that one token is multiplied with in the layers."""
        parts, e = self.parts, self.experts
        routed = self._moe_layers * e.active * self._expert if e else 0
        return parts.attention + parts.dense + routed

    @property
    def weights(self) -> float:
        """Bytes of the weights."""
        return self.measured or self._held(self.parts.experts)

    def read(self, tokens: float) -> float:
        """Bytes of the weights that a pass of so many tokens reads: all but the experts that none
        of them draws, and the rows of the input."""
        parts, e = self.parts, self.experts
        share = e.touched(tokens) / e.count if e else 0.0
        unread = (parts.other + (0 if self.tied else parts.embedding)) * BYTES[self.dtype]
        return (self._held(parts.experts * share) - unread) * self._scale

    def cache(self, tokens: float) -> float:
        """Bytes of the cache of keys and values of a sequence of so many tokens."""
        full = self.layers - self.windowed
        seen = full * tokens + self.windowed * min(tokens, self.window)
        return seen * self._cached * BYTES[self.kv_dtype or self.dtype]

    @property
    def quantum(self) -> str:
        """What the matrices of the layers are held in."""
        return self.quantization or self.dtype

    @property
    def _cached(self) -> int:
        """Numbers in the cache for a layer and token."""
        if self.latent:
            return self.latent.kv_rank + self.latent.rope
        return 2 * self.kv_heads * self.head

    @property
    def _moe_layers(self) -> int:
        return max(0, self.layers - self.experts.dense_layers) if self.experts else 0

    @property
    def _expert(self) -> int:
        size = self.experts.intermediate if self.experts else 0
        return (3 if self.gated else 2) * self.hidden * size

    @property
    def _attention(self) -> int:
        if m := self.latent:
            query = self.heads * (m.nope + m.rope)
            asked = (self.hidden + query) * m.q_rank if m.q_rank else self.hidden * query
            kept = self.hidden * (m.kv_rank + m.rope)
            spread = m.kv_rank * self.heads * (m.nope + m.value)
            return asked + kept + spread + self.heads * m.value * self.hidden
        return 2 * self.hidden * self.head * (self.heads + self.kv_heads)

    def _held(self, experts: float) -> float:
        """Bytes of the weights with so many parameters of experts."""
        parts, whole = self.parts, BYTES[self.dtype]
        small = BYTES[self.quantum]
        linear = small if self.quantized == "linear" else whole
        beside = parts.embedding + parts.head + parts.other
        return beside * whole + (parts.attention + parts.dense) * linear + experts * small

    @property
    def _scale(self) -> float:
        return self.weights / self._held(self.parts.experts)
