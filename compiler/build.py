"""From a located document to a graph: validate, resolve names, collect every fault on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .answers import AnswerKind, answer_kind
from .errors import Fault, PolyarchError, Span, SpecError
from .graph import INPUT, QUESTION, Graph, Node, Place
from .model import ModelInfo
from .names import nearest
from .nested import Nested
from .op import Asking, Op, Source
from .registry import backend, backend_names, operator, operator_names
from .source import Document, read
from .spec import STEP_KEYS, Budget, ModelSpec, Spec
from .template import Template
from .verify import verify

__all__ = ["build", "build_file", "model_info"]

_PIPELINE = "pipeline"
_LIBRARY = Path(__file__).resolve().parent.parent / "pipelines"
_DEEPEST = 16
_MOST_STEPS = 1000
_LONGEST_PROMPT = 1 << 20


@dataclass(slots=True)
class _Faults:
    """Where faults of one document gather."""

    document: Document
    plain: Any
    """The document as plain values."""
    found: list[Fault] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        path: tuple[str | int, ...],
        hint: str = "",
        *,
        key: bool = False,
    ) -> None:
        self.at(code, message, self.document.span(path, key=key), hint)

    def at(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.found.append(Fault(code, message, span, hint))

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of all steps, be they right or wrong."""
        return tuple(self.plain["steps"])

    def declares_models(self, name: str = "") -> bool:
        """Whether `models:` holds any model, or this one, be it right or wrong."""
        models = self.plain.get("models") if isinstance(self.plain, dict) else None
        if not isinstance(models, dict):
            return False
        return name in models if name else len(models) == 1


@dataclass(frozen=True, slots=True)
class _Files:
    """The pipelines used as steps: those around this one, and those built already, None for one
    whose faults were told."""

    around: tuple[Path, ...] = ()
    built: dict[Path, Graph | None] = field(default_factory=dict)


def build_file(path: Path) -> Graph:
    """Build the pipeline in a file. Raises `SpecError` with every fault found."""
    whole = path.resolve()
    return _build(read(path), whole.parent, _Files((whole,)))


def build(document: Document, folder: Path) -> Graph:
    """Build a pipeline; `folder` is where its `file:`s may be.

    Raises `SpecError` with every fault found.
    """
    return _build(document, folder, _Files())


def _build(document: Document, folder: Path, opened: _Files) -> Graph:
    faults = _Faults(document, document.plain())
    spec = _spec(faults)
    if spec is None:
        raise SpecError(faults.found)
    kind = _answer(spec, faults)
    models = _models(spec, faults)
    nodes = _steps(spec, kind, models, folder, opened, faults)
    output, keep = _output(spec, faults)
    graph = Graph(
        name=spec.name,
        about=spec.about,
        source=spec.source,
        question=spec.question,
        answer=kind,
        models=models,
        budgets={"": spec.budget} if spec.budget != Budget() else {},
        nodes=nodes,
        output=output,
        keep=keep,
        place=Place(
            document.span(("output",))
            if spec.output
            else document.span(("steps", output), key=True),
            {
                **{
                    f"budget.{unit}": document.span(("budget", unit))
                    for unit in Budget.model_fields
                },
                "keep": document.span(("output", "keep")),
            },
        ),
    )
    faults.found += verify(graph, partial=bool(faults.found))
    if faults.found:
        raise SpecError(faults.found)
    return graph


def model_info(spec: ModelSpec) -> ModelInfo:
    """What the backend says of a model. Raises KeyError for an unknown backend, and what the
    backend raises."""
    return backend(spec.backend).info(spec.name, spec.options)


_ATTEMPTS = 4


