"""What a search tells: on the terminal, in its files, and on its page."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from rich.console import Console
from searched import Counting, asked, search, space

import polyarch
from polyarch.search.aim import Aim
from polyarch.search.display import Display
from polyarch.search.found import Found
from polyarch.search.output import figures, write
from polyarch.search.page import page
from polyarch.search.plots import bars, parallel, scatter
from polyarch.search.record import Limits
from polyarch.search.search import Work, search_space
from polyarch.search.trial import Trial
from polyarch.search.wanted import Wanted


def svgs(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(one) for one in re.findall(r"<svg.*?</svg>", text, re.S)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A search with two objectives."""
    folder = tmp_path_factory.mktemp("report")
    wanted = {"aims": (Aim(), Aim(least="calls")), "trials": None}
    return search(folder, Counting().backend, **wanted)


def test_the_page_holds_every_part_and_needs_nothing_else(told: Found) -> None:
    text = page("small", told)
    for title in (
        *("The winner", "What each step is worth", "History", "Score and cost", "The front"),
        *("Importance", "All points", "Spending"),
    ):
        assert f"<h2>{title}</h2>" in text
    assert not re.search(r"(src|href)=|https?:|@import|url\((?!#tip)", text)
    drawn, history, cost, shares, lines = svgs(text)
    assert [t.text for t in drawn.iter("text")][::2] == ["drafts", "answer"]
    assert len(list(history.iter("circle"))) == len(told.trials) == 6
    assert len(list(cost.iter("circle"))) == 6
    assert len(list(shares.iter("rect"))) == 2
    assert len(list(lines.iter("polyline"))) == 6
    assert [line.get("class") for line in lines.iter("polyline")][-1] == "line"
    spent = sum(one.calls for one in told.spending.values())
    assert spent == told.calls
    assert f"<td>drafts</td><td>{told.spending['drafts'].calls:,}</td>" in text


def test_every_number_says_on_how_many_questions_it_rests(told: Found, tmp_path: Path) -> None:
    text = page("small", told)
    first, last = (f(len(t.marks) for t in told.trials) for f in (min, max))
    assert f"Values rest on {first} to {last} questions" in text
    for trial in told.trials:
        assert f"trial {trial.number}, {trial.value(Aim()):.3f} on {len(trial.marks)} q" in text
    write(told, tmp_path, {t.key: space().close(t.choice).text for t in told.front})
    files = sorted((tmp_path / "front").iterdir())
    assert len(files) == len(told.front) > 1
    for file, trial in zip(files, told.front, strict=True):
        head = file.read_text().splitlines()[0]
        assert head.startswith(f"# trial {trial.number}; score: ")
        assert head.endswith(f"on {len(trial.marks)} questions")
        polyarch.loads(file.read_text())
    rows = json.loads((tmp_path / "search.json").read_text())
    assert all(row["questions"] > 0 for row in (*rows["trials"], *rows["test"]))
    lines = list(figures(told))
    assert f"on {len(told.best.marks)} questions" in lines[0]
    assert f"on {len(told.test[0].marks)} locked questions" in lines[1]


def test_the_best_pipeline_is_a_file_without_holes_with_its_figures(
    told: Found, tmp_path: Path
) -> None:
    write(told, tmp_path, {t.key: space().close(t.choice).text for t in told.front})
    text = (tmp_path / "best.yaml").read_text()
    assert text.startswith("# dev: ")
    assert "# against default (3.0 calls" in text
    assert yaml.safe_load(text)["steps"]["drafts"]["n"] in (2, 3, 5)
    polyarch.loads(text)


def test_the_display_tells_the_best_the_front_the_spending_and_the_time(tmp_path: Path) -> None:
    display, shown = Display(), []

    def watch(trial: Trial, work: Work) -> None:
        display(trial, work)
        console = Console(width=160)
        with console.capture() as captured:
            console.print(display)
        shown.append(captured.get())

    wanted = Wanted(
        tmp_path, Limits(calls=900, seconds=600), aims=(Aim(), Aim(least="calls")), trials=4
    )
    backends = {"m": Counting().backend}
    told = asyncio.run(search_space(space(), asked(), wanted, watch=watch, backends=backends))
    # The record is closed by now, and it is drawn once more.
    assert display.line().startswith("4 points tried · best 0.")
    last = shown[-1]
    assert f"best {told.trials[0].value(Aim()):.3f}" in last
    assert re.search(r"\d+ of 900 calls", last)
    assert re.search(r"(5\d\d|600) seconds left", last)
    assert f"{len(told.front)} on the front" in last
    assert "drafts.n " in last


def test_plots_of_one_point_and_of_names_with_signs() -> None:
    (one,) = svgs(scatter([1.0], [0.5], [True], "a<b", "c", ["x & y"]))
    assert [t.text for t in one.iter("title")] == ["x & y"]
    (both,) = svgs(parallel([{"n": "2", "w": "<x>"}, {"n": "10"}], [False, True]))
    names = [t.text for t in both.iter("text")]
    assert names == ["n", "2", "10", "w", "<x>", "—"]
    (shares,) = svgs(bars([("a&b", 0.25)]))
    assert [t.text for t in shares.iter("text")] == ["a&b", "25%"]
