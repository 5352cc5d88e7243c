"""What a server says of one request, chunk by chunk, to pieces."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from ...compiler.values import ToolCall
from ..base import Draw, Piece, Request, TokenLogprob
from ..likeliest import likeliest
from .calls import Calls
from .faults import Faults
from .wire import Call, Choice, Logprobs, Prompt, Said, Spent, chunk

__all__ = ["Reading"]

_DONE = b"[DONE]"
_CHARS = 4
"""Characters in a token, where nobody says."""

_FINISHES = {
    "length": "length",
    "model_length": "length",
    "content_filter": "content",
}
"""Every other reason is a stop, or calls to be made where there are any: what servers say then is
not the same."""
_NO_CALLS: tuple[ToolCall, ...] = ()
_FAILED = frozenset({"abort", "error"})
"""Reasons that are none."""


class Reading:
    """Reads one reply, whole or streamed. Sans-I/O.

    Choice k is the k-th draw asked for. Completion tokens are counted as chunks with something in
    them, until the server says how many there were; the difference is charged, or given back, to
    the first draw that is still open, so that the sum is the server's. The first draw stays open
    until the prompt's tokens are known, since it is charged with them. If the server never says,
    the count of chunks stands, and the prompt is estimated by its length.
    """

    __slots__ = ("_cached", "_draws", "_faults", "_of_prompt", "_prompt", "_request", "done")

    def __init__(self, request: Request, faults: Faults) -> None:
        self._request = request
        self._faults = faults
        self._draws = [_Draw(draw.index) for draw in request.draws]
        self._prompt = self._cached = 0
        self._of_prompt: tuple[TokenLogprob, ...] = ()
        self.done = False
        """Whether the server has said that it is done."""

    def take(self, data: bytes, *, whole: bool = False) -> None:
        """Read one chunk, or a whole reply. Raises `BackendError`."""
        if data.strip() == _DONE:
            self.done = True
            return
        try:
            read = chunk(data)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            why = f"sent what cannot be read: {where} {problem['msg']}"
            raise self._faults.unreadable(why) from None
        if read.error:
            raise self._faults.told(read.error)
        for choice in read.choices or ():
            self._hear(choice, whole)
        if read.prompt_logprobs is not None:
            self._hear_prompt(read.prompt_logprobs)
        if read.usage is not None:
            self._charge(read.usage, read.choices or [])

    def pieces(self) -> Iterator[Piece]:
        """What is new since the last time; a piece for each draw that it is about."""
        for draw in self._draws:
            if draw.new:
                held = draw is self._draws[0] and not self._prompt
                yield self._piece(draw, "" if held else draw.finish)

    def leave_out(self) -> list[Draw]:
        """The draws that a whole reply says nothing of, since its server takes no n; from now on
        they are not expected. None if anything else is missing as well."""
        if not all(draw.finish for draw in self._draws if draw.heard):
            return []
        heard = [draw for draw in self._draws if draw.heard]
        if not heard or len(heard) == len(self._draws):
            return []
        self._draws = heard
        indexes = {draw.index for draw in heard}
        return [draw for draw in self._request.draws if draw.index not in indexes]

    def end(self) -> Iterator[Piece]:
        """What was held back. Raises `ServerFailed` if a draw did not come to its end."""
        if not all(draw.finish for draw in self._draws):
            raise self._faults.unreadable(self._why())
        if not self._prompt:
            text = sum(len(message.text) for message in self._request.messages)
            self._prompt = max(1, round(text / _CHARS))
        for draw in self._draws:
            if not draw.ended:
                yield self._piece(draw, draw.finish)

    def _why(self) -> str:
        """What is wrong with a reply of which something is missing."""
        first, *others = self._draws
        if not any(draw.heard for draw in self._draws):
            return "gave an empty reply"
        if first.finish and not any(draw.heard for draw in others):
            return f"gave 1 of {len(self._draws)} draws; if it takes no n: options: {{n: false}}"
        return "ended before the reply did"

    def _hear(self, choice: Choice, whole: bool) -> None:
        if not 0 <= choice.index < len(self._draws):
            raise self._faults.unreadable(f"sent a choice {choice.index} that nobody asked for")
        draw = self._draws[choice.index]
        said = choice.message or choice.delta or Said(choice.text)
        text = (said.content or "") + (said.refusal or "")
        reasoning = said.reasoning_content or said.reasoning or ""
        if text or reasoning:
            if draw.ended:
                raise self._faults.unreadable("went on after the end of the reply")
            draw.say(text, reasoning, _guess(text + reasoning) if whole else 1)
        for call in said.tool_calls or ():
            draw.call(call, _guess(call.function.arguments or "") if whole and call.function else 1)
        draw.refused |= bool(said.refusal)
        if choice.logprobs is not None:
            draw.logprobs += _tokens(choice.logprobs)
        if choice.prompt_logprobs is not None:
            self._hear_prompt(choice.prompt_logprobs)
        if choice.finish_reason and not draw.finish:
            if choice.finish_reason in _FAILED:
                raise self._faults.unreadable("gave up in the middle of the reply")
            finish = _FINISHES.get(choice.finish_reason, "stop")
            if finish == "stop" and draw.calls is not None:
                finish = "tools"
            draw.finish = "content" if draw.refused else finish
            draw.new = draw.heard = True

    def _hear_prompt(self, told: Prompt) -> None:
        """Every choice of a text completion tells of the one prompt."""
        if not self._of_prompt:
            self._of_prompt = tuple(_of_prompt(told))

    def _charge(self, spent: Spent, choices: list[Choice]) -> None:
        if spent.prompt_tokens and not self._prompt:
            details = spent.prompt_tokens_details
            self._prompt = spent.prompt_tokens
            self._cached = (details.cached_tokens or 0) if details is not None else 0
            self._draws[0].new = True
        if spent.completion_tokens is None:
            return
        if len(choices) == 1:
            # With every chunk (vLLM, SGLang): what its choice alone has spent so far.
            draw = self._draws[choices[0].index]
            if not draw.ended:
                draw.settle(spent.completion_tokens)
            return
        rest = spent.completion_tokens - sum(draw.counted for draw in self._draws)
        for draw in self._draws:
            if rest and not draw.ended:
                change = max(rest, -draw.counted)
                draw.settle(draw.counted + change)
                rest -= change

    def _piece(self, draw: _Draw, finish: str) -> Piece:
        prompt = cached = 0
        of_prompt: tuple[TokenLogprob, ...] = ()
        if draw is self._draws[0] and self._prompt and not draw.billed:
            prompt, cached, draw.billed = self._prompt, self._cached, True
            of_prompt = self._of_prompt
        return draw.piece(prompt, cached, finish, of_prompt)


class _Draw:
    """What is new of one draw, and how many tokens were told of so far."""

    __slots__ = (
        "billed",
        "calls",
        "counted",
        "ended",
        "finish",
        "heard",
        "index",
        "logprobs",
        "new",
        "reasoning",
        "refused",
        "text",
        "tokens",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.text = self.reasoning = self.finish = ""
        self.logprobs: list[TokenLogprob] = []
        self.calls: Calls | None = None
        self.tokens = 0
        """New ones."""
        self.counted = 0
        """All of them."""
        self.new = self.heard = self.refused = False
        self.billed = False
        """Whether it was charged with the prompt."""
        self.ended = False
        """Whether its finish was told."""

    def say(self, text: str, reasoning: str, tokens: int) -> None:
        """Something was said."""
        self.text += text
        self.reasoning += reasoning
        self.tokens += tokens
        self.counted += tokens
        self.new = self.heard = True

    def call(self, told: Call, tokens: int) -> None:
        """Something was said of a call; it is told of at the end, whole."""
        self.calls = self.calls or Calls()
        self.calls.hear(told)
        self.say("", "", tokens)

    def settle(self, tokens: int) -> None:
        """So many tokens it was in all, up to now."""
        self.tokens += tokens - self.counted
        self.counted = tokens
        self.new = True

    def piece(
        self, prompt: int, cached: int, finish: str, of_prompt: tuple[TokenLogprob, ...]
    ) -> Piece:
        """What is new; from now on it is not."""
        made = Piece(
            self.index,
            self.text,
            prompt,
            cached,
            self.tokens,
            finish,
            self.reasoning,
            tuple(self.logprobs) if self.logprobs else (),
            of_prompt,
            self.calls.whole() if finish and self.calls is not None else _NO_CALLS,
        )
        self.text = self.reasoning = ""
        self.tokens = 0
        if self.logprobs:
            self.logprobs = []
        self.new = False
        self.ended = bool(finish)
        return made


def _tokens(told: Logprobs) -> list[TokenLogprob]:
    if told.content is not None:
        return [
            TokenLogprob(
                token.token,
                token.logprob,
                likeliest((other.token, other.logprob) for other in token.top_logprobs or ()),
            )
            for token in told.content
        ]
    tokens, values = told.tokens or [], told.token_logprobs or []
    tops = told.top_logprobs or [None] * len(tokens)
    return [
        TokenLogprob(token, value, likeliest((top or {}).items()))
        for token, value, top in zip(tokens, values, tops, strict=False)
        if value is not None
    ]


def _of_prompt(told: Prompt) -> Iterator[TokenLogprob]:
    """Each place holds the token itself first, then those that were likelier."""
    for place in told:
        if place:
            own, *_ = likely = [(one.decoded_token or "", one.logprob) for one in place.values()]
            yield TokenLogprob(*own, likeliest(likely))


def _guess(text: str) -> int:
    """The tokens of a text, where nobody says."""
    return max(1, len(text) // _CHARS)