def _spec(faults: _Faults) -> Spec | None:
    """The spec; where parts of it are wrong, what is right of it, so that the rest is checked."""
    if not isinstance(faults.plain, dict):
        faults.add("type", "a pipeline file holds a mapping of keys such as name and steps", ())
        return None
    plain = faults.plain
    for attempt in range(_ATTEMPTS):
        try:
            return Spec.model_validate(plain)
        except ValidationError as error:
            no_steps = any(p["loc"] == ("steps",) for p in error.errors())
            # Left without steps by what was told before.
            if not (no_steps and attempt):
                _explain(error, (), Spec, faults)
            if no_steps:
                return None
            plain = _without(plain, [_known_part(plain, p["loc"]) for p in error.errors()])
            plain.setdefault("name", "unnamed")
    return None


def _without(plain: Any, paths: list[tuple[str | int, ...]]) -> Any:
    """A copy of nested mappings without what stands at the paths."""
    copy = dict(plain)
    for head in {path[0] for path in paths if path}:
        inner = [path[1:] for path in paths if path[:1] == (head,)]
        if () in inner or not isinstance(copy[head], dict):
            del copy[head]
        else:
            copy[head] = _without(copy[head], inner)
    return copy


def _answer(spec: Spec, faults: _Faults) -> AnswerKind:
    try:
        return answer_kind(spec.answer)
    except ValueError as error:
        faults.add("answer-kind", str(error), ("answer",))
    except PolyarchError as error:
        faults.add(error.code, str(error), ("answer",))
    return answer_kind("text")


def _models(spec: Spec, faults: _Faults) -> dict[str, ModelSpec]:
    return {
        name: model
        for name, model in spec.models.items()
        if _check_model(model, ("models", name), faults)
    }


def _check_model(model: ModelSpec, path: tuple[str | int, ...], faults: _Faults) -> bool:
    """Whether a backend has the model; a fault if not."""
    if model.backend not in backend_names():
        faults.add(
            "unknown-backend",
            f"unknown backend {model.backend!r}",
            path,
            nearest(model.backend, backend_names()),
        )
        return False
    try:
        model_info(model)
    except PolyarchError as error:
        faults.add(error.code, str(error), path)
        return False
    return True


def _steps(
    spec: Spec,
    kind: AnswerKind,
    models: dict[str, ModelSpec],
    folder: Path,
    opened: _Files,
    faults: _Faults,
) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    before = ""
    for name in faults.steps:
        path = ("steps", name)
        written = spec.steps.get(name)
        if not name.isidentifier() or name in (QUESTION, INPUT):
            why = "is taken" if name in (QUESTION, INPUT) else "is not a plain word"
            faults.add(
                "step-name", f"a step cannot be named {name!r}: the name {why}", path, key=True
            )
        if written is None:
            before = name
            continue
        op = _op(written, path, spec, folder, opened, faults)
        inputs = _inputs(name, written, before, op, faults)
        before = name
        if op is None or inputs is None:
            continue
        _check_askings(op, path, spec.question.fields, models, faults)
        place = Place(
            faults.document.span(path, key=True),
            {argument: faults.document.span((*path, argument)) for argument in written},
        )
        at_least = _at_least(written, path, faults)
        nodes[name] = Node(name, str(written["op"]), op, inputs, kind, place, at_least=at_least)
    return nodes


def _op(
    written: Mapping[str, Any],
    path: tuple[str | int, ...],
    spec: Spec,
    folder: Path,
    opened: _Files,
    faults: _Faults,
) -> Op | None:
    name = written.get("op")
    if not isinstance(name, str):
        known = ", ".join((*operator_names(), _PIPELINE))
        faults.add(
            "missing", "a step names its operator with `op:`", path, f"known: {known}", key=True
        )
        return None
    if name == _PIPELINE:
        cls: type[Op] = Nested
    elif name in operator_names():
        cls = operator(name)
    else:
        hint = nearest(name, (*operator_names(), _PIPELINE))
        faults.add("unknown-operator", f"unknown operator {name!r}", (*path, "op"), hint)
        return None
    before = len(faults.found)
    plain = {key: value for key, value in written.items() if key not in STEP_KEYS}
    plain = _with_files(plain, path, folder, faults)
    try:
        op = cls.model_validate(plain)
    except ValidationError as error:
        _explain(error, path, cls, faults)
        return None
    if len(faults.found) > before:
        return None
    return _opened(op, path, folder, opened, faults) if isinstance(op, Nested) else op


