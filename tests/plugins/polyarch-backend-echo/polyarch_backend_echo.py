"""``echo/<model>``: says what it was told, a word at a time. `echo/loud` says it in capitals."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from polyarch.backends.base import Backend, Capability, ModelInfo, Piece, Request, refuse_unoffered
from polyarch.compiler.errors import BadRequest, NoSuchModel
from polyarch.compiler.model import Price
from polyarch.compiler.values import Json

OFFERS = frozenset({Capability.DRAWS, Capability.SEED, Capability.CANCEL})
"""What all its models offer beside answering a chat."""

_MODELS = ("loud", "plain")


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What is known of a model before anything is started: plans are made from it."""
    if model not in _MODELS:
        raise NoSuchModel(f"echo has the models {', '.join(_MODELS)}, not {model!r}")
    if options:
        raise BadRequest(f"echo takes no options, and was given {', '.join(options)}")
    return ModelInfo(
        context=8192, max_tokens=256, capabilities=OFFERS, price=Price(1.0, 2.0), max_draws=16
    )


def open_backend(model: str, options: Mapping[str, Json]) -> Backend:
    """The backend, ready to be asked."""
    info(model, options)
    return Echo(model)


class Echo(Backend):
    """Answers every draw with the last message."""

    def __init__(self, model: str) -> None:
        self._model = model

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """The words, as pieces. Closing this ends the request: nothing else is to be done here."""
        refuse_unoffered(f"echo/{self._model}", OFFERS, request)
        text = request.messages[-1].text
        words = (text.upper() if self._model == "loud" else text).split()
        prompt = sum(len(message.text.split()) for message in request.messages)
        for draw in request.draws:
            for place, word in enumerate(words[: request.max_tokens]):
                said = f" {word}" if place else word
                yield Piece(draw.index, said, prompt_tokens=prompt, completion_tokens=1)
                prompt = 0  # counted once a request
            finish = "stop" if len(words) <= request.max_tokens else "length"
            yield Piece(draw.index, prompt_tokens=prompt, finish=finish)
            prompt = 0

    async def aclose(self) -> None:
        """Nothing is held."""
