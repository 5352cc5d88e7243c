"""Tools as a pipeline file names them: where each one is, and how it may be called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

__all__ = ["HttpSpec", "KeyEnv", "McpSpec", "ToolName", "ToolSpec", "placeholders"]


def _not_all(name: str) -> str:
    if name == "all":
        raise ValueError("a tool cannot be named all: that grants every tool")
    return name


ToolName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"),
    AfterValidator(_not_all),
]
"""A word, with dots and hyphens inside."""

_SOURCES = ("builtin", "python", "http", "mcp", "given")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeyEnv(_Frozen):
    """A secret, by the name of the environment variable that holds it."""

    key_env: Annotated[str, Field(min_length=1)]
    prefix: str = ""
    """Stands before it, as in `Bearer `."""


Headers = Mapping[str, str | KeyEnv]


class HttpSpec(_Frozen):
    """A request over HTTP. Arguments that the URL does not name go into the query or, of a method
    with a body, into that, as JSON."""

    url: Annotated[str, Field(pattern=r"^https?://[^/{}?#]+([/?#].*)?$")]
    """May name arguments as `{name}` behind the host."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: Headers = Field(default_factory=dict)


class McpSpec(_Frozen):
    """An MCP server: a command to run and talk to over its standard input and output, or the URL of
    one that speaks streamable HTTP."""

    command: tuple[str, ...] = ()
    env: Headers = Field(default_factory=dict)
    """Its environment beside the few variables that every program needs; for a command."""
    url: Annotated[str, Field(pattern=r"^https?://.+$")] | None = None
    headers: Headers = Field(default_factory=dict)
    """For a URL."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("an MCP server has a command or a url")
        if self.env and self.url:
            raise ValueError("env is of a command; a url has headers")
        if self.headers and self.command:
            raise ValueError("headers are of a url; a command has env")
        return self


class ToolSpec(_Frozen):
    """A tool that steps may name: one of `builtin`, `python`, `http`, `mcp` and `given`, and how it
    may be called."""

    builtin: Literal["calculator"] | None = None
    """One that ships with polyarch: a pure function, which needs no grant."""
    python: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")] | None = None
    """A callable, as package.module:function. Imported when it is granted and first used."""
    http: HttpSpec | None = None
    """A request over HTTP."""
    mcp: McpSpec | None = None
    """A tool of an MCP server."""
    given: Literal[True] | None = None
    """Handed over in Python, by whoever runs the pipeline."""
    tool: str = ""
    """Its name at the MCP server; the same as here if left out."""
    about: str = ""
    """What a model is told of it; its own description if left out."""
    parameters: Mapping[str, Any] | None = None
    """The JSON Schema of its arguments; its own if left out. Of an HTTP request, the arguments that
    the URL names, as texts."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds that one call may take."""
    idempotent: bool = False
    """Whether calling it twice does no more than calling it once. Only then it is tried again, or
    its results kept."""
    retries: Annotated[int, Field(ge=0)] = 0
    """How often a call that failed in passing is made again."""
    concurrency: Annotated[int, Field(ge=1)] = 16
    """Calls under way at once, over all questions."""
    cache: bool = False
    """Whether results may be kept in a cache."""
    version: str = ""
    """Tells results kept of one state of the tool from those of another."""
    usd: Annotated[float, Field(ge=0)] = 0.0
    """Dollars that one call costs."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        named = [source for source in _SOURCES if getattr(self, source) is not None]
        if len(named) != 1:
            raise ValueError(f"a tool has one of: {', '.join(_SOURCES)}")
        if not self.idempotent and self.builtin is None:
            for wish in ("retries", "cache"):
                if getattr(self, wish):
                    raise ValueError(f"{wish} is for a tool with idempotent: true")
        if self.tool and self.mcp is None:
            raise ValueError("tool is the name at an MCP server")
        if self.parameters is not None and self.parameters.get("type") != "object":
            raise ValueError("parameters is a JSON Schema with type: object")
        return self

    @property
    def free(self) -> bool:
        """Whether it needs no grant: a function of its arguments alone, shipped with polyarch."""
        return self.builtin is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """The environment variables whose keys it is given."""
        held: list[str | KeyEnv] = []
        if self.http is not None:
            held += self.http.headers.values()
        if self.mcp is not None:
            held += [*self.mcp.headers.values(), *self.mcp.env.values()]
        return tuple(dict.fromkeys(one.key_env for one in held if isinstance(one, KeyEnv)))

    def __str__(self) -> str:
        """Where it is, in a few words."""
        if self.python is not None:
            return f"python {self.python}"
        if self.http is not None:
            return f"http {self.http.method} {self.http.url}"
        if self.mcp is not None:
            return f"mcp {self.mcp.url or ' '.join(self.mcp.command)}"
        return "handed over in Python" if self.given else f"builtin {self.builtin}"


def placeholders(url: str) -> tuple[str, ...]:
    """The arguments that a URL names, in order."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(url)))
