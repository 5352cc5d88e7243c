"""How long a model takes, idealised: the larger of arithmetic over its peak and bytes over the
bandwidth, each at an assumed share (the roofline model, Williams et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from .assumed import BANDWIDTH, FLOPS, NVLINK, PCIE
from .gpu import GB, Gpu
from .shape import Shape

__all__ = ["Speed"]


@dataclass(frozen=True, slots=True)
class Speed:
    """A model over `parallel` GPUs of one kind. Times are seconds."""

    shape: Shape
    gpu: Gpu
    parallel: int = 1

    def prefill(self, tokens: float, prompts: float = 1) -> float:
        """Reading so many prompts of so many tokens together."""
        shape = self.shape
        once = 2 * shape.active * tokens + 2 * self._mixed(tokens, causal=True) + 2 * self._head
        return self._time(prompts * once, shape.read(prompts * tokens))

    def step(self, draws: float, context: float) -> float:
        """One token more for each of so many draws that hold `context` tokens."""
        shape = self.shape
        once = 2 * (shape.active + self._head) + 2 * self._mixed(context, causal=False)
        return self._time(draws * once, shape.read(draws) + draws * shape.cache(context))

    def decode(self, tokens: float, draws: float, prompt: float) -> float:
        """Writing so many tokens in each of so many draws, after a prompt of so many."""
        return tokens * self.step(draws, prompt + tokens / 2)

    @property
    def gain(self) -> float:
        """How much faster than one GPU they are."""
        keeps = NVLINK if self.gpu.nvlink else PCIE
        return float(self.parallel * keeps ** log2(self.parallel))

    @property
    def _head(self) -> int:
        return self.shape.vocab * self.shape.hidden

    def _mixed(self, tokens: float, *, causal: bool) -> float:
        """Multiplications of attention over so many tokens: by one new token, or, causal, by each
        of them over those before it."""
        shape = self.shape
        own = shape.latent
        size = own.nope + own.rope + own.value if own else 2 * shape.head
        seen, near = tokens, min(tokens, shape.window)
        if causal:
            seen = tokens * tokens / 2
            near = min(seen, tokens * shape.window)
        pairs = (shape.layers - shape.windowed) * seen + shape.windowed * near
        return pairs * shape.heads * size

    def _time(self, flops: float, read: float) -> float:
        arithmetic = flops / (self.gpu.flops(self.shape) * FLOPS)
        memory = read / (self.gpu.bandwidth * GB * BANDWIDTH)
        return max(arithmetic, memory) / self.gain
