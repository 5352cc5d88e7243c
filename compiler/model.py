"""What a model can do and costs: the facts that plans are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Capability", "ModelInfo", "Price"]


class Capability(Enum):
    """Something that a backend may offer beyond answering a chat."""

    DRAWS = "n"
    LOGPROBS = "logprobs"
    PROMPT_LOGPROBS = "prompt_logprobs"
    CONTINUATION = "continuation"
    GUIDED_JSON = "guided_json"
    GUIDED_REGEX = "guided_regex"
    GUIDED_GRAMMAR = "guided_grammar"
    GUIDED_CHOICE = "guided_choice"
    STOP = "stop"
    SEED = "seed"
    CANCEL = "cancel"
    TOOLS = "tools"
    IMAGES = "images"
    EMBEDDINGS = "embeddings"
    REWARD = "reward"
    LORA = "lora"
    THINKING = "thinking"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    prompt: float = 0.0
    completion: float = 0.0
    cached: float | None = None
    """Of prompt tokens found in the backend's cache; None means the prompt price."""

    def usd(self, prompt: int, completion: int, cached: int = 0) -> float:
        """Dollars for so many tokens. `prompt` includes `cached`."""
        rate = self.prompt if self.cached is None else self.cached
        return (
            (prompt - cached) * self.prompt + cached * rate + completion * self.completion
        ) / 1e6


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a backend says of a model before it is started.

    `context` is the longest prompt and completion together, in tokens; `max_tokens` the default
    bound on a completion; `chars_per_token` an estimate for pricing prompts; `max_draws` the most
    draws that one request may ask for; `roles` the purposes it can serve, None for any;
    a backend that serves some alone renders its prompts itself. Where `priced` is false, nobody
    knows the price, and dollars cannot be limited.
    """

    context: int
    max_tokens: int
    capabilities: frozenset[Capability]
    price: Price = Price()
    priced: bool = True
    chars_per_token: float = 4.0
    max_draws: int = 1
    concurrency: int = 64
    roles: frozenset[str] | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    """The backend's own defaults for sampling parameters, by name."""
