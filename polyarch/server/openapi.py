"""The OpenAPI description of an endpoint, made from what it reads and how it replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from .. import __version__
from .served import Served

__all__ = ["description"]

_STATUSES = {
    "400": "The body cannot be read, or asks for what is not offered.",
    "401": "A key is needed.",
    "402": "A budget is spent.",
    "403": "Without a key, the server answers to this machine's own names alone.",
    "404": "There is no such model.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "429": "Too many requests wait, here or at a model; Retry-After says for how long.",
    "500": "The answer failed.",
    "502": "A model's server failed.",
    "503": "A model's server cannot be reached, or this one stops.",
    "504": "A model took too long.",
}


def description(served: Served) -> Mapping[str, Any]:
    """The description, as /openapi.json has it."""
    chat, text = served.bodies
    modes: Any = [(chat, "validation"), (text, "validation")]
    refs, schemas = models_json_schema(modes, ref_template="#/components/schemas/{model}")
    shapes = schemas.get("$defs", {})
    name = {"type": "string", "enum": [card["id"] for card in served.cards()]}
    for body in served.bodies:
        shapes[body.__name__]["properties"]["model"] = name
    return {
        "openapi": "3.1.0",
        "info": {"title": "polyarch", "version": __version__},
        "paths": {
            "/v1/models": {"get": _get("What answers, by name.", "ModelList")},
            "/v1/models/{name}": {
                "get": _get("One of them.", "Model", "404"),
                "parameters": [
                    {
                        "name": "name",
                        "in": "path",
                        "required": True,
                        "schema": name,
                    }
                ],
            },
            "/v1/chat/completions": {
                "post": _post("Answer a chat.", refs[chat, "validation"], "ChatCompletion")
            },
            "/v1/completions": {
                "post": _post("Answer a text.", refs[text, "validation"], "Completion")
            },
            "/health": {"get": _get("Whether the server is up.", "Health") | _NO_KEY},
            "/ready": {"get": _get("Whether it takes requests.", "Health", "503") | _NO_KEY},
            "/metrics": {"get": _told("Counts, as Prometheus reads them.", {"text/plain": {}})},
        },
        "components": {
            "schemas": {**shapes, **_REPLIES},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


_NO_KEY: dict[str, Any] = {"security": []}


def _get(about: str, reply: str, *failures: str) -> dict[str, Any]:
    return _told(about, {"application/json": {"schema": _ref(reply)}}, *failures)


def _told(about: str, content: Mapping[str, Any], *failures: str) -> dict[str, Any]:
    told: dict[str, Any] = {"200": {"description": about, "content": content}}
    for status in ("401", "403", *failures):
        told[status] = _failure(status, "Health" if status == "503" else "Error")
    return {"summary": about, "responses": told}


def _post(about: str, body: Any, reply: str) -> Mapping[str, Any]:
    content = {
        "application/json": {"schema": _ref(reply)},
        "text/event-stream": {"schema": _object({"data": _TEXT})},
    }
    told: dict[str, Any] = {"200": {"description": about, "content": content}}
    return {
        "summary": about,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": told | {status: _failure(status, "Error") for status in _STATUSES},
    }


def _failure(status: str, schema: str) -> Mapping[str, Any]:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"description": _STATUSES[status], "content": content}


def _ref(name: str) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(needed: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    properties = {**needed, **more}
    return {"type": "object", "required": list(needed), "properties": properties}


_TEXT, _WHOLE = {"type": "string"}, {"type": "integer", "minimum": 0}
_TEXT_OR_NONE = {"type": ["string", "null"]}
_CHOICE = {
    "index": _WHOLE,
    "finish_reason": {"enum": ["stop", "length", "content_filter", "tool_calls"]},
    "logprobs": {"type": ["object", "null"]},
}
_REPLY = {
    "id": _TEXT,
    "created": _WHOLE,
    "model": _TEXT,
    "usage": _object(
        {"prompt_tokens": _WHOLE, "completion_tokens": _WHOLE, "total_tokens": _WHOLE}
    ),
}


def _choices(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "array", "minItems": 1, "items": _object({**_CHOICE, **said})}


_REPLIES: Mapping[str, Any] = {
    "Error": _object(
        {
            "error": _object(
                {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": _TEXT_OR_NONE,
                    "code": _TEXT_OR_NONE,
                }
            )
        }
    ),
    "Health": _object({"status": {"enum": ["ok", "stopping"]}}),
    "Model": _object(
        {"id": _TEXT, "object": {"const": "model"}, "created": _WHOLE, "owned_by": _TEXT},
        polyarch={"type": "object"},
    ),
    "ModelList": _object(
        {"object": {"const": "list"}, "data": {"type": "array", "items": _ref("Model")}}
    ),
    "ChatCompletion": _object(
        {
            **_REPLY,
            "object": {"const": "chat.completion"},
            "choices": _choices(
                {"message": _object({"role": {"const": "assistant"}, "content": _TEXT_OR_NONE})}
            ),
        },
        polyarch={"type": "object"},
    ),
    "Completion": _object(
        {
            **_REPLY,
            "object": {"const": "text_completion"},
            "choices": _choices({"text": _TEXT}),
        },
        polyarch={"type": "object"},
    ),
}
