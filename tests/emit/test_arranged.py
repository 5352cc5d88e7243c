"""Where boxes and lines go."""

import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.emit.arranged import HIGH, QUESTION, RESULT, WIDE, Box, arranged


@st.composite
def graphs(draw: st.DrawFn) -> list[Box]:
    """Steps that read, and wait for, steps before them."""
    boxes: list[Box] = []
    for number in range(draw(st.integers(1, 12))):
        before = [box.name for box in boxes]
        some = st.lists(st.sampled_from(before), unique=True, max_size=3) if before else st.just([])
        boxes.append(Box(f"s{number}", "op", draw(some), draw(some), draw(st.booleans())))
    return boxes


def along(path: str) -> Iterator[tuple[float, float]]:
    """Points on a path: a curve, and perhaps a straight line after it."""
    x0, y0, x1, y1, x2, y2, x3, y3 = map(int, re.findall(r"(\d+)(?=[ ,]|$)", path)[:8])
    for step in range(33):
        t = step / 32
        u = 1 - t
        weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
        yield (
            sum(w * x for w, x in zip(weights, (x0, x1, x2, x3), strict=True)),
            sum(w * y for w, y in zip(weights, (y0, y1, y2, y3), strict=True)),
        )
    if further := re.search(r"H(\d+)$", path):
        for x in range(x3, int(further[1]) + 1, 4):
            yield x, y3


@given(graphs())
def test_boxes_stand_apart_within_the_drawing_and_right_of_what_they_read(boxes: list[Box]) -> None:
    made = arranged(boxes, boxes[-1].name)
    assert set(made.spots) == {QUESTION, RESULT, *(box.name for box in boxes)}
    spots = list(made.spots.values())
    for number, one in enumerate(spots):
        assert 0 <= one.x <= made.width - WIDE
        assert 0 <= one.y <= made.height - HIGH
        for other in spots[:number]:
            assert abs(one.x - other.x) >= WIDE or abs(one.y - other.y) >= HIGH
    for box in boxes:
        for name in (*box.inputs, *box.waits_for):
            assert made.spots[name].x < made.spots[box.name].x


@given(graphs())
def test_no_line_runs_under_a_box(boxes: list[Box]) -> None:
    made = arranged(boxes, boxes[-1].name)
    points = [point for line in made.lines for point in along(line.path)]
    for spot in made.spots.values():
        for x, y in points:
            assert not (spot.x < x < spot.x + WIDE and spot.y < y < spot.y + HIGH)


def test_lines_end_at_the_boxes_that_read() -> None:
    boxes = [Box("a", "op", ()), Box("b", "op", ("a",)), Box("c", "op", ("a",), ("b",))]
    made = arranged(boxes, "c")
    tips = [(line.tip, line.waits) for line in made.lines if line.tip is not None]
    for name, waits in (("a", False), ("b", False), ("c", False), ("c", True), (RESULT, False)):
        x, y = made.spots[name]
        assert ((x, y + HIGH // 2), waits) in tips
    assert len(tips) == 5


def test_a_step_with_a_question_of_its_own_is_not_drawn_behind_the_question() -> None:
    boxes = [Box("a", "op", ()), Box("b", "op", (), ("a",), asks_apart=True)]
    made = arranged(boxes, "b")
    assert len([line for line in made.lines if line.tip is not None]) == 3