def _with_files(
    value: Any, path: tuple[str | int, ...], folder: Path, faults: _Faults, key: str = ""
) -> Any:
    """The arguments with every `prompt: {file: …}` replaced by what the file holds."""
    if isinstance(value, dict):
        if key == "prompt" and set(value) == {"file"} and isinstance(value["file"], str):
            found = _beside(value["file"], (*path, "file"), folder, faults)
            return "" if found is None else _text(found, (*path, "file"), faults)
        return {k: _with_files(v, (*path, k), folder, faults, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_files(v, (*path, i), folder, faults) for i, v in enumerate(value)]
    return value


def _beside(name: str, path: tuple[str | int, ...], folder: Path, faults: _Faults) -> Path | None:
    """A file within the pipeline's folder, or a fault."""
    try:
        found = (folder / name).resolve()
        there = found.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, a circle of links, a zero byte
        faults.add("no-file", f"{name[:40]!r} cannot be the name of a file", path)
        return None
    if not found.is_relative_to(folder.resolve()):
        faults.add("outside", f"{name!r} is outside the pipeline's folder", path)
        return None
    if not there:
        beside = [p.name for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
        faults.add("no-file", f"no file {name!r} beside the pipeline", path, nearest(name, beside))
        return None
    return found


def _text(found: Path, path: tuple[str | int, ...], faults: _Faults) -> str:
    if found.stat().st_size > _LONGEST_PROMPT:
        faults.add("too-large", f"{found.name} is larger than 1 MiB", path)
        return ""
    try:
        return found.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        faults.add("encoding", f"{found.name} is not UTF-8 text", path)
    except OSError as error:
        faults.add("no-file", f"cannot read {found.name}: {error.strerror}", path)
    return ""


def _opened(
    op: Nested,
    path: tuple[str | int, ...],
    folder: Path,
    opened: _Files,
    faults: _Faults,
) -> Op | None:
    """The step with the pipeline that it names built into it."""
    if (op.file is None) == (op.name is None):
        faults.add("missing", "a pipeline step has either `file:` or `name:`", path, key=True)
        return None
    if op.file is not None:
        found = _beside(op.file, (*path, "file"), folder, faults)
        if found is None:
            return None
    else:
        library = sorted(p.stem for p in _LIBRARY.glob("*.yaml"))
        if op.name not in library:
            hint = nearest(str(op.name), library)
            message = f"no pipeline {op.name!r} in the library"
            faults.add("unknown-pipeline", message, (*path, "name"), hint)
            return None
        found = _LIBRARY / f"{op.name}.yaml"
    if found in opened.around:
        chain = " → ".join(p.name for p in (*opened.around, found))
        faults.add("cycle", f"a pipeline that holds itself: {chain}", path, key=True)
        return None
    if len(opened.around) > _DEEPEST:
        faults.add("too-deep", f"pipelines nest deeper than {_DEEPEST}", path, key=True)
        return None
    if found not in opened.built:
        opened.built[found] = None
        try:
            files = _Files((*opened.around, found), opened.built)
            opened.built[found] = _build(read(found), found.parent, files)
        except SpecError as error:
            faults.found.extend(error.faults)
    graph = opened.built[found]
    if graph is None:
        return None
    used = op.holding(graph)
    if used.size > _MOST_STEPS:
        message = f"{found.name} holds {used.size:,} steps, more than {_MOST_STEPS:,}"
        faults.add("too-large", message, path, key=True)
        return None
    return used


def _inputs(
    name: str,
    written: Mapping[str, Any],
    before: str,
    op: Op | None,
    faults: _Faults,
) -> tuple[str, ...] | None:
    """What a step reads; None if that cannot be told."""
    names = faults.steps
    path = ("steps", name, "from")
    found = len(faults.found)
    source = isinstance(op, Source) or (isinstance(op, Nested) and not op.reads_input)
    if "from" not in written:
        if source or op is None:
            return ()
        if not before:
            message = f"{written['op']} reads candidates, and no step stands before it"
            faults.add("no-input", message, path[:2], key=True)
            return None
        return (before,)
    given = written["from"]
    listed = given if isinstance(given, list) else [given]
    inputs: list[str] = []
    for place, word in enumerate(listed):
        at = (*path, place) if isinstance(given, list) else path
        if not isinstance(word, str):
            faults.add("type", "`from` takes the name of a step, or a list of names", at)
        elif word in inputs:
            faults.add("duplicate", f"{word!r} is read twice", at)
        elif word == QUESTION:
            continue
        elif word == INPUT or word in names:
            if source:
                kind = written["op"]
                faults.add("flow", f"{kind} reads the question alone, not {word!r}", at)
            elif word in names and names.index(word) >= names.index(name):
                what = "itself" if word == name else f"{word!r}, which stands after it"
                faults.add("forward", f"step {name!r} reads {what}", at)
            inputs.append(word)
        else:
            known = [*names[: names.index(name)], QUESTION]
            faults.add("unknown-step", f"unknown step {word!r}", at, nearest(word, known))
    nothing = not inputs and len(faults.found) == found
    if nothing and op is not None and not source:
        faults.add("flow", f"{written['op']} over nothing: it reads candidates", path)
    return tuple(inputs) if len(faults.found) == found else None


def _at_least(
    written: Mapping[str, Any], path: tuple[str | int, ...], faults: _Faults
) -> int | None:
    """How many candidates must come out of a step when some fail: `on_failure: fail | drop |
    {min: n}`."""
    match written.get("on_failure", "fail"):
        case "fail":
            return None
        case "drop":
            return 0
        case {"min": int(least), **rest} if not rest and least > 0:
            return least
    message = "on_failure is fail, drop or {min: N}"
    faults.add("value", message, (*path, "on_failure"))
    return None


def _check_askings(
    op: Op,
    path: tuple[str | int, ...],
    fields: tuple[str, ...],
    models: dict[str, ModelSpec],
    faults: _Faults,
) -> None:
    for asking in op.askings():
        model = _named_model(asking, path, models, faults)
        if model is not None:
            _check_offers(op, model, path, faults)
        if asking.prompt is not None:
            _check_prompt(asking.prompt, asking.variables.union(fields), path, faults)


def _check_prompt(
    text: str, variables: frozenset[str], path: tuple[str | int, ...], faults: _Faults
) -> None:
    """Faults for the names that a prompt may not hold, at their places inside it."""
    written = faults.plain
    for part in path:
        written = written[part]
    at = next((found for found, leaf in _leaves(written, path) if leaf == text), (*path, "prompt"))
    for wrong in Template(text, variables).check():
        word = text[wrong.offset : wrong.offset + wrong.width]
        nth = text[: wrong.offset].count(word)
        span = faults.document.inside(at, word, nth)
        faults.at("prompt", wrong.message, span, wrong.hint)


def _named_model(
    asking: Asking, path: tuple[str | int, ...], models: dict[str, ModelSpec], faults: _Faults
) -> ModelSpec | None:
    """The model that a step asks: one of `models:`, or backend/model, which then joins them."""
    if asking.model is None:
        if len(models) == 1:
            return next(iter(models.values()))
        if not faults.declares_models():
            told = f"name one of: {', '.join(models)}" if models else "declare one in `models:`"
            faults.add("no-model", "which model is asked?", path, told, key=True)
        return None
    if asking.model in models:
        return models[asking.model]
    if faults.declares_models(asking.model):
        return None
    at = _where(faults.plain, path, asking.model)
    if "/" not in asking.model:
        hint = nearest(asking.model, models)
        faults.add("unknown-model", f"unknown model {asking.model!r}", at, hint)
        return None
    try:
        model = ModelSpec(model=asking.model)
    except ValidationError:
        faults.add("unknown-model", f"{asking.model!r} is not backend/model", at)
        return None
    if not _check_model(model, at, faults):
        return None
    models[asking.model] = model
    return model


def _check_offers(op: Op, model: ModelSpec, path: tuple[str | int, ...], faults: _Faults) -> None:
    """Whether the backend offers what the operator needs."""
    try:
        info = model_info(model)
    except (PolyarchError, KeyError):
        return  # reported where the model is declared
    lacking = sorted(need.value for need in op.asks() - info.capabilities)
    roles = sorted(op.roles() - info.roles) if info.roles is not None else []
    if lacking:
        message = f"needs {', '.join(lacking)}, which {model.model} does not offer"
        faults.add("capability", message, path, key=True)
    if roles:
        served = f"it serves: {', '.join(sorted(info.roles or ()))}"
        message = f"{model.model} cannot {' or '.join(roles)}"
        faults.add("capability", message, path, served, key=True)


def _where(plain: Any, path: tuple[str | int, ...], model: str | None) -> tuple[str | int, ...]:
    """The path at which a step writes the name of a model."""
    value = plain
    for part in path:
        value = value[part]
    for found, leaf in _leaves(value, path):
        if leaf == model and (found[-1] == "model" or isinstance(found[-1], int)):
            return found
    return path


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path, value


def _output(spec: Spec, faults: _Faults) -> tuple[str, int]:
    if spec.output is None:
        return faults.steps[-1], 1
    if spec.output.from_ not in faults.steps:
        hint = nearest(spec.output.from_, faults.steps)
        path = ("output", "from") if isinstance(faults.plain["output"], dict) else ("output",)
        faults.add("unknown-step", f"unknown step {spec.output.from_!r}", path, hint)
    return spec.output.from_, spec.output.keep


def _keys(cls: type[BaseModel]) -> tuple[str, ...]:
    return tuple((f.alias or name) for name, f in cls.model_fields.items())


def _explain(
    error: ValidationError, path: tuple[str | int, ...], cls: type[BaseModel], faults: _Faults
) -> None:
    """Pydantic's complaints as faults at their places."""
    seen: set[tuple[int, int]] = set()
    for problem in error.errors(include_url=False, include_input=False):
        loc = _known_part(faults.plain, (*path, *problem["loc"]))
        word = str(problem["loc"][-1]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            outer = problem["loc"][:-1]
            keys = _keys(cls) if not outer else _inner_keys(cls, outer)
            if path[:1] == ("steps",) and not outer:
                keys = (*keys, *STEP_KEYS)
            faults.add("unknown-key", f"unknown key {word!r}", loc, nearest(word, keys), key=True)
            continue
        span = faults.document.span(loc)
        if (span.line, span.column) in seen:
            continue
        seen.add((span.line, span.column))
        if problem["type"] == "missing":
            faults.at("missing", f"{word!r} is missing", span)
        else:
            message = problem["msg"].removeprefix("Value error, ")
            field = f"{word}: " if word and not word.isdigit() else ""
            faults.at("value", f"{field}{message[:1].lower()}{message[1:]}", span)


def _known_part(root: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """`loc` without what pydantic adds for unions: only what the value holds."""
    value = root
    kept: list[str | int] = []
    for part in loc:
        held = isinstance(value, dict) and part in value
        if isinstance(value, list) and isinstance(part, int):
            held = part < len(value)
        if held:
            value = value[part]
            kept.append(part)
    return tuple(kept)


def _inner_keys(cls: type[BaseModel], outer: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys of the model that stands at `outer` within `cls`, if there is one."""
    if outer[0] == "models":
        return _keys(ModelSpec)
    field = cls.model_fields.get(str(outer[0]))
    found = None if field is None else field.annotation
    return _keys(found) if isinstance(found, type) and issubclass(found, BaseModel) else ()
