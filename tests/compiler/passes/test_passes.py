"""Each pass by pairs of text: a pipeline in, the printed graph out. `cases/<pass>/<case>.yaml` is
compiled up to that pass and printed as `<case>.txt`; what stands beside a case in `parts/` are the
files it uses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from polyarch.compiler import passes
from polyarch.compiler.build import build_file
from polyarch.compiler.errors import SpecError
from polyarch.compiler.graph import Graph
from polyarch.compiler.model import ModelInfo
from polyarch.compiler.passes import PASSES, apply
from polyarch.compiler.spec import ModelSpec
from polyarch.compiler.verify import verify

CASES = Path(__file__).parent / "cases"
NAMES = [step.__name__ for step in PASSES]


def found() -> list[str]:
    return sorted(str(p.relative_to(CASES).with_suffix("")) for p in CASES.glob("*/*.yaml"))


def after(case: str) -> tuple[Graph, Graph]:
    """The graph before the pass and after it."""
    graphs = [build_file(CASES / f"{case}.yaml")]
    graphs += [made for _, made in apply(graphs[0], until=case.split("/")[0])]
    return graphs[-2], graphs[-1]


@pytest.mark.parametrize("case", found())
def test_a_pipeline_in_its_graph_out(case: str) -> None:
    _, graph = after(case)
    notes = "".join(f"note: {note}\n" for note in graph.notes)
    assert str(graph) + notes == (CASES / f"{case}.txt").read_text()
    assert verify(graph) == []


@pytest.mark.parametrize("case", found())
def test_a_pass_changes_nothing_the_second_time(case: str) -> None:
    before, graph = after(case)
    step = PASSES[NAMES.index(case.split("/")[0])]
    assert str(step(graph)) == str(graph)
    assert graph.keep == before.keep
    assert graph.budgets.items() >= before.budgets.items()


def test_every_pass_has_cases() -> None:
    assert {case.split("/")[0] for case in found()} == set(NAMES)
    assert len(found()) >= 12


def test_verify_runs_before_the_first_pass_and_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build_file(CASES / "coalesce/vote.yaml")
    seen: list[str] = []

    def counting(made: Graph, *, partial: bool = False) -> list[object]:
        seen.append(made.name)
        return list(verify(made, partial=partial))

    monkeypatch.setattr(passes, "verify", counting)
    assert [name for name, _ in apply(graph)] == NAMES
    assert len(seen) == 1 + len(PASSES)


@pytest.mark.parametrize("broken", range(len(PASSES)))
def test_a_pass_that_breaks_the_graph_is_caught(
    broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = build_file(CASES / "coalesce/vote.yaml")

    def cut(made: Graph) -> Graph:
        """Lets the last step read what is not there."""
        nodes = list(made.nodes.values())
        return made.with_nodes([*nodes[:-1], replace(nodes[-1], inputs=("nothing",))])

    steps = list(PASSES)
    steps[broken] = cut
    monkeypatch.setattr(passes, "PASSES", tuple(steps))
    with pytest.raises(SpecError, match="unknown step 'nothing'"):
        list(apply(graph))


def test_only_printed_things_change(tmp_path: Path) -> None:
    """Passes are pure: the graph they are given stays as it is."""
    for case in found():
        graph = build_file(CASES / f"{case}.yaml")
        printed = str(graph)
        list(apply(graph))
        assert str(graph) == printed


def test_the_backend_comes_before_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own, then the model's, then the backend's, then the library's."""
    settle = sys.modules["polyarch.compiler.passes.settle"]
    real: Callable[[ModelSpec], ModelInfo] = settle.model_info

    def info(spec: ModelSpec) -> ModelInfo:
        return replace(real(spec), parameters={"temperature": 0.25}, max_tokens=33)

    monkeypatch.setattr(settle, "model_info", info)
    printed = str(after("settle/order")[1]).splitlines()
    assert "(model=plain, temperature=0.25, top_p=1.0, top_k=0, max_tokens=33)" in printed[3]
    assert "(model=warm, temperature=0.3, top_p=0.9, top_k=0, max_tokens=77" in printed[2]
    assert "(model=warm, temperature=0.8, top_p=0.9, top_k=0, max_tokens=5" in printed[1]
