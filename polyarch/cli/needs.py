"""What one pipeline needs of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..backends.openai.options import checked as openai_options
from ..compiler.build import build_file
from ..compiler.op import Op
from ..compiler.plan import plan
from ..compiler.spec import ModelSpec
from ..ops._runs import Runs
from .checks import KEYS, Finding, key, package, sandbox
from .known import PACKAGES
from .servers import server

__all__ = ["needs"]


def needs(path: Path) -> Iterator[Finding]:
    """What a pipeline needs, each once. Raises what is wrong with the file itself."""
    graph = plan(build_file(path)).graph
    found = dict.fromkeys(one for spec in graph.models.values() for one in _of_model(spec))
    yield from found
    if any(_runs_programs(node.op) for node in graph.nodes.values()):
        yield sandbox(needed=True)


def _of_model(spec: ModelSpec) -> Iterator[Finding]:
    if (name := PACKAGES.get(spec.backend)) is not None:
        yield package(name, spec.backend, needed=True)
    match spec.backend:
        case "openai":
            options = openai_options(spec.name, spec.options)
            if options.key_name is not None:
                yield key([options.key_name], needed=True)
            if not options.openai:
                yield server(options.base_url)
        case "litellm":
            yield from _of_provider(spec)


def _of_provider(spec: ModelSpec) -> Iterator[Finding]:
    """The key and server of a litellm model, where it is known what they are."""
    base, named = spec.options.get("api_base"), spec.options.get("key_env")
    if isinstance(named, str):
        yield key([named], needed=True)
    elif base is None and (names := KEYS.get(spec.name.partition("/")[0])) is not None:
        yield key(names, needed=True)
    if isinstance(base, str):
        yield server(base)


def _runs_programs(op: Op) -> bool:
    """Whether it would run programs without the sandbox if it had none, so that it needs one."""
    if not isinstance(op, Runs) or op.sandbox == "none":
        return False
    return op.model_copy(update={"sandbox": "none"}).unconfined()
