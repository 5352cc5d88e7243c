"""What is assumed and not known. All estimates rest on these numbers, and tables name them."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ASSUMPTIONS",
    "AT_ONCE",
    "BANDWIDTH",
    "BATCHED",
    "ENGINE",
    "FLOPS",
    "HOST",
    "LIMIT",
    "NVLINK",
    "PCIE",
    "PROMPT",
    "RESIDUE",
    "TEMPLATE",
]

LIMIT: Final = 950
"""Thousandths of a GPU's memory that engines may share; the rest is the driver's."""
ENGINE: Final = 1.5e9
"""Bytes of an engine on each GPU beside all that: its context, captured graphs."""
RESIDUE: Final = 1.0e9
"""Bytes that a sleeping engine keeps on each of its GPUs."""
BATCHED: Final = 8192
"""Tokens in one pass of a prefill, for the size of activations."""
PROMPT: Final = 1.25
"""How much longer than estimated prompts may be, for the bound on a sequence."""
TEMPLATE: Final = 64
"""Tokens of a chat template."""
AT_ONCE: Final = 64
"""Questions of a batch under way at once, at most."""

FLOPS: Final = 0.5
"""Share of the arithmetic peak that a prefill reaches."""
BANDWIDTH: Final = 0.7
"""Share of the memory's bandwidth that decoding reaches."""
NVLINK: Final = 0.9
"""What each doubling of GPUs keeps of its doubled speed, over NVLink."""
PCIE: Final = 0.7
"""The same over PCIe."""
HOST: Final = 0.7
"""Share of the host link's bandwidth that weights are moved with."""

ASSUMPTIONS: Final = (
    f"idealised: {FLOPS:.0%} of peak FLOP/s, {BANDWIDTH:.0%} of memory bandwidth; each doubling "
    f"of GPUs keeps {NVLINK:.0%} (NVLink) or {PCIE:.0%} (PCIe); no queueing but the plan's own"
)
"""The assumptions of a time, in a line."""
