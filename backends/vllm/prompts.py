"""Prompts: messages through the chat template to tokens, as vLLM's own server does it."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from ..base import Request
from .engine import Running
from .faults import Faults
from .messages import chat, template_kwargs
from .options import Options

__all__ = ["Prompts"]

_KEPT = 256
"""Prompts that are kept from when they were counted to when they are sent."""


class Prompts:
    """Makes the prompts of one model, and keeps the last ones: a prompt that was counted for a
    budget is not made again to be sent."""

    def __init__(self, options: Options, faults: Faults) -> None:
        self._options = options
        self._faults = faults
        self._template = _text(options.chat_template)
        self._kept: OrderedDict[object, Any] = OrderedDict()

    async def of(self, running: Running, request: Request) -> Any:
        """The prompt as the engine takes it. Raises `TooLong`, and `BadRequest` for messages that
        the template refuses."""
        key = _key(request)
        prompt = self._kept.pop(key, None)
        if prompt is None:
            try:
                prompt = await self._made(running.llm.renderer, request)
            except Exception as error:
                raise self._faults.of(error) from error
        tokens = len(prompt["prompt_token_ids"])
        if tokens + (request.wants == "text") > running.context:
            raise self._faults.too_long(tokens, running.context)
        return prompt

    def count(self, llm: Any, request: Request) -> int:
        """How many tokens the prompt has. Raises as `of` does."""
        key = _key(request)
        prompt = self._kept.get(key)
        if prompt is None:
            try:
                prompt = self._made_here(llm.renderer, request)
            except Exception as error:
                raise self._faults.of(error) from error
            self._kept[key] = prompt
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return len(prompt["prompt_token_ids"])

    async def _made(self, renderer: Any, request: Request) -> Any:
        if request.wants == "embedding":
            (prompt,) = await renderer.render_cmpl_async([_plain(request)])
        else:
            _, (prompt,) = await renderer.render_chat_async([chat(request)], self._how(request))
        return prompt

    def _made_here(self, renderer: Any, request: Request) -> Any:
        if request.wants == "embedding":
            (prompt,) = renderer.render_cmpl([_plain(request)])
        else:
            _, (prompt,) = renderer.render_chat([chat(request)], self._how(request))
        return prompt

    def _how(self, request: Request) -> Any:
        from vllm.renderers import ChatParams

        kwargs = {**self._options.chat_template_kwargs, **template_kwargs(request)}
        return ChatParams(chat_template=self._template, chat_template_kwargs=kwargs)


def _plain(request: Request) -> dict[str, str]:
    return {"prompt": "\n\n".join(message.text for message in request.messages)}


def _key(request: Request) -> object:
    return request.messages, request.prefix, request.wants


def _text(template: str | None) -> str | None:
    """The template itself, out of its file if it names one."""
    if template is None or "{" in template:
        return template
    return Path(template).expanduser().read_text()
